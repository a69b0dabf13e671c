"""``ares rollout``: show a rollout, feed it live results, take it back.

Belongs here: the order in which results, plan, release and alias move, so that a process killed
anywhere leaves something that the next one finishes.  Does not belong here: the plan's steps
(``evidence/rollout.py``), reading files (``live_feed.py``), printing (``cli_output.py``).

The order is: live results, plan, release, alias.  Each is published whole before the next, and
each command first finishes what an earlier one left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ares_resources.errors import EXIT_DONE, EXIT_PARTIAL, BadInput
from ares_resources.home import Home
from ares_resources.symbols import SymbolKey

if TYPE_CHECKING:
    import pandas as pd

    from ares_assets.evidence.live_results import LiveFigures
    from ares_assets.evidence.rollout import RolloutPlan
    from ares_resources.storage.releases import ReleaseStore
    from ares_resources.storage.rollouts import RolloutStore


@dataclass(frozen=True)
class RolloutView:
    """Where the rollout of a partition stands.

    ``status`` is "running", "completed", "rolled_back", or "none" where a version serves all
    without one.  ``shares`` are of capital by version; what is left of 1 does not trade.
    ``days``, ``trades`` are the stage's, ``drawdown`` and ``p_worse`` since the beginning.
    """

    partition: str
    model: str
    rest: str | None
    status: str
    stage: float
    shares: Mapping[str, float]
    reason: str
    history: tuple[str, ...] = ()
    days: float = 0.0
    minimum_days: float = 0.0
    trades: int = 0
    minimum_trades: int = 0
    drawdown: float = 0.0
    maximum_drawdown: float = 0.0
    p_worse: float = 1.0
    live_from_ms: int = 0
    rows: int = 0
    new_rows: int = 0
    alias: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)


def exit_code(views: list[RolloutView]) -> int:
    """3 where the latest rollout of a partition was rolled back, else 0."""
    back = any(view.status == "rolled_back" for view in views)
    return EXIT_PARTIAL if back else EXIT_DONE


def rollouts(
    home: Home,
    key: SymbolKey,
    regimes: list[str] | None,
    *,
    feed: Path | None = None,
    rollback: str | None = None,
) -> list[RolloutView]:
    """Show, feed or take back; each partition that has a release gives one view.

    Raises
    ------
    BadInput
        For an unknown regime, a feed or a rollback that is not of one partition with a
        release, a feed that is not usable, or a rollback without a reason.
    """
    from ares_assets.partitions import REGIMES, check_regime
    from ares_jobs.live_feed import read_feed
    from ares_resources.storage.releases import ReleaseStore

    named = [check_regime(name) for name in dict.fromkeys(regimes or REGIMES)]
    stores = {name: ReleaseStore(home.releases, key.folder, name) for name in named}
    released = {name: store for name, store in stores.items() if store.latest_rollout()}
    if feed is not None or rollback is not None:
        _check_one(key, named, released, "--feed" if feed is not None else "--rollback")
    if rollback is not None and not rollback.strip():
        raise BadInput("--rollback '' gives no reason; allowed: a few words")
    rows = None if feed is None else (feed, read_feed(feed))
    return [
        _moved(home, store, f"{name}|{key}", rows, rollback) for name, store in released.items()
    ]


def _check_one(key: SymbolKey, named: list[str], released: Mapping[str, Any], option: str) -> None:
    if len(released) != 1:
        found = ", ".join(released) or "none"
        raise BadInput(
            f"{option} needs one released regime of {key}, and of {', '.join(named)} there are "
            f"{found}; allowed: --regime with one that was released"
        )


def _moved(
    home: Home,
    store: ReleaseStore,
    partition: str,
    feed: tuple[Path, pd.DataFrame] | None,
    rollback: str | None,
) -> RolloutView:
    from ares_jobs.released_alias import follow_release
    from ares_resources.storage.rollouts import RolloutStore, rollout_lock

    with rollout_lock(store.root):
        sha256 = str(store.latest_rollout())
        kept = RolloutStore(store.root, sha256)
        if kept.state() is None:
            view = _without_plan(store, partition, sha256, feed, rollback)
        else:
            view = _with_plan(store, partition, kept, feed, rollback)
        return replace(view, alias=follow_release(home, store, partition, view.model))


def _without_plan(
    store: ReleaseStore, partition: str, sha256: str, feed: Any, rollback: str | None
) -> RolloutView:
    """A version from before there were rollouts: it serves all, and can only be taken back."""
    if feed is not None:
        raise BadInput(f"{partition}: {sha256[:16]} serves all without a rollout; none to feed")
    if rollback is not None:
        store.roll_back(sha256, f"by hand: {rollback}")
    reason = store.withdrawn(sha256)
    status = "none" if reason is None else "rolled_back"
    words = reason or "it serves all, without a rollout"
    stage = 100.0 if reason is None else 0.0
    return RolloutView(partition, sha256, store.rest(), status, stage, store.shares(), words)


def _with_plan(
    store: ReleaseStore,
    partition: str,
    kept: RolloutStore,
    feed: tuple[Path, pd.DataFrame] | None,
    rollback: str | None,
) -> RolloutView:
    from ares_assets.evidence.rollout import advance, plan_from_dict, roll_back

    state = kept.state() or {}
    before = plan = plan_from_dict(state["plan"])
    new = 0
    if feed is not None and plan.status != "rolled_back":
        new = _append(store, kept, state, feed)
    rows = len(kept.live())
    if rows > state["seen_rows"]:
        plan = advance(plan, _figures(kept, state).result)
    if rollback is not None:
        plan = roll_back(plan, rollback)
    # A new stage begins after all rows that moved it there.
    stage_row = rows if plan.stage != before.stage else state["stage_row"]
    state = {**state, "plan": plan.as_dict(), "seen_rows": rows, "stage_row": stage_row}
    if state != kept.state():
        kept.write(state)
    if plan.status == "rolled_back":
        store.roll_back(kept.sha256, plan.reason)
    else:
        store.set_share(kept.sha256, plan.share)
    return _view(store, partition, kept, plan, state, new)


def _view(
    store: ReleaseStore,
    partition: str,
    kept: RolloutStore,
    plan: RolloutPlan,
    state: Mapping[str, Any],
    new: int,
) -> RolloutView:
    figures = _figures(kept, state)
    return RolloutView(
        partition=partition,
        model=kept.sha256,
        rest=store.rest(),
        status=plan.status,
        stage=100.0 * plan.share,
        shares=store.shares(),
        reason=store.withdrawn(kept.sha256) or plan.reason or "no live results yet",
        history=plan.history,
        days=figures.result.days,
        minimum_days=plan.minimum_days,
        trades=figures.result.trades,
        minimum_trades=plan.minimum_trades,
        drawdown=figures.result.drawdown,
        maximum_drawdown=plan.maximum_drawdown,
        p_worse=figures.p_worse,
        live_from_ms=state["live_from_ms"],
        rows=state["seen_rows"],
        new_rows=new,
    )


def _append(
    store: ReleaseStore,
    kept: RolloutStore,
    state: Mapping[str, Any],
    feed: tuple[Path, pd.DataFrame],
) -> int:
    from ares_jobs.live_feed import as_live_rows

    path, frame = feed
    rows = as_live_rows(
        frame,
        path,
        sha256=kept.sha256,
        alone=store.rest() is None,
        live_from_ms=state["live_from_ms"],
    )
    return kept.append(rows)


def _figures(kept: RolloutStore, state: Mapping[str, Any]) -> LiveFigures:
    from ares_assets.evidence.live_results import LiveReturns, live_figures

    frame = kept.live()
    live = LiveReturns(
        stamps=frame["timestamp"].to_numpy(),
        challenger=frame["challenger_return"].to_numpy(),
        champion=frame["champion_return"].to_numpy(),
        trades=frame["trades"].to_numpy(),
        degraded=frame["degraded"].to_numpy(),
    )
    return live_figures(live, stage_row=state["stage_row"], level=state["level"])
