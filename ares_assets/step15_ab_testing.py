"""Step 15, A/B Testing: challenger against champion on the same bars, and the verdict.

Belongs here: reading, running the rivals, asking the gate.  Does not belong here: the tests
(``evidence/sequential.py``) and the requirements (``evidence/gate.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ares_assets.engine import Result, StepSpec, Work
from ares_resources.errors import BadInput
from ares_resources.storage.artifacts import Artifact

if TYPE_CHECKING:
    import numpy as np

    from ares_assets.evidence.gate import Comparison, GateEvidence, GateReport
    from ares_resources.storage.releases import Release, ReleaseStore

NO_CHAMPION = "none"


def release_store(work: Work) -> ReleaseStore:
    """The releases of this partition."""
    from ares_resources.storage.releases import ReleaseStore

    home, request = work.workspace.home, work.request
    return ReleaseStore(home.releases, request.symbol.folder, request.regime)


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
    """Always-valid tests of daily differences, the gate as a table, the rollout plan."""
    from ares_assets.evidence.gate import release_gate
    from ares_assets.evidence.jsonable import jsonable
    from ares_assets.evidence.performance import aggregate_returns
    from ares_assets.evidence.rollout import RolloutPlan

    returns = walk_forward_report.load()["returns.parquet"]
    stamps = returns["timestamp"].to_numpy()
    days, daily = aggregate_returns(returns["net_return"].to_numpy(), stamps)
    rivals, notes, remark = _rivals(work, market_data, walk_forward_report, stamps)
    comparisons, tests = [], {}
    for name, rival in rivals.items():
        comparison, test = _compare(work, daily, rival, against=name)
        comparisons.append(comparison)
        tests[name] = test
    measured = _measured(walk_forward_report.metadata, monte_carlo_report.metadata, comparisons)
    degraded = sorted({*monte_carlo_report.degraded, *walk_forward_report.degraded, *notes})
    gate = release_gate(measured, work.settings.gate, degraded)
    reason = _in_plain_words(gate, measured, never_trades=final_parameters.metadata["never_trades"])
    report = {
        "verdict": gate.verdict,
        "reason": reason,
        "in_full": gate.reason,
        "gate": gate.table(),
        "tests": tests,
        "champion": work.outside,
        "champion_remark": remark,
        "days": len(days),
        "rollout": RolloutPlan(work.settings.tactician.drawdown_brake).as_dict()
        if gate.verdict == "promote"
        else None,
    }
    metadata = {
        "verdict": gate.verdict,
        "reason": reason,
        "champion": work.outside,
        "champion_remark": remark,
        "gate_passed": sum(row.passed for row in gate.rows if row.required),
        "gate_rows": sum(row.required for row in gate.rows),
        "p_value": min(c.p_value for c in comparisons if c.required),
    }
    return Result(jsonable(report), jsonable(metadata))


def _rivals(
    work: Work, market_data: Artifact, walk: Artifact, stamps: np.ndarray
) -> tuple[dict[str, np.ndarray], list[str], str]:
    """Daily returns of the rivals over the same bars, the first being the one to beat; what
    degrades the comparison; and a remark on a champion that cannot take part."""
    import numpy as np

    from ares_assets.evidence.performance import aggregate_returns

    frame = market_data.load().iloc[walk.metadata["first_row"] :]
    close, first = frame["close"].to_numpy(), frame["open"].to_numpy()[0]
    held = close / np.concatenate([[first], close[:-1]]) - 1.0
    idle = np.zeros(len(np.unique(stamps // 86_400_000)))
    champion, notes, remark = _champion_returns(work, market_data, walk)
    rivals = {} if champion is None else {"champion": aggregate_returns(champion, stamps)[1]}
    rivals["no trade"] = idle
    rivals["buy and hold"] = aggregate_returns(held, stamps)[1]
    return rivals, notes, remark


def _champion_returns(
    work: Work, market_data: Artifact, walk: Artifact
) -> tuple[np.ndarray | None, list[str], str]:
    from ares_resources.errors import ObsoleteFormat

    if work.outside == NO_CHAMPION:
        return None, [], "there is none yet"
    champion = release_store(work).find(work.outside)
    if champion is None:
        lost = f"the champion {work.outside[:16]} is not in the release store"
        return None, [lost], lost
    try:
        return _replayed(work, champion, market_data, walk), [], "replayed on the same bars"
    except ObsoleteFormat as reason:
        # Nothing is wrong with the challenger, so this must not bar its promotion: else no
        # partition could ever leave an old version behind.
        return None, [], f"cannot be replayed, so only the baselines count: {reason}"


def _replayed(work: Work, champion: Release, market_data: Artifact, walk: Artifact) -> np.ndarray:
    """The champion's per-bar net returns over the holdout, by its own regimes.

    It pays the challenger's costs: a lower fee in the settings makes no better model.
    """
    from dataclasses import replace

    from ares_assets.release.served_model import ServedModel

    served = ServedModel.from_files(champion.files())
    frame = market_data.load()
    if served.model.settings.timeframe != market_data.metadata["timeframe"]:
        raise BadInput(
            f"the champion trades {served.model.settings.timeframe} bars, the challenger "
            f"{market_data.metadata['timeframe']}; release them under different symbols"
        )
    settings = replace(served.model.settings, costs=work.settings.costs)
    served = replace(served, model=replace(served.model, settings=settings))
    where = {name: walk.metadata[name] for name in ("first_row", "history_row")}
    return served.trade(frame, **where).net_return


def _compare(
    work: Work, daily: np.ndarray, rival: np.ndarray, *, against: str
) -> tuple[Comparison, dict[str, Any]]:
    import numpy as np

    from ares_assets.evidence.gate import Comparison
    from ares_assets.evidence.performance import sharpe_ratio
    from ares_assets.evidence.sequential import always_valid_test

    difference = daily - rival
    test = always_valid_test(difference, level=1.0 - work.settings.validation.confidence)
    varies = difference.size > 1 and np.ptp(difference) > 0.0
    comparison = Comparison(
        against=against,
        decision=test.decision,
        p_value=test.p_value,
        annual_sharpe=sharpe_ratio(difference) if varies else None,
        required=against != "buy and hold",
    )
    return comparison, test.as_dict()


def _measured(
    walk: Mapping[str, Any], luck: Mapping[str, Any], comparisons: list[Comparison]
) -> GateEvidence:
    from ares_assets.evidence.gate import GateEvidence

    return GateEvidence(
        deflated_sharpe=luck["deflated_sharpe"],
        trials=luck["trials"],
        overfitting=luck["overfitting"],
        ruin_share=luck["ruin_share"],
        trades=walk["trades"],
        days=float(walk["days"]),
        annual_sharpe=walk["sharpe"],
        track_record_days=luck["track_record_days"],
        comparisons=tuple(comparisons),
        drift_alarms=walk["drift_alarms"],
        drift_chance=walk["drift_chance"],
    )


def _in_plain_words(gate: GateReport, measured: GateEvidence, *, never_trades: bool) -> str:
    """One sentence or two for people; the whole table stands in the report."""
    from ares_assets.evidence.power import describe_data_needed

    passed = sum(row.passed for row in gate.rows if row.required)
    words = [f"{passed} of {sum(row.required for row in gate.rows)} requirements hold"]
    if gate.verdict == "keep":
        against = [row.name for row in gate.rows if row.failure == "against"]
        words.append(f"against it: {', '.join(against)}")
    elif never_trades:
        words.append("no signal paid after costs on development, so the model does not trade")
    elif gate.verdict == "insufficient evidence":
        words.append(f"{measured.trades} trades in {measured.days:.0f} days are too few to know")
        if measured.annual_sharpe is not None:
            words.append(describe_data_needed(measured.annual_sharpe, measured.days))
    return "; ".join(words)


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
    uses=("costs", "gate", "tactician", "validation"),
    function=ab_test_report,
    fingerprint=champion_state,
)
