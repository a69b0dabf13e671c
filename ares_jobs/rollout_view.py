"""Where the rollout of a version stands, for people and for programs.

Belongs here: putting together what release, plan and live results say, and bringing a plan up
to a withdrawal.  Does not belong here: moving a rollout on (``rollout_moves.py``) or back
(``rollback.py``), and printing (``cli_output.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from ares_resources.errors import BadInput, CorruptArtifact

if TYPE_CHECKING:
    import pandas as pd

    from ares_assets.evidence.live_results import LiveFigures
    from ares_assets.evidence.rollout import RolloutPlan
    from ares_resources.storage.releases import ReleaseStore
    from ares_resources.storage.rollouts import RolloutStore


@dataclass(frozen=True)
class RolloutView:
    """Where the rollout of a version stands.

    ``status`` is "running", "completed", "rolled_back", "superseded" where another version was
    promoted meanwhile, "none" where a version serves all without a rollout, or "damaged" where
    what is stored cannot be read.  ``shares`` are of capital by version; what is left of 1 does
    not trade; they and ``stage`` are None where not even the release can be read, and ``model``
    is empty.  ``days``, ``trades`` are the
    stage's, ``drawdown`` and ``p_worse`` since the beginning; ``missing_days`` the days without
    a row between the first and the last.  ``note`` says what could not be read or brought up to
    date of a version that was taken back, empty where nothing is amiss.
    """

    partition: str
    model: str
    rest: str | None
    status: str
    stage: float | None
    shares: Mapping[str, float] | None
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
    missing_days: int = 0
    alias: str = ""
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)


def view_of(store: ReleaseStore, partition: str, sha256: str, *, new_rows: int = 0) -> RolloutView:
    """The view of a version that is, or was, released.

    Raises
    ------
    CorruptArtifact
        If its plan or results are damaged and it was not taken back: of one that was, the
        release alone says all that matters, and ``note`` says the rest.
    """
    view = _of_release(store, partition, sha256)
    try:
        return _with_plan(store, view, new_rows)
    except CorruptArtifact as damage:
        if view.status != "rolled_back":
            raise
        return replace(view, note=str(damage))


def damaged_view(store: ReleaseStore, partition: str, damage: CorruptArtifact) -> RolloutView:
    """The view of a partition that cannot be looked at: what the release says, and the damage."""
    lost = RolloutView(partition, "", None, "damaged", None, None, "it cannot be read")
    try:
        sha256 = store.live_version() or store.latest_rollout()
        view = lost if sha256 is None else _of_release(store, partition, sha256)
    except CorruptArtifact:
        view = lost
    if view is not lost:
        view = replace(view, status="damaged", reason="it serves on by the release alone")
    return replace(view, alias="not looked at", note=str(damage))


def plan_of(kept: RolloutStore) -> tuple[dict[str, Any], RolloutPlan] | None:
    """State and plan of a version; None where it had no rollout.

    Raises
    ------
    CorruptArtifact
        If they are damaged.
    """
    from ares_assets.evidence.rollout import plan_from_dict

    state = kept.state()
    if state is None:
        return None
    try:
        return state, plan_from_dict(state["plan"])
    except (BadInput, TypeError, ValueError, AttributeError) as error:
        raise CorruptArtifact(f"rollout.json in {kept.root} holds no plan: {error}") from error


def follow_withdrawal(store: ReleaseStore, sha256: str) -> None:
    """Let the plan of a version that the release has withdrawn say so too.

    Raises
    ------
    CorruptArtifact
        If the plan is damaged.
    """
    from ares_assets.evidence.rollout import roll_back
    from ares_resources.storage.rollouts import RolloutStore

    kept, reason = RolloutStore(store.root, sha256), store.withdrawn(sha256)
    found = plan_of(kept)
    if reason is None or found is None or found[1].status == "rolled_back":
        return
    state, plan = found
    back = roll_back(plan, reason).as_dict()
    kept.write({**state, "plan": back, "seen_rows": len(kept.live())})


def refuse_lost_plan(store: ReleaseStore, sha256: str) -> None:
    """A version without a plan serves all, as before there were rollouts, or its plan is lost.

    Raises
    ------
    CorruptArtifact
        If it serves a part.
    """
    share = store.shares().get(sha256, 1.0)
    if share < 1.0:
        raise CorruptArtifact(
            f"{sha256[:16]} serves {share:.0%}, but rollouts/{sha256[:16]}/rollout.json in "
            f"{store.root} is gone; restore a copy"
        )


def figures_of(frame: pd.DataFrame, state: Mapping[str, Any]) -> LiveFigures:
    """What rows of live results show, by the stage and the level of a state.

    Raises
    ------
    BadInput
        If they cannot be compounded.
    """
    from ares_assets.evidence.live_results import LiveReturns, live_figures

    live = LiveReturns(
        stamps=frame["timestamp"].to_numpy(),
        challenger=frame["challenger_return"].to_numpy(),
        champion=frame["champion_return"].to_numpy(),
        trades=frame["trades"].to_numpy(),
        degraded=frame["degraded"].to_numpy(),
    )
    return live_figures(live, stage_row=state["stage_row"], level=state["level"])


def _of_release(store: ReleaseStore, partition: str, sha256: str) -> RolloutView:
    """What the release alone says."""
    reason, shares = store.withdrawn(sha256), store.shares()
    status = "rolled_back" if reason is not None else "none"
    if reason is None and store.live_version() != sha256:
        status, reason = "superseded", "another version was promoted meanwhile"
    stage = 100.0 * shares.get(sha256, 0.0) if status == "none" else 0.0
    words = reason or "it serves all, without a rollout"
    return RolloutView(partition, sha256, store.rest(), status, stage, shares, words)


def _with_plan(store: ReleaseStore, view: RolloutView, new_rows: int) -> RolloutView:
    from ares_resources.storage.rollouts import RolloutStore

    kept = RolloutStore(store.root, view.model)
    found = plan_of(kept)
    if found is None:
        refuse_lost_plan(store, view.model)
        return view
    state, plan = found
    try:
        figures = figures_of(kept.live(), state)
    except BadInput as error:
        raise CorruptArtifact(f"live.parquet in {kept.root} cannot be counted: {error}") from error
    return replace(
        view,
        status=plan.status if view.status == "none" else view.status,
        stage=100.0 * plan.share if view.status == "none" else view.stage,
        reason=(plan.reason or "no live results yet") if view.status == "none" else view.reason,
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
        new_rows=new_rows,
        missing_days=figures.missing_days,
    )
