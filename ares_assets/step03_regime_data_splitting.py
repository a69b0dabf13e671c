"""Step 3, Regime Data Splitting: this regime's bars and the role of each in time.

Belongs here: choosing rows, and skipping a partition that has too few.  Does not belong
here: how roles are cut (``market/windows.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ares_assets.engine import Result, StepSpec, Work
from ares_resources.errors import PartitionSkipped
from ares_resources.storage.artifacts import Artifact
from ares_resources.timeframes import timeframe_ms

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ares_assets.market.balance import Cell

# Of development: what else there is are stray bars.
_COLLAPSED_SHARE = 0.95


def regime_dataset(work: Work, market_data: Artifact, market_regimes: Artifact) -> Result:
    """Row numbers, timestamps and roles of the regime's bars."""
    import pandas as pd

    from ares_assets.market.balance import balance
    from ares_assets.market.roles import roles_of
    from ares_assets.market.splits import regime_rows

    frame, window = market_data.load(), market_data.metadata
    decided = market_regimes.load()["regimes.parquet"]["regime"].to_numpy()
    settings, regime = work.settings, work.request.regime
    roles = roles_of(frame, window, settings.window, settings.labels.horizon_bars)
    stamps = frame["timestamp"].to_numpy()
    cells = balance(
        stamps,
        roles,
        decided,
        horizon_bars=settings.labels.horizon_bars,
        step_ms=timeframe_ms(window["timeframe"]),
    )
    own = rows = regime_rows(roles, decided, regime)
    own_events = events = _development_events(work, window, stamps, roles, own)
    pooled = events < settings.regimes.minimum_events and settings.regimes.when_too_few == "pool"
    if pooled:
        rows = _pooled(roles, decided, own)
        events = _development_events(work, window, stamps, roles, rows)
    if events < settings.regimes.minimum_events:
        raise PartitionSkipped(_too_few(work, window, cells, events, pooled=pooled))
    data = pd.DataFrame({"row": rows, "timestamp": stamps[rows], "role": roles[rows]})
    degraded = (_pooling(work, own_events, events),) if pooled else ()
    metadata = {
        "bars": len(rows),
        "development_events": events,
        "pooled": pooled,
        **_described(work, window, stamps, roles, cells),
        "picture": _picture(work, window, frame, rows),
    }
    return Result(data, metadata, degraded)


def _described(
    work: Work, window: Mapping[str, Any], stamps: np.ndarray, roles: np.ndarray, cells: list[Cell]
) -> dict[str, Any]:
    """The window's roles and purge gaps, and the regime's balance and weaknesses.

    A holdout without this regime is told here and skips the partition only at step 13: what
    is trained may not depend on what the holdout holds.
    """
    from ares_assets.market.balance import figures, weaknesses
    from ares_assets.market.spans import purge_gaps, role_spans

    cut = (roles, window, work.settings.window, work.settings.labels.horizon_bars)
    return {
        "time_roles": role_spans(*cut),
        "purge_gaps": purge_gaps(stamps, *cut),
        **figures(cells, work.request.regime),
        "weaknesses": weaknesses(cells, work.request.regime, days=window["window_days"]),
    }


def _picture(work: Work, window: Mapping[str, Any], frame: pd.DataFrame, rows: np.ndarray) -> str:
    from ares_assets.market.roles import cuts_of
    from ares_assets.pictures import split_picture

    stamps, close = frame["timestamp"].to_numpy(), frame["close"].to_numpy()
    start = int(stamps.searchsorted(window["window_start_ms"]))
    return split_picture(
        stamps[start:],
        close[start:],
        rows - start,
        work.request.regime,
        cuts_of(window, work.settings.window),
    )


def _pooled(roles: np.ndarray, decided: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Development rows of every regime; what the model is judged on stays this regime's."""
    import numpy as np

    from ares_assets.market.splits import regime_rows

    everything = regime_rows(roles, decided, None)
    learnt = everything[roles[everything] == "development"]
    return np.union1d(learnt, own)


def _development_events(
    work: Work, window: Mapping[str, Any], stamps: np.ndarray, roles: np.ndarray, rows: np.ndarray
) -> int:
    from ares_assets.analyst.labels import sample_events

    development = rows[roles[rows] == "development"]
    return len(
        sample_events(
            stamps,
            development,
            every_bars=work.settings.labels.event_every_bars,
            timeframe_ms=timeframe_ms(window["timeframe"]),
        )
    )


def _pooling(work: Work, own_events: int, events: int) -> str:
    return (
        f"trained on all regimes ({events} decisions), since {work.request.regime} alone has "
        f"{own_events} and {work.settings.regimes.minimum_events} are needed"
    )


def _too_few(
    work: Work, window: Mapping[str, Any], cells: list[Cell], events: int, *, pooled: bool
) -> str:
    """Why the partition is skipped: what there is, what is needed, and what would help."""
    from ares_assets.market.balance import cell
    from ares_assets.market.pace import longer_window

    collapsed = _collapse(work, cells)
    if collapsed:
        return f"{events} {work.request.regime} decisions: {collapsed}"
    needed, regime = work.settings.regimes.minimum_events, work.request.regime
    days = window["window_days"]
    own = cell(cells, regime, "development")
    held = f"{own.bars} bars in {own.episodes} stays, {own.share:.0%} of development"
    kind, other = ("pooled", "") if pooled else (regime, ", or regimes.when_too_few: pool")
    return (
        f"{events} {kind} decisions in the development part of {days:.0f} days "
        f"({regime}: {held}), {needed} are needed; {longer_window(events, needed, days)}{other}"
    )


def _collapse(work: Work, cells: list[Cell]) -> str:
    """That nearly all of development has one regime, if so, and what would help."""
    from ares_assets.market.regimes.registry import ALGORITHM_NAMES

    largest = max((c for c in cells if c.role == "development"), key=lambda c: c.share)
    if largest.share < _COLLAPSED_SHARE or largest.regime == work.request.regime:
        return ""
    share = "all" if largest.share == 1 else f"{largest.share:.1%}"
    settings = work.settings.regimes
    others = [name for name in ALGORITHM_NAMES if name != settings.algorithm]
    return (
        f"{share} of the development bars are {largest.regime}, so "
        f"{settings.algorithm} tells no regimes apart on them, and more bars may not either; "
        f"try another regimes.algorithm ({', '.join(others)}), or --regime {largest.regime}"
    )


SPEC = StepSpec(
    number=3,
    name="regime_dataset",
    title="Regime Data Splitting",
    description="This regime's bars, each with its role: development, calibration, holdout.",
    group="market",
    kind="frame",
    inputs=("market_data", "market_regimes"),
    uses=("regimes", "window", "labels"),
    function=regime_dataset,
)
