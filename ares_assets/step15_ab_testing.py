"""Step 15, A/B Testing: challenger against champion on the same bars, and the verdict.

Belongs here: reading, asking the gate, the report.  Does not belong here: the rivals
(``step15_rivals.py``), one comparison and what the gate is told (``step15_measured.py``), and
the requirements (``evidence/gate.py``).
"""

from __future__ import annotations

from typing import Any

from ares_assets.engine import Result, StepSpec, Work
from ares_assets.step15_measured import compare, holdout_share_of, level_of, measured_of
from ares_assets.step15_rivals import (
    challenger_identity,
    faced_state,
    held,
    record_attempt,
    rivals_of,
    stretch_of,
)
from ares_resources.storage.artifacts import Artifact

_OF_THE_ATTEMPT = ("level", "detectable", "needed")


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
    faced = record_attempt(
        work,
        challenger_identity({"final_parameters": final_parameters, "market_data": market_data}),
    )
    rivals, notes, remark = rivals_of(work, market_data, walk_forward_report, stretch)
    attempt = faced.attempt if "champion" in rivals else None
    power = _power(work, market_data, walk_forward_report, len(stretch.days), attempt)
    comparisons, tests = [], {}
    for name, rival in rivals.items():
        comparison, test = compare(work.settings, stretch, rival, name=name, attempt=attempt)
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
        work.settings.gate,
        never_trades=final_parameters.metadata["never_trades"],
    )
    told = {
        "verdict": gate.verdict,
        "reason": reason,
        "champion": faced.champion,
        "champion_remark": remark,
        "attempt": faced.attempt,
        "loosened": list(measured.loosened),
    }
    report = {
        "power": power,
        **told,
        "in_full": gate.reason,
        "degraded": degraded,
        "gate": gate.table(),
        "tests": tests,
        # From these the check makes the test anew.
        "champion_daily": rivals["champion"].tolist() if "champion" in rivals else None,
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


def _power(
    work: Work, market_data: Artifact, walk: Artifact, days: int, attempt: int | None
) -> dict[str, Any]:
    """From the lengths, the market before the holdout and the number of the attempt alone."""
    from ares_assets.evidence.performance import aggregate_returns, annual_volatility
    from ares_assets.evidence.power import power_analysis

    before = market_data.load().iloc[: walk.metadata["first_row"]]
    _, moved = aggregate_returns(held(before), before["timestamp"].to_numpy())
    known = {
        "holdout_share": holdout_share_of(work.settings),
        "target_volatility": work.settings.tactician.target_volatility,
        "market_volatility": annual_volatility(moved),
    }
    told = power_analysis(days, level=level_of(work.settings), **known)
    if attempt is None:
        return told
    against = power_analysis(days, level=level_of(work.settings, attempt), **known)
    words = (
        f"{told['in_words']}; against the champion, attempt {attempt} at a level of "
        f"{against['level']:.3g}, {against['in_words']}"
    )
    champion = {"attempt": attempt, **{name: against[name] for name in _OF_THE_ATTEMPT}}
    return {**told, "against_champion": champion, "in_words": words}


def _peeking(work: Work, looks: int) -> dict[str, Any]:
    """What daily looks would do to a test that is made for one."""
    from ares_assets.evidence.peeking import fixed_test_peeking_error

    level = level_of(work.settings)
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
        "level": level_of(work.settings),
        "live_from_ms": market_data.metadata["window_end_ms"],
    }


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
    fingerprint=faced_state,
)
