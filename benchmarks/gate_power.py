"""What each row of the release gate costs in power, on returns whose truth is known.

Belongs here: markets of normal daily returns, the product's own gate on them, one table.  Does
not belong here: whole pipelines on simulated markets (``honesty.py``).

    python -m benchmarks.gate_power [--markets 600]

A market is thirty parameter sets on development, one of them with a true annual Sharpe ratio,
uncorrelated with the rest; the best of development is judged on the holdout.  Dearer costs take
a quarter of the true edge; ruin, drift and trades are taken as met.
"""

from __future__ import annotations

import argparse
import math
import sys

import numpy as np

from ares_assets.evidence.gate import release_gate
from ares_assets.evidence.gate_evidence import Comparison, GateEvidence
from ares_assets.evidence.overfitting import probability_of_overfitting
from ares_assets.evidence.sequential import always_valid_test
from ares_assets.evidence.sharpe_tests import (
    deflated_sharpe_ratio,
    minimum_track_record_length,
    null_trial_variance,
    sharpe_moments,
)
from ares_resources.settings import GateSettings
from benchmarks.arguments import whole

SETS = 30
WINDOWS = ((255, 73), (219, 110))
"""Days of development and holdout of a year: the default window, and one of 0.6 / 0.1 / 0.3."""
SHARPES = (0.0, 6.0, 8.0, 10.0)
_DEVIATION = 0.02


def evidence(seed: int, sharpe: float, development: int, holdout: int) -> GateEvidence:
    """What the gate is told of one market."""
    edge = _DEVIATION * sharpe / math.sqrt(365)
    rng = np.random.default_rng([seed, 17])
    sample = rng.normal(0.0, _DEVIATION, (development + holdout, SETS))
    sample[:, 0] += edge
    searched = sample[:development]
    best = int((searched.mean(axis=0) / searched.std(axis=0)).argmax())
    judged = sample[development:, best]
    chance = probability_of_overfitting(searched, blocks=10)
    moments, test = sharpe_moments(judged), always_valid_test(judged)
    annual = moments.sharpe * math.sqrt(365)
    return GateEvidence(
        deflated_development=deflated_sharpe_ratio(
            sharpe_moments(searched[:, best]),
            trials=SETS,
            trial_variance=null_trial_variance(development),
        ),
        trials=SETS,
        deflated_holdout=deflated_sharpe_ratio(
            moments, trials=1, trial_variance=null_trial_variance(holdout)
        ),
        looks=1,
        overfitting=chance.probability,
        loss_probability=chance.loss_probability,
        distinct_sets=SETS,
        ruin_share=0.0,
        return_costs_stressed=float((judged - 0.25 * edge).sum()),
        return_latency_stressed=float(judged.sum()),
        trades=200,
        days=float(holdout),
        annual_sharpe=annual,
        track_record_days=minimum_track_record_length(moments),
        comparisons=(Comparison("no trade", test.decision, test.p_value, annual),),
        drift_alarms=0,
        drift_level=0.05,
        drift_unjudged=None,
    )


def rows_passed(
    markets: int, sharpe: float, development: int, holdout: int
) -> dict[str, np.ndarray]:
    """Which markets pass each required row, (markets,) bool by row."""
    found: dict[str, list[bool]] = {}
    for seed in range(markets):
        told = evidence(seed, sharpe, development, holdout)
        for row in release_gate(told, GateSettings(), []).rows:
            if row.required:
                found.setdefault(row.name, []).append(row.passed)
    return {name: np.array(passed) for name, passed in found.items()}


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gate_power",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--markets", type=whole(1, 100_000), default=600)
    markets = parser.parse_args(arguments).markets
    for development, holdout in WINDOWS:
        columns = [rows_passed(markets, sharpe, development, holdout) for sharpe in SHARPES]
        heads = " | ".join(f"Sharpe {sharpe:g}" for sharpe in SHARPES)
        lines = [f"| holdout of {holdout} days | {heads} |", "|---|" + "---|" * len(SHARPES)]
        promoted = [np.logical_and.reduce(list(column.values())).mean() for column in columns]
        lines.append("| promoted | " + " | ".join(f"{share:.3f}" for share in promoted) + " |")
        for name in columns[0]:
            cells = []
            for column in columns:
                rest = [passed for other, passed in column.items() if other != name]
                without = np.logical_and.reduce(rest).mean()
                cells.append(f"{column[name].mean():.3f} ({without:.3f})")
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        sys.stdout.write("\n".join(lines) + "\n\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
