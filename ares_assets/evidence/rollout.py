"""Letting a released model trade more, stage by stage, or taking it back.

Belongs here: the plan as data and the pure step from one state to the next.  Does not belong
here: moving capital, storing the plan, and the verdict that starts a rollout (``gate.py``).

Guardrails are one-sided: harm takes the model back at any moment, while doing well never
hurries a stage, since a stage exists to find out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from ares_assets.evidence.jsonable import jsonable
from ares_resources.errors import BadInput

Status = Literal["running", "completed", "rolled_back"]


@dataclass(frozen=True)
class LiveResult:
    """What was measured live (``live_results.live_figures``).

    ``days`` and ``trades`` since the current stage began; ``drawdown`` the model's own largest
    fall since the rollout began, a positive share; ``worse_decided`` whether an always-valid
    test since then has found it worse than the champion; ``degraded`` names a fallback that is
    in use in this stage, empty where none is.
    """

    days: float
    trades: int
    drawdown: float
    worse_decided: bool = False
    degraded: str = ""


@dataclass(frozen=True)
class RolloutPlan:
    """Where a rollout stands.

    ``stages`` are percentages of capital, ascending to 100; ``stage`` the index in force;
    ``maximum_drawdown`` the guardrail, a share; ``minimum_days`` and ``minimum_trades`` what
    each stage must see before the next; ``history`` one plain line for each step taken.
    """

    maximum_drawdown: float
    stages: tuple[float, ...] = (1.0, 5.0, 20.0, 50.0, 100.0)
    minimum_days: float = 7.0
    minimum_trades: int = 10
    stage: int = 0
    status: Status = "running"
    reason: str = ""
    history: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        ascending = all(a < b for a, b in zip(self.stages, self.stages[1:], strict=False))
        if not self.stages or not ascending or self.stages[0] <= 0 or self.stages[-1] != 100:
            raise BadInput(f"stages = {self.stages}; needed: ascending percentages ending in 100")
        if not 0.0 < self.maximum_drawdown < 1.0:
            raise BadInput(f"maximum_drawdown = {self.maximum_drawdown}; allowed: in (0, 1)")
        if not 0 <= self.stage < len(self.stages) or self.status not in _STATUSES:
            raise BadInput(f"stage {self.stage}, status {self.status!r}: no such state")

    @property
    def share(self) -> float:
        """Share of capital that the model may use now, in [0, 1]; 0 once rolled back."""
        return 0.0 if self.status == "rolled_back" else self.stages[self.stage] / 100.0

    def as_dict(self) -> dict[str, Any]:
        """JSON-able; ``plan_from_dict`` is the way back."""
        return jsonable(self) | {"share": self.share}


_STATUSES = ("running", "completed", "rolled_back")


def plan_from_dict(tree: Mapping[str, Any]) -> RolloutPlan:
    """The plan that ``as_dict`` made.

    Raises
    ------
    BadInput
        A key that no plan has, or a state that cannot be.
    """
    fields = {name: value for name, value in tree.items() if name != "share"}
    unknown = sorted(set(fields) - set(RolloutPlan.__dataclass_fields__))
    if unknown or "maximum_drawdown" not in fields:
        raise BadInput(f"not a rollout plan: unknown {unknown}, keys {sorted(fields)}")
    for name in ("stages", "history"):
        if name in fields:
            fields[name] = tuple(fields[name])
    return RolloutPlan(**fields)


def advance(plan: RolloutPlan, live: LiveResult) -> RolloutPlan:
    """The plan after looking at the current stage's live result.

    Harm rolls back; a stage that has seen enough moves on (the last one completes); else
    the plan stays and says what it waits for.  A rolled-back plan stays rolled back, and a
    completed one is still watched.
    """
    _check_live(live)
    if plan.status == "rolled_back":
        return plan
    harm = _harm(plan, live)
    if harm:
        return _step(plan, stage=plan.stage, status="rolled_back", reason=harm)
    if plan.status == "completed":
        return plan
    waiting = _waiting(plan, live)
    if waiting:
        return replace(plan, reason=waiting)
    seen = f"{live.days:g} days and {live.trades} trades without harm"
    if plan.stage == len(plan.stages) - 1:
        return _step(plan, stage=plan.stage, status="completed", reason=seen)
    return _step(plan, stage=plan.stage + 1, status="running", reason=seen)


def by_hand(reason: str) -> str:
    """Somebody's words, as the reason of a rollback that no evidence asked for.

    Raises
    ------
    BadInput
        Without words.
    """
    if not reason.strip():
        raise BadInput("--rollback '' gives no reason; allowed: a few words")
    return f"by hand: {' '.join(reason.split())}"


def roll_back(plan: RolloutPlan, reason: str) -> RolloutPlan:
    """The plan taken back for this reason; one that is rolled back already stays as it is."""
    if plan.status == "rolled_back":
        return plan
    return _step(plan, stage=plan.stage, status="rolled_back", reason=reason)


def _harm(plan: RolloutPlan, live: LiveResult) -> str:
    if live.drawdown >= plan.maximum_drawdown:
        return f"drawdown {live.drawdown:.2%} reached the guardrail {plan.maximum_drawdown:.2%}"
    if live.worse_decided:
        return "the sequential test found it worse than the champion"
    return f"degraded: {live.degraded}" if live.degraded else ""


def _waiting(plan: RolloutPlan, live: LiveResult) -> str:
    if live.days < plan.minimum_days:
        return f"waiting: {live.days:g} of {plan.minimum_days:g} days at this stage"
    if live.trades < plan.minimum_trades:
        return f"waiting: {live.trades} of {plan.minimum_trades} trades at this stage"
    return ""


def _step(plan: RolloutPlan, *, stage: int, status: Status, reason: str) -> RolloutPlan:
    target = "rolled back" if status == "rolled_back" else f"{plan.stages[stage]:g} %"
    line = f"{plan.stages[plan.stage]:g} % -> {target}"
    line = f"{line} (completed): {reason}" if status == "completed" else f"{line}: {reason}"
    return replace(plan, stage=stage, status=status, reason=reason, history=(*plan.history, line))


def _check_live(live: LiveResult) -> None:
    numbers = {"days": live.days, "trades": live.trades, "drawdown": live.drawdown}
    for name, value in numbers.items():
        if not (math.isfinite(value) and value >= 0):
            raise BadInput(f"live {name} = {value}; needed: finite, 0 or more")
