"""Step 13's loss alarm, how often it errs and how soon it helps: ``python -m benchmarks.drift``.

Belongs here: the experiment, its table and its record.  Does not belong here: the alarm itself
(``ares_assets/evidence/loss_drift.py``).

A year of a simulated market is labelled by the product and cut into development, calibration and
holdout.  For each regime of the truth the linear expert is fitted on development with what the
signal's law says is worth knowing (its filtered value and two past returns), calibrated on
calibration and frozen; then its losses are watched through the holdout as step 13 does.  NULL has
nothing to lose and CONSISTENT keeps its edge: every alarm there is false.  In DRIFT the edge dies
a third of the way through the holdout ("late") or with its first bar ("at once").  Beside it stands
ADWIN as it comes (delta .002, squared error of every decision, from the holdout's first on).
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from ares_assets.analyst.dataset import Examples, from_events
from ares_assets.analyst.events import labelled_events
from ares_assets.analyst.experts.base import get_expert
from ares_assets.analyst.scores import auc
from ares_assets.evidence.calibrators import fit_calibrator
from ares_assets.evidence.loss_drift import loss_stream, paired_losses, prequential_drift
from ares_assets.release.holdout_drift import base_rate, refolded
from ares_resources.exchanges.simulated import recipe as law
from ares_resources.exchanges.simulated import simulate
from ares_resources.exchanges.simulated.market import SimulatedMarket
from ares_resources.exchanges.simulated.symbols import LABORATORY
from ares_resources.provenance import code_fingerprint, library_versions
from ares_resources.settings import LabelSettings, Settings
from benchmarks.arguments import add_results, add_seeds
from benchmarks.measuring import machine
from benchmarks.pages import put_table, write_results

DAY, DAYS, WARMUP = 1_440, 365, 5
LATE = 0.35  # share of the holdout that is past when the edge dies
# Name: horizon and distance of decisions in bars, shares of development and calibration.
SETTINGS = {"H=60": (60, 10, 0.7, 0.1), "H=15": (15, 15, 0.6, 0.1)}
MARKETS = {
    "NULL": ("NULL", 0.0),
    "CONSISTENT": ("CONSISTENT", 0.0),
    "DRIFT, late": ("DRIFT", LATE),
    "DRIFT, at once": ("DRIFT", 0.0),
}
MARK = "bench-drift"
HEAD = (
    "| settings | market | streams | blocks before / watched | AUC | alarmed | 95 % | "
    "days to the alarm, median (90 %) | false before the break | ADWIN as it comes |"
)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code.  Results stand after each market."""
    chosen = _parser().parse_args(arguments)
    results: dict[str, Any] = {
        "command": "python -m benchmarks.drift " + " ".join(arguments or sys.argv[1:]),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "code": code_fingerprint(),
        "seeds": [1, chosen.seeds],
        "versions": library_versions(),
        "machine": machine(),
        "runs": [],
    }
    for market in chosen.markets:
        for name in chosen.settings:
            found = [watched(market, seed, name) for seed in range(1, chosen.seeds + 1)]
            streams = [one for regimes in found for one in regimes]
            results["runs"].append({"settings": name, "market": market, **columns(streams)})
            print(_line(results["runs"][-1]), file=sys.stderr, flush=True)
            if chosen.out:
                write_results(chosen.out, results)
    print(markdown(results))
    if chosen.page:
        put_table(chosen.page, MARK, markdown(results))
    return 0


def watched(market: str, seed: int, name: str) -> list[dict[str, Any]]:
    """One record a regime of the truth.

    ``day`` is that of the first alarm, counted from the break (from the holdout's start where
    nothing breaks), ``early`` whether one came before it, ``plain`` whether ADWIN as it comes has
    any.
    """
    horizon, every, development, calibration = SETTINGS[name]
    changes = {"horizon_bars": horizon, "event_every_bars": every}
    labels = Settings().labels.model_copy(update=changes)
    cut = int((WARMUP + DAYS * development) * DAY)
    held = int((WARMUP + DAYS * (development + calibration)) * DAY)
    end = (WARMUP + DAYS) * DAY
    known, share = MARKETS[market]
    recipe, broken = LABORATORY[known], held + int(share * (end - held))
    if recipe.break_ms is not None:
        at = law.GENESIS_MS + broken * law.MINUTE_MS
        recipe = dataclasses.replace(recipe, break_ms=at)
    simulated = simulate(recipe, seed=seed, minutes=end)
    frame, inputs = simulated.bars(), _inputs(simulated)
    return [
        _record(_parts(frame, inputs, rows, (cut, held, end), labels), broken, seed)
        for rows in _rows(simulated)
    ]


