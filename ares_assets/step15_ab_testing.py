"""Step 15, A/B Testing: challenger against champion on the same bars, and the verdict.

Belongs here: reading, testing against each rival, asking the gate.  Does not belong here: the
rivals (``step15_rivals.py``), the tests (``evidence/sequential.py``) and the requirements
(``evidence/gate.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ares_assets.engine import Result, SettingsView, StepSpec, Work
from ares_assets.step15_rivals import (
    NO_CHAMPION,
    Stretch,
    held,
    release_store,
    rivals_of,
    stretch_of,
)
from ares_resources.errors import AresError
from ares_resources.storage.artifacts import Artifact

if TYPE_CHECKING:
    import numpy as np

    from ares_assets.evidence.gate_evidence import Comparison, GateEvidence
    from ares_resources.settings import Settings

_AT_VOLATILITY = "buy and hold at the model's volatility"
_FROM_STEP_14 = (
    "deflated_sharpe_development",
    "deflated_sharpe_holdout",
    "holdout_looks",
    "trials",
    "overfitting",
    "ruin_share",
    "return_costs_stressed",
    "return_latency_stressed",
    "track_record_days",
)
_INFORMING = ("search_p_value", "calibration_within_noise", "equity_low")


def challenger_identity(inputs: Mapping[str, Artifact]) -> str:
    """What makes a challenger the same one: its model and the bars it is judged on."""
    return f"{inputs['final_parameters'].sha256}-{inputs['market_data'].sha256}"


def champion_state(work: Work, inputs: Mapping[str, Artifact]) -> str:
    """The champion's content hash; a challenger that was promoted faces whom it replaced."""
    return release_store(work).champion_against(challenger_identity(inputs)) or NO_CHAMPION


def ab_test_report(
    work: Work,
    market_data: Artifact,
    final_parameters: Artifact,
    walk_forward_report: Artifact,
    monte_carlo_report: Artifact,
) -> Result:
    """Power first, then always-valid tests of daily differences, the gate, the rollout plan."""
    from ares_assets.evidence.gate import release_gate
    from ares_assets.evidence.jsonable import jsonable
    from ares_assets.evidence.verdict_words import in_plain_words

    stretch = stretch_of(market_data, walk_forward_report)
    power = _power(work, market_data, walk_forward_report, len(stretch.days))
    rivals, notes, remark = rivals_of(work, market_data, walk_forward_report, stretch)
    comparisons, tests = [], {}
    for name, rival in rivals.items():
        comparison, test = compare(work.settings, stretch, rival, name=name)
        comparisons.append(comparison)
        tests[name] = {**test, "comparison": comparison}
    measured = measured_of(
        work.settings, walk_forward_report, monte_carlo_report, comparisons, stretch, remark
    )
    degraded = sorted({*monte_carlo_report.degraded, *walk_forward_report.degraded, *notes})
    gate = release_gate(measured, work.settings.gate, degraded)
    reason = in_plain_words(
        gate.rows,
        gate.verdict,
        measured,
        minimum_trades=work.settings.gate.minimum_trades,
        never_trades=final_parameters.metadata["never_trades"],
    )
    told = {
        "verdict": gate.verdict,
        "reason": reason,
        "champion": work.outside,
        "champion_remark": remark,
    }
    report = {
        "power": power,
        **told,
        "in_full": gate.reason,
        "degraded": degraded,
        "gate": gate.table(),
        "tests": tests,
        "peeking": _peeking(work, len(stretch.days)),
        "days": len(stretch.days),
        "bars_outside_whole_days": stretch.left_out,
        "rollout": _rollout(work, market_data) if gate.verdict == "promote" else None,
    }
    metadata = {
        **told,
        "gate_passed": sum(row.passed for row in gate.rows if row.required),
        "gate_rows": sum(row.required for row in gate.rows),
        "p_value": max(c.p_value for c in comparisons if c.required),
        "days": len(stretch.days),
        "detectable_sharpe_80": power["detectable"]["80%"]["annual_sharpe"],
        "power": power["in_words"],
    }
    return Result(jsonable(report), jsonable(metadata))


def _power(work: Work, market_data: Artifact, walk: Artifact, days: int) -> dict[str, Any]:
    """From the lengths and the market before the holdout alone."""
    from ares_assets.evidence.performance import aggregate_returns, annual_volatility
    from ares_assets.evidence.power import power_analysis

    before = market_data.load().iloc[: walk.metadata["first_row"]]
    _, moved = aggregate_returns(held(before), before["timestamp"].to_numpy())
    return power_analysis(
        days,
        holdout_share=_holdout_share(work.settings),
        target_volatility=work.settings.tactician.target_volatility,
        market_volatility=annual_volatility(moved),
        level=_level(work.settings),
    )


def _level(settings: Settings | SettingsView) -> float:
    """Of each sequential test; rounded, since 1 - 0.95 is not 0.05."""
    return round(1.0 - float(settings.validation.confidence), 12)


