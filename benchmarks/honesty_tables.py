"""The table of the honesty bench.

Belongs here: counting verdicts, and bounds of the shares.  Does not belong here: any verdict.

A market counts as promoted if any of its regimes was released: three regimes are three chances.
One whose every regime was skipped could not be promoted: that is no evidence where nothing should
be, so it does not count there, and a failure where a true edge should be found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.honesty_markets import FAMILIES


def markdown(results: Mapping[str, Any]) -> str:
    """One row a family that has markets, and what stopped the partitions that were not released."""
    by_family = {
        name: [one for one in results["markets"] if one["family"] == name] for name in FAMILIES
    }
    head = (
        "| markets | true edge | judged | skipped | errors | traded | promoted | 95 % bound | "
        "calibrated | most often stopped by |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    rows = [_row(name, markets) for name, markets in by_family.items() if markets]
    return "\n".join([head, *rows])


def _row(name: str, markets: Sequence[Mapping[str, Any]]) -> str:
    ended = [one for one in markets if "error" not in one]
    edge = FAMILIES[name].true_edge
    whole = [one for one in ended if edge or not _skipped(one)]
    released = sum(is_released(one) for one in whole)
    bound = lower_bound(released, len(whole)) if edge else upper_bound(released, len(whole))
    cells = (
        name,
        "yes" if edge else "no",
        str(len(whole)),
        str(sum(_skipped(one) for one in ended)),
        str(len(markets) - len(ended)),
        str(sum(_traded(one) for one in whole)),
        f"{released} ({released / max(len(whole), 1):.0%})",
        f"at {'least' if edge else 'most'} {bound:.1%}",
        _calibrated(whole),
        ", ".join(f"{row} {count}" for row, count in stopped_by(whole).most_common(4)),
    )
    return "| " + " | ".join(cells) + " |"


def is_released(market: Mapping[str, Any]) -> bool:
    """Whether any regime of a market was."""
    return any(one.get("released") for one in market["partitions"].values())


def stopped_by(markets: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """Partitions that each required row of the gate stopped, trial counts left out of its name."""
    return Counter(
        row.split(" (")[0]
        for market in markets
        for one in market["partitions"].values()
        for row in one.get("failed", ())
        if not one.get("released")
    )


def upper_bound(successes: int, trials: int, *, level: float = 0.95) -> float:
    """What a share does not exceed, one-sided and exact (Clopper and Pearson, 1934)."""
    from scipy.stats import beta

    if successes == trials:
        return 1.0
    return float(beta.ppf(level, successes + 1, trials - successes))


def lower_bound(successes: int, trials: int, *, level: float = 0.95) -> float:
    """What a share does not fall below, one-sided and exact."""
    return 1.0 - upper_bound(trials - successes, trials, level=level)


def _calibrated(markets: Sequence[Mapping[str, Any]]) -> str:
    """Share of partitions whose probabilities were within noise on the holdout."""
    answers = [one.get("calibration_within_noise") for m in markets for one in _partitions(m)]
    known = [answer for answer in answers if answer is not None]
    return f"{sum(known) / len(known):.0%} of {len(known)}" if known else "none judged"


def _partitions(market: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(market["partitions"].values())


def _skipped(market: Mapping[str, Any]) -> bool:
    return all(one["verdict"] == "skipped" for one in _partitions(market))


def _traded(market: Mapping[str, Any]) -> bool:
    return any(one.get("trades", 0) > 0 for one in market["partitions"].values())
