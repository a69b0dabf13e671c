"""Every regime algorithm on simulated truth, beside the oracle filter: ``make bench-regimes``.

Belongs here: the experiment and its table.  Does not belong here: the measures
(``regime_scores``), the algorithms.

A market is simulated, each algorithm is fitted on ``--fit-days`` and decodes online, through
``classify`` with default settings, the ``--test-days`` after it, which alone are scored.  States
keep the names the algorithm gave them.  Seeds for tuning were others (docs/regimes.md).
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

from ares_assets.market.bars import join_reference
from ares_assets.market.classification import classify, decode
from ares_assets.market.regimes import PROBABILITY_COLUMNS, REGIMES, decide, get_algorithm
from ares_assets.market.regimes.base import as_frame
from ares_assets.market.regimes.registry import ALGORITHM_NAMES
from ares_resources.exchanges.simulated import simulate
from ares_resources.exchanges.simulated.oracle import oracle_filter
from ares_resources.exchanges.simulated.symbols import LABORATORY
from ares_resources.settings import RegimeSettings
from ares_resources.timeframes import timeframe_ms
from benchmarks import regime_scores as scores
from benchmarks.arguments import add_results, add_seeds, whole
from benchmarks.pages import put_table, write_results

DAY = 1_440
WARMUP_DAYS = 10
ORACLE = "oracle filter"
STEADY_ORACLE = "oracle, with hysteresis"
LIBRARIES = ("numpy", "pandas", "scipy", "scikit-learn", "numba")
MARK = "bench-regimes"
HEAD = (
    "| algorithm | balanced accuracy | share of the oracle's | by the most probable | macro F1 "
    "| log loss | delay, median / mean min | missed | switches in 30 days "
    "| false alarms in 30 days | named wrongly | fit s | decode µs a bar |"
)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    chosen = _parser().parse_args(arguments)
    seeds = list(range(chosen.first_seed, chosen.first_seed + chosen.seeds))
    groups = [
        _group(market, days, seeds, chosen) for market in chosen.markets for days in chosen.fit_days
    ]
    results = {
        "command": "python -m benchmarks.regimes " + " ".join(arguments or sys.argv[1:]),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "seeds": seeds,
        "versions": {"python": platform.python_version()} | {n: version(n) for n in LIBRARIES},
        "groups": groups,
    }
    table = markdown(results)
    print(table)
    if chosen.out:
        write_results(chosen.out, results)
    if chosen.page:
        put_table(chosen.page, MARK, table)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.regimes", description=__doc__)
    add_seeds(parser, first=1, count=20)
    parser.add_argument("--fit-days", type=whole(2, 3650), nargs="+", default=[180])
    parser.add_argument("--test-days", type=whole(1, 3650), default=120)
    markets = sorted(LABORATORY)
    parser.add_argument("--markets", nargs="+", choices=markets, default=["FLIP"])
    parser.add_argument(
        "--algorithms", nargs="+", choices=ALGORITHM_NAMES, default=list(ALGORITHM_NAMES)
    )
    add_results(parser, mark=MARK)
    return parser


def _group(market: str, fit_days: int, seeds: list[int], chosen: Any) -> dict[str, Any]:
    """All rows of one market and fit length: name -> one score a seed."""
    rows: dict[str, list[dict[str, Any]]] = {}
    began = time.perf_counter()
    for done, seed in enumerate(seeds, 1):
        for name, score in _one_market(market, fit_days, chosen.test_days, seed, chosen).items():
            rows.setdefault(name, []).append(score)
        spent = time.perf_counter() - began
        left = spent / done * (len(seeds) - done)
        print(
            f"{market}, {fit_days} days: {done}/{len(seeds)} markets, {left:.0f} s left",
            file=sys.stderr,
            flush=True,
        )
    return {"market": market, "fit_days": fit_days, "test_days": chosen.test_days, "rows": rows}


def _one_market(
    name: str, fit_days: int, test_days: int, seed: int, chosen: Any
) -> dict[str, dict[str, Any]]:
    recipe = LABORATORY[name]
    start, end = WARMUP_DAYS * DAY, (WARMUP_DAYS + fit_days) * DAY
    market = simulate(recipe, seed=seed, minutes=end + test_days * DAY)
    nothing = pd.DataFrame({"timestamp": np.empty(0, np.int64), "open_interest": np.empty(0)})
    frame = join_reference(market.bars(), market.funding(), nothing, "1m")
    truth = market.regime.astype(np.int64)[end:]
    belief = oracle_filter(recipe, market.bars(), market.funding()).probability
    settings = RegimeSettings()
    steady = decide(
        as_frame(belief),
        enter_probability=settings.enter_probability,
        minimum_dwell_bars=settings.minimum_dwell_bars,
    )
    found = {
        ORACLE: _scored(belief[end:].argmax(axis=1), belief[end:], truth),
        STEADY_ORACLE: _scored(_numbers(steady)[end:], belief[end:], truth),
    }
    rows = np.arange(start, end)
    for algorithm in chosen.algorithms:
        found[algorithm] = _algorithm(algorithm, frame, rows, truth)
    return found


def _algorithm(
    algorithm: str, frame: pd.DataFrame, rows: np.ndarray, truth: np.ndarray
) -> dict[str, Any]:
    settings = RegimeSettings(algorithm=algorithm)  # type: ignore[arg-type]
    decided, model = classify(frame, fit_rows=rows, timeframe="1m", settings=settings, seed=1)
    began = time.perf_counter()  # all kernels are loaded by now
    get_algorithm(algorithm).fit(
        frame, fit_rows=rows, timeframe_ms=timeframe_ms("1m"), settings=settings, seed=1
    )
    fitted = time.perf_counter()
    decode(frame, model, settings)
    decoding = time.perf_counter() - fitted
    end = int(rows[-1]) + 1
    probabilities = decided[list(PROBABILITY_COLUMNS)].to_numpy()[end:]
    times = {
        "fit_seconds": round(fitted - began, 3),
        "decode_microseconds": round(decoding / len(frame) * 1e6, 3),
    }
    states = _numbers(decided["regime"].to_numpy())[end:]
    return _scored(states, probabilities, truth) | times


def _numbers(regimes: np.ndarray) -> np.ndarray:
    """Names as places in REGIMES, (n,)."""
    return np.select([regimes == name for name in REGIMES], range(len(REGIMES)))


def _scored(decoded: np.ndarray, probabilities: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    delays, missed = scores.detection_delays(decoded, truth)
    likeliest = probabilities.argmax(axis=1)
    return {
        "balanced_accuracy": round(scores.balanced_accuracy(decoded, truth), 4),
        "likeliest_accuracy": round(scores.balanced_accuracy(likeliest, truth), 4),
        "macro_f1": round(scores.macro_f1(decoded, truth), 4),
        "log_loss": round(scores.log_loss(probabilities, truth), 4),
        "delay_median": float(np.median(delays)) if len(delays) else None,
        "delay_mean": round(float(delays.mean()), 1) if len(delays) else None,
        "detected": len(delays),
        "missed": missed,
        "switches": round(scores.switches_per_30_days(decoded), 2),
        "false_alarms": round(scores.false_alarms_per_30_days(decoded, truth), 2),
        "true_switches": round(scores.switches_per_30_days(truth), 2),
        "named_wrongly": scores.named_wrongly(decoded, truth),
    }


def markdown(results: dict[str, Any]) -> str:
    """The table of the results, one block a market and fit length."""
    blocks = []
    for group in results["groups"]:
        rows = group["rows"]
        truth = _mean(rows[ORACLE], "true_switches")
        title = (
            f"{group['market']} market, fitted on {group['fit_days']} days, judged on the "
            f"{group['test_days']} after; {len(rows[ORACLE])} seeds "
            f"({results['seeds'][0]} to {results['seeds'][-1]}). The truth switches "
            f"{truth:.1f} times in 30 days."
        )
        lines = [_line(name, row, rows[ORACLE]) for name, row in rows.items()]
        blocks.append("\n".join([title, "", HEAD, "|---" * 13 + "|", *lines]))
    return "\n\n".join(blocks)


def _line(name: str, row: list[dict[str, Any]], oracle: list[dict[str, Any]]) -> str:
    accuracy = _values(row, "balanced_accuracy")
    share = accuracy.mean() / _mean(oracle, "balanced_accuracy")
    missed = _values(row, "missed").sum()
    switches = missed + _values(row, "detected").sum()
    wrong = int(_values(row, "named_wrongly").sum())
    cells = [
        name,
        f"{accuracy.mean():.3f} ± {accuracy.std(ddof=1) if len(row) > 1 else 0:.3f}",
        f"{share:.3f}",
        f"{_mean(row, 'likeliest_accuracy'):.3f}",
        f"{_mean(row, 'macro_f1'):.3f}",
        f"{_mean(row, 'log_loss'):.3f}",
        f"{_mean(row, 'delay_median'):.0f} / {_mean(row, 'delay_mean'):.0f}",
        f"{missed / max(switches, 1):.0%}",
        f"{_mean(row, 'switches'):.1f}",
        f"{_mean(row, 'false_alarms'):.1f}",
        f"{wrong} of {len(row)}",
        f"{_mean(row, 'fit_seconds'):.1f}" if "fit_seconds" in row[0] else "",
        f"{_mean(row, 'decode_microseconds'):.2f}" if "fit_seconds" in row[0] else "",
    ]
    return "| " + " | ".join(cells) + " |"


def _values(row: list[dict[str, Any]], key: str) -> np.ndarray:
    return np.array([np.nan if score[key] is None else score[key] for score in row], float)


def _mean(row: list[dict[str, Any]], key: str) -> float:
    values = _values(row, key)
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


if __name__ == "__main__":
    raise SystemExit(main())