def columns(streams: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The records as one list a figure: a short file, in order of seeds and regimes."""
    return {name: [one[name] for one in streams] for name in streams[0]}


def markdown(results: Mapping[str, Any]) -> str:
    """The table of the recorded runs."""
    first, last = results["seeds"]
    title = f"Seeds {first} to {last} of each market, a stream for each of its three regimes."
    rule = "|---" * (HEAD.count("|") - 1) + "|"
    return "\n".join([title, "", HEAD, rule, *map(_line, results["runs"])])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift", description=__doc__)
    parser.add_argument("--markets", nargs="+", choices=list(MARKETS), default=list(MARKETS))
    parser.add_argument("--settings", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    add_seeds(parser, first=None, count=100)
    add_results(parser, mark=MARK)
    return parser


def _inputs(market: SimulatedMarket) -> pd.DataFrame:
    """The signal as its law filters it out of the taker share, and two past returns."""
    from scipy.signal import lfilter
    from scipy.special import ndtri

    share = np.clip(market.taker_buy_share, 1e-9, 1 - 1e-9)
    memory = law.SIGNAL_PERSISTENCE
    signal = lfilter([np.sqrt(1 - memory**2)], [1, -memory], ndtri(share) / law.TAKER_LOADING)
    price = np.log(market.close)
    past = {f"return_{k}": price - np.r_[np.full(k, price[0]), price[:-k]] for k in (60, 240)}
    return pd.DataFrame({"signal": signal, **past})


def _rows(market: SimulatedMarket) -> list[np.ndarray]:
    later = market.regime[WARMUP * DAY :]
    return [WARMUP * DAY + np.flatnonzero(later == k) for k in range(len(law.REGIMES))]


def _parts(
    frame: pd.DataFrame,
    inputs: pd.DataFrame,
    rows: np.ndarray,
    ends: tuple[int, int, int],
    labels: LabelSettings,
) -> list[Examples]:
    """Development, calibration and holdout, each labelled on bars that end with it."""
    parts, start = [], 0
    for end in ends:
        inside = rows[(rows >= start) & (rows < end)]
        events = labelled_events(
            frame.iloc[:end], inside, settings=labels, timeframe_ms=law.MINUTE_MS
        )
        parts.append(from_events(events, inputs.iloc[events["row"]]))
        start = end
    return parts


def _record(parts: Sequence[Examples], broken: int, seed: int) -> dict[str, Any]:
    learnt, calibration, holdout = parts
    expert = get_expert("linear")
    # The default prior expects dozens of weak features; these few are known to matter.
    parameters = {**expert.default_parameters(), "prior_variance": 0.1}
    model = expert.fit(
        learnt.features, learnt.labels, learnt.weights, parameters=parameters, seed=0, threads=1
    )
    raw = model.probability(calibration.features)
    frozen = fit_calibrator("platt", raw, calibration.labels, calibration.weights)
    predicted = frozen.predict(model.probability(holdout.features))
    base = base_rate(learnt)
    again = refolded("platt", raw, calibration)
    before = loss_stream(
        paired_losses(again, calibration.labels, base), calibration.rows, calibration.t1_rows
    )
    stream = loss_stream(
        paired_losses(predicted, holdout.labels, base), holdout.rows, holdout.t1_rows
    )
    found = prequential_drift(stream.loss, reference=before.loss, seed=seed)
    days = [(int(stream.known_row[alarm]) - broken) / DAY for alarm in found.alarms]
    early = holdout.t1_rows < broken if broken > holdout.rows[0] else np.ones(len(holdout), bool)
    return {
        "blocks_before": len(before.loss),
        "blocks": len(stream.loss),
        "auc": round(auc(holdout.labels[early], predicted[early], holdout.weights[early]), 4),
        "delta": found.delta,
        "day": min((round(day, 2) for day in days if day >= 0), default=None),
        "early": int(min(days, default=0.0) < 0),
        "plain": int(_plain_alarms((predicted - holdout.labels) ** 2) > 0),
    }


def _plain_alarms(losses: np.ndarray) -> int:
    from river.drift import ADWIN

    detector = ADWIN()
    for loss in losses.tolist():
        detector.update(loss)
    return int(detector.n_detections)


def _line(run: Mapping[str, Any]) -> str:
    from scipy.stats import binomtest

    dies, count = run["market"].startswith("DRIFT"), len(run["day"])
    delays = [day for day in run["day"] if day is not None]
    low, high = binomtest(len(delays), count).proportion_ci(method="wilson")
    late = f"{np.median(delays):.0f} ({np.quantile(delays, 0.9):.0f})" if dies and delays else ""
    cells = [
        run["settings"],
        run["market"],
        f"{count}",
        f"{np.mean(run['blocks_before']):.0f} / {np.mean(run['blocks']):.0f}",
        f"{np.mean(run['auc']):.3f}",
        f"{len(delays) / count:.1%}",
        f"{low:.1%} to {high:.1%}",
        late,
        f"{np.mean(run['early']):.1%}" if dies else "",
        f"{np.mean(run['plain']):.1%}",
    ]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    raise SystemExit(main())