def _holdout_share(settings: Settings | SettingsView) -> float:
    window = settings.window
    return round(1.0 - float(window.development) - float(window.calibration), 12)


def _peeking(work: Work, looks: int) -> dict[str, Any]:
    """What daily looks would do to a test that is made for one."""
    from ares_assets.evidence.peeking import fixed_test_peeking_error

    level = _level(work.settings)
    error = fixed_test_peeking_error(min(looks, 1000), level=level) if looks else None
    return {"looks": looks, "error_of_a_fixed_test": error, "error_of_this_test_at_most": level}


def _rollout(work: Work, market_data: Artifact) -> dict[str, Any]:
    """The plan from its first stage on, and from when on results are live."""
    from ares_assets.evidence.rollout import RolloutPlan

    gate = work.settings.gate
    plan = RolloutPlan(
        work.settings.tactician.drawdown_brake,
        minimum_days=gate.stage_days,
        minimum_trades=gate.stage_trades,
    )
    return {
        "plan": plan.as_dict(),
        "level": _level(work.settings),
        "live_from_ms": market_data.metadata["window_end_ms"],
    }


def compare(
    settings: Settings | SettingsView, stretch: Stretch, rival: np.ndarray, *, name: str
) -> tuple[Comparison, dict[str, Any]]:
    """The sequential test of the challenger's days against a rival's, and its outcome."""
    import numpy as np

    from ares_assets.evidence.gate_evidence import Comparison
    from ares_assets.evidence.performance import sharpe_ratio
    from ares_assets.evidence.sequential import always_valid_test

    difference = stretch.daily - rival
    test = always_valid_test(difference, level=_level(settings))
    varies = difference.size > 1 and np.ptp(difference) > 0.0
    comparison = Comparison(
        against=_AT_VOLATILITY if name == "buy and hold" else name,
        decision=test.decision,
        p_value=test.p_value,
        annual_sharpe=sharpe_ratio(difference) if varies else None,
        required=name != "buy and hold",
    )
    return comparison, {**test.as_dict(), "p_after_bar": _p_after_bar(test.p_values, stretch)}


def _p_after_bar(p_values: np.ndarray, stretch: Stretch) -> list[list[float]]:
    """The running p-value as a step function: [open of the bar after whose close it changed, p]."""
    import numpy as np

    from ares_assets.evidence.looks import p_values_by_bar

    p = p_values_by_bar(p_values, stretch.days, stretch.stamps, step_ms=stretch.step_ms)
    changed = np.flatnonzero(np.diff(p, prepend=np.inf) != 0.0)
    return [[int(stretch.stamps[bar]), float(p[bar])] for bar in changed]


def measured_of(
    settings: Settings | SettingsView,
    walk_forward: Artifact,
    monte_carlo: Artifact,
    comparisons: list[Comparison],
    stretch: Stretch,
    remark: str,
) -> GateEvidence:
    """What the gate is told.

    Raises
    ------
    AresError
        If step 14 did not measure what the gate asks for.
    """
    from ares_assets.evidence.gate_evidence import GateEvidence

    walk, luck = walk_forward.metadata, _all_there(monte_carlo)
    beside = {**walk, **luck}
    return GateEvidence(
        deflated_development=luck["deflated_sharpe_development"],
        trials=luck["trials"],
        deflated_holdout=luck["deflated_sharpe_holdout"],
        looks=luck["holdout_looks"],
        overfitting=luck["overfitting"],
        ruin_share=luck["ruin_share"],
        return_costs_stressed=luck["return_costs_stressed"],
        return_latency_stressed=luck["return_latency_stressed"],
        trades=walk["trades"],
        days=float(len(stretch.days)),
        annual_sharpe=walk["sharpe"],
        track_record_days=luck["track_record_days"],
        comparisons=tuple(comparisons),
        drift_alarms=walk["drift_alarms"],
        drift_chance=walk["drift_chance"],
        drift_unjudged=walk["drift_unjudged"],
        level=_level(settings),
        holdout_share=_holdout_share(settings),
        champion_remark=remark,
        **{name: beside.get(name) for name in _INFORMING},
    )


def _all_there(monte_carlo: Artifact) -> Mapping[str, Any]:
    """Step 14's figures; a gate must not read a row that was never measured as "unknown"."""
    lacking = [name for name in _FROM_STEP_14 if name not in monte_carlo.metadata]
    if lacking:
        raise AresError(f"step 14 measured no {', '.join(lacking)}; run it anew with this version")
    return monte_carlo.metadata


SPEC = StepSpec(
    number=15,
    name="ab_test_report",
    title="A/B Testing",
    description="Challenger against champion, no trade and buy-and-hold; the release gate.",
    group="evidence",
    kind="report",
    inputs=(
        "market_data",
        "final_parameters",
        "walk_forward_report",
        "monte_carlo_report",
    ),
    uses=("costs", "gate", "tactician", "validation", "window"),
    function=ab_test_report,
    fingerprint=champion_state,
)
