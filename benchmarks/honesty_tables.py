"""The table of the honesty bench.

Belongs here: counting verdicts, and bounds of the shares.  Does not belong here: any verdict.

A market counts as promoted if any of its regimes was released: three regimes are three chances.
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
        "| markets | true edge | judged | errors | traded | promoted | 95 % interval | "
        "most often stopped by |\n|---|---|---|---|---|---|---|---|"
    )
    rows = [_row(name, markets) for name, markets in by_family.items() if markets]
    return "\n".join([head, *rows])


def _row(name: str, markets: Sequence[Mapping[str, Any]]) -> str:
    whole = [one for one in markets if "error" not in one]
    released = sum(is_released(one) for one in whole)
    low, high = clopper_pearson(released, len(whole))
    cells = (
        name,
        "yes" if FAMILIES[name].true_edge else "no",
        str(len(whole)),
        str(len(markets) - len(whole)),
        str(sum(_traded(one) for one in whole)),
        f"{released} ({released / max(len(whole), 1):.0%})",
        f"{low:.1%} to {high:.1%}",
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


def clopper_pearson(successes: int, trials: int, *, level: float = 0.95) -> tuple[float, float]:
    """Exact interval of a share; one-sided at the whole level where none or all succeeded."""
    from scipy.stats import beta

    if trials == 0:
        return 0.0, 1.0
    miss = 1.0 - level
    tail = miss if successes in (0, trials) else miss / 2.0
    low = beta.ppf(tail, successes, trials - successes + 1) if successes else 0.0
    high = beta.ppf(1.0 - tail, successes + 1, trials - successes) if successes < trials else 1.0
    return float(low), float(high)


def _traded(market: Mapping[str, Any]) -> bool:
    return any(one.get("trades", 0) > 0 for one in market["partitions"].values())
