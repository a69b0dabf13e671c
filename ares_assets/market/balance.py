"""How much each regime can teach in each role of time, and where it is weak.

Belongs here: bars, episodes, effective sample and shares, as rows of a table; how even the
shares are and how far they drift; weaknesses in words.  Does not belong here: choosing rows
(``splits.py``), thresholds that skip or fail a partition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ares_assets.market.pace import longer_window
from ares_assets.market.regimes.base import REGIMES
from ares_assets.market.splits import WINDOW_ROLES
from ares_resources.errors import BadInput
from ares_resources.settings import CheckSettings

# Below as many independent outcomes no share of winners can be told from one half: the usual
# least size of a sample for a normal approximation.
FEW_HORIZONS = 30
# A regime whose share falls to a quarter of what it was in development has all but gone.
FADED = 0.25
_JUDGES = {"calibration": "step 11 calibrates", "holdout": "steps 13 to 15 judge"}


@dataclass(frozen=True)
class Cell:
    """One regime in one role of time.

    ``share``: of the role's bars.  ``episodes``: unbroken runs of rows within the role.
    ``effective_sample``: how many label horizons fit without overlapping, counted in time
    across episodes; the labels of a regime hold at most as many independent outcomes.
    """

    regime: str
    role: str
    bars: int
    share: float
    episodes: int
    effective_sample: int


def balance(
    timestamps: NDArray[np.int64],
    roles: NDArray[np.object_],
    regimes: NDArray[np.object_],
    *,
    horizon_bars: int,
    step_ms: int,
) -> list[Cell]:
    """Nine cells: each regime in development, calibration and holdout.

    Parameters
    ----------
    timestamps, roles, regimes
        Of every bar, ascending in time, shape (n,).
    horizon_bars, step_ms
        Label horizon in bars, and the length of a bar in ms.

    Raises
    ------
    BadInput
        If roles and regimes differ in length.
    """
    if len(roles) != len(regimes):
        raise BadInput(f"{len(roles)} roles for {len(regimes)} regimes; one of each per bar")
    # Numbers for names: comparing half a million strings eighteen times takes seconds.
    role_of = pd.Categorical(roles, categories=WINDOW_ROLES).codes
    regime_of = pd.Categorical(regimes, categories=REGIMES).codes
    total = np.bincount(role_of[role_of >= 0], minlength=len(WINDOW_ROLES))
    cells = []
    for i, regime in enumerate(REGIMES):
        for j, role in enumerate(WINDOW_ROLES):
            own = np.flatnonzero((regime_of == i) & (role_of == j))
            cells.append(
                Cell(
                    regime,
                    role,
                    bars=len(own),
                    share=round(len(own) / max(1, int(total[j])), 4),
                    episodes=int((np.diff(own) != 1).sum()) + 1 if len(own) else 0,
                    effective_sample=horizons(timestamps[own], horizon_bars * step_ms),
                )
            )
    return cells


def horizons(timestamps: NDArray[np.int64], span_ms: int) -> int:
    """The most bars (opens, ascending ms) of which no two lie closer than ``span_ms``."""
    count, position = 0, 0
    while position < len(timestamps):
        count += 1
        position = int(np.searchsorted(timestamps, timestamps[position] + span_ms))
    return count


def cell(cells: Sequence[Cell], regime: str, role: str) -> Cell:
    """The one of a regime and role."""
    return next(c for c in cells if (c.regime, c.role) == (regime, role))


def evenness(cells: Sequence[Cell], role: str) -> float:
    """Entropy of the regimes' shares in a role over that of equal shares; 1 even, 0 one alone."""
    shares = np.array([c.share for c in cells if c.role == role and c.share > 0])
    if len(shares) < 2:
        return 0.0
    return round(float(-(shares * np.log(shares)).sum() / np.log(len(REGIMES))), 4)


def drift(cells: Sequence[Cell], role: str) -> float:
    """Share of the role's bars that would have to change regime to match development."""
    moved = (
        abs(c.share - cell(cells, c.regime, "development").share) for c in cells if c.role == role
    )
    return round(sum(moved) / 2, 4)


def figures(cells: Sequence[Cell], regime: str) -> dict[str, Any]:
    """The table, this regime's effective samples, and how even and how stable the shares are."""
    own = [cell(cells, regime, role) for role in WINDOW_ROLES]
    return {
        **{f"{c.role}_bars": c.bars for c in own},
        **{f"{c.role}_effective_sample": c.effective_sample for c in own},
        **{f"{role}_evenness": evenness(cells, role) for role in WINDOW_ROLES},
        **{f"{role}_drift": drift(cells, role) for role in WINDOW_ROLES[1:]},
        "balance": rows(cells),
    }


def rows(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """The cells as rows of a table."""
    return [asdict(c) for c in cells]


def balance_faults(
    cells: Sequence[Cell], switches_per_30_days: float, tolerated: CheckSettings
) -> list[str]:
    """Which regimes are too thin in development, and a pace that no market has, in words."""
    learnt = [c for c in cells if c.role == "development"]
    present = [c for c in learnt if c.bars]
    if len(present) == 1:
        return [f"the regimes collapsed: every development bar is {present[0].regime}"]
    faults = []
    for c in learnt:
        if c.share < tolerated.minimum_regime_share:
            faults.append(
                f"{c.regime} is {c.share:.1%} of development, {c.bars} bars "
                f"(checks.minimum_regime_share: {tolerated.minimum_regime_share:.0%})"
            )
        if c.episodes < tolerated.minimum_regime_episodes:
            faults.append(
                f"stays in {c.regime} in development: {c.episodes} "
                f"(checks.minimum_regime_episodes: {tolerated.minimum_regime_episodes})"
            )
    low, high = tolerated.switches_per_30_days
    if not low <= switches_per_30_days <= high:
        faults.append(
            f"{switches_per_30_days:g} switches of regime in 30 days "
            f"(checks.switches_per_30_days: {low:g} to {high:g})"
        )
    return faults


def weaknesses(cells: Sequence[Cell], regime: str, *, days: float) -> list[str]:
    """Where this regime is too thin to be trained, calibrated or judged on, in plain words.

    ``days``: length of the window, for the advice.
    """
    learnt = cell(cells, regime, "development")
    found = []
    if learnt.effective_sample < FEW_HORIZONS:
        found.append(
            f"development holds {learnt.bars} {regime} bars, {learnt.effective_sample} independent "
            f"label horizons: few to learn from; {_advice(learnt, days)}"
        )
    for role, use in _JUDGES.items():
        later = cell(cells, regime, role)
        if later.effective_sample < FEW_HORIZONS:
            found.append(
                f"{use} on {role}, which holds {later.bars} {regime} bars, "
                f"{later.effective_sample} independent label horizons where {FEW_HORIZONS} tell "
                f"something (development holds {learnt.bars} bars); {_advice(later, days)}"
            )
        elif later.share < FADED * learnt.share:
            found.append(
                f"{regime} fades: {learnt.share:.0%} of development, {later.share:.0%} of {role}; "
                "the market has changed, and a later --as-of may show whether it stays so"
            )
    return found


def _advice(thin: Cell, days: float) -> str:
    if not thin.effective_sample:
        return "a longer window (--lookback-days) or another --as-of may hold some"
    return longer_window(thin.effective_sample, FEW_HORIZONS, days)
