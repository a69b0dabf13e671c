"""Every analyst on real bars it has never seen, beside plain baselines: ``make bench-real``.

Belongs here: the window, the rows of the table, carrying it out.  Does not belong here: scores
with intervals (``intervals``), the baseline after FreqAI (``freqai_like``).

ETHUSDT of Binance spot, minute bars.  Development is 2022-01-01 to 2023-07-01, the test the half
year after it.  Steps 1 to 7 run as in the product; regimes are decoded by step 2's model.  All
rows of the table answer for the same events: triple barriers, a decision every ten minutes, every
regime, all alike in weight.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ares_assets.analyst.events import labelled_events
from ares_resources.errors import BadInput
from ares_resources.exchanges.files.ingest import ingest
from ares_resources.home import Home
from ares_resources.provenance import code_fingerprint, library_versions
from ares_resources.settings import load_settings
from ares_resources.storage.catalogue import Catalogue
from ares_resources.symbols import SymbolKey
from ares_resources.timeframes import DAY_MS
from benchmarks import freqai_like
from benchmarks.arguments import add_results, day, whole
from benchmarks.intervals import MEAN_BLOCK_DAYS, resamples
from benchmarks.measuring import machine
from benchmarks.pages import put_table, write_results
from benchmarks.partitions import (
    Trained,
    all_examples,
    bar_step,
    choices_of,
    development_of,
    is_whole,
    known_bars,
    probabilities,
    train_regimes,
)
from benchmarks.real_scores import by_group, months, purged_claims, scored
from benchmarks.real_tables import BASE_RATE, FREQAI, SHUFFLED, markdown
from benchmarks.training_sets import counted

MARKET = Path(__file__).resolve().parents[2] / "shared" / "market"
BARS = Path("real") / "binance_ETHUSDT_1m.parquet"
SYMBOL = SymbolKey("ETHUSDT", "BINANCE")
START, CUT, END = "2022-01-01", "2023-07-01", "2024-01-01"
SEED = 20_230_701
CANDLE_BARS = 5
MARK = "bench-real"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if not chosen.start < chosen.cut < chosen.end:
        parser.error(f"--start {chosen.start}, --cut {chosen.cut}, --end {chosen.end} must rise")
    if not (chosen.market / BARS).is_file():
        parser.error(f"--market: no file {chosen.market / BARS}")
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="ares-bench-") as folder:
        _tell(began, "steps 1 to 7")
        trained = _trained(chosen, Path(folder))
        results = {
            "command": "python -m benchmarks.real_bars " + " ".join(arguments or sys.argv[1:]),
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "code": code_fingerprint(),
            "seed": SEED,
            "versions": library_versions(),
            "machine": machine(),
            "bars": BARS.name,
            "development": [chosen.start, chosen.cut],
            "test": [chosen.cut, chosen.end],
            "trials": chosen.trials,
            "resamples": chosen.resamples,
            "mean_block_days": MEAN_BLOCK_DAYS,
            "choices": {r: choices_of(f) for r, f in trained.artifacts.items() if is_whole(f)},
            "skipped": trained.skipped(),
            "seconds": trained.seconds(),
            **_judged(trained, chosen, began),
        }
    table = markdown(results)
    print(table)
    if chosen.out:
        write_results(Path(chosen.out), results)
    if chosen.page:
        put_table(Path(chosen.page), MARK, table)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real_bars", description=__doc__)
    parser.add_argument("--market", type=Path, default=MARKET, help="folder of the real bars")
    parser.add_argument("--start", type=day, default=START, help="first day of development, UTC")
    parser.add_argument("--cut", type=day, default=CUT, help="first day of the test")
    parser.add_argument("--end", type=day, default=END, help="the day after the test")
    parser.add_argument("--trials", type=whole(1, 10_000), default=100, help="n_trials of step 6")
    parser.add_argument("--resamples", type=whole(2, 1_000_000), default=2_000)
    parser.add_argument("--threads", type=whole(1, 256), default=1)
    add_results(parser, mark=MARK)
    return parser


def _tell(began: float, what: str) -> None:
    print(f"{time.perf_counter() - began:.0f} s: {what}", file=sys.stderr, flush=True)


def _trained(chosen: argparse.Namespace, folder: Path) -> Trained:
    home = Home(folder)
    home.create()
    ingest(Catalogue(home.catalogue), [chosen.market / BARS], SYMBOL)
    start, cut, end = (_ms(day) for day in (chosen.start, chosen.cut, chosen.end))
    development = (cut - start) / (end - start)
    settings = load_settings(
        {
            "threads": chosen.threads,
            "enhanced_training_manager": {
                "lookback_days": (end - start) / DAY_MS,
                "n_trials": chosen.trials,
            },
            # What is after development is the test; no step before the eighth reads it.
            "window": {"development": development, "calibration": (1 - development) / 2},
            "tracking": {"enabled": False},
        },
        mode="full",
    )
    return train_regimes(SYMBOL, settings, home, as_of_ms=end, offline=True)


def _ms(day: str) -> int:
    return int(pd.Timestamp(day, tz="UTC").value // 10**6)


def _judged(trained: Trained, chosen: argparse.Namespace, began: float) -> dict[str, Any]:
    frame = trained.market.load()
    _tell(began, "features, regimes and the pooled models")
    regimes, features = known_bars(trained, frame)
    development, cut = development_of(trained, frame)
    known = all_examples(trained)
    test = _events(trained, frame, np.arange(cut, len(frame)))
    rows = test["row"].to_numpy()
    predicted = {
        BASE_RATE: np.full(len(test), known.labels.mean()),
        **probabilities(trained, regimes, features, rows),
    }
    _tell(began, "two models after FreqAI")
    later, claimed = _freqai(trained, frame, development, cut, test, chosen.threads)
    predicted |= later
    _tell(began, "intervals")
    drawn = resamples(test["timestamp"].to_numpy(), count=chosen.resamples, seed=SEED)
    return {
        "events": {
            "development": len(known),
            "test": len(test),
            "independent": round(float(test["uniqueness"].sum())),
        },
        **scored(test, predicted, drawn),
        "claimed": {**purged_claims(trained), **claimed},
        "by_regime": by_group(test, predicted, regimes["regime"].to_numpy()[rows]),
        "by_month": by_group(test, predicted, months(test)),
    }


def _events(trained: Trained, frame: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    """Events of every regime, labelled on bars that end with ``frame``."""
    labels = trained.settings.labels
    return labelled_events(frame, rows, settings=labels, timeframe_ms=bar_step(trained))


def _freqai(
    trained: Trained,
    frame: pd.DataFrame,
    development: np.ndarray,
    cut: int,
    test: pd.DataFrame,
    threads: int,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """P(up) at the test events, and what each of the two claims of itself."""
    from ares_assets.analyst.scores import auc, log_loss

    closes, features = freqai_like.candle_features(frame)
    often = trained.settings.labels.model_copy(update={"event_every_bars": CANDLE_BARS})
    step = bar_step(trained)
    events = labelled_events(frame.iloc[:cut], development, settings=often, timeframe_ms=step)
    events, at_events = _joined(events, closes, features, step)
    # A decision whose candle has a hole in it is judged all the same: CatBoost takes NaN.
    at_test = features.iloc[np.searchsorted(closes, test["timestamp"] + step, side="right") - 1]
    later, claimed = {}, {}
    for name, shuffle in ((FREQAI, False), (SHUFFLED, True)):
        model = freqai_like.train(at_events, events, shuffle=shuffle, threads=threads)
        later[name] = model.probability(at_test)
        labels, said = model.test_labels, model.test_probability
        even = np.ones(len(labels))
        claimed[name] = {
            "auc": round(auc(labels, said, even), 5),
            "log_loss": round(log_loss(labels, said, even), 5),
            **counted([model.fold]),
            "trees": model.trees,
        }
    return later, claimed


def _joined(
    events: pd.DataFrame, closes: np.ndarray, features: pd.DataFrame, step: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The events that fall on the close of a candle, and its features."""
    moments = events["timestamp"].to_numpy() + step
    place = np.minimum(np.searchsorted(closes, moments), len(closes) - 1)
    met = closes[place] == moments
    return events[met].reset_index(drop=True), features.iloc[place[met]].reset_index(drop=True)


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except BadInput as error:
        print(f"benchmarks.real_bars: {error}", file=sys.stderr)
        raise SystemExit(2) from None
