"""Step 13, Walk Forward Validation: the first look at the holdout, block by block.

Belongs here: reading, calling the evaluation, key numbers.  Does not belong here: how a
holdout is walked (``release/``), the statistics (``evidence/``), asking for a retraining
(``retraining.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ares_assets.engine import Result, StepSpec, Work
from ares_assets.retraining import ask_for_retraining
from ares_resources.errors import PartitionSkipped
from ares_resources.storage.artifacts import Artifact

if TYPE_CHECKING:
    from ares_assets.release.holdout import HoldoutCase
    from ares_assets.release.refits import RefitMemory


def walk_forward_report(
    work: Work,
    market_data: Artifact,
    market_regimes: Artifact,
    regime_dataset: Artifact,
    analyst_dataset: Artifact,
    analyst_ensemble: Artifact,
    final_parameters: Artifact,
) -> Result:
    """The frozen model and its refits on the holdout, with drift and CPCV beside them."""
    from ares_assets.counted_looks import record_look, sight_key
    from ares_assets.pictures import equity_picture
    from ares_assets.release.combinatorial import judge_combinatorial
    from ares_assets.release.holdout import judge_frozen
    from ares_assets.release.holdout_drift import measure_drift
    from ares_assets.release.holdout_refits import judge_refits
    from ares_assets.release.holdout_reliability import judge_calibration

    case = holdout_case(
        work,
        market_data,
        market_regimes,
        regime_dataset,
        analyst_dataset,
        analyst_ensemble,
        final_parameters,
    )
    settings = work.settings
    fitting = {
        "embargo_bars": settings.analyst.embargo_bars,
        "seed": work.seed,
        "threads": settings.threads,
    }
    frozen = judge_frozen(case)
    # At once: a look at the holdout counts even if nothing comes of the rest of this step.
    sharpe = frozen.report["performance"]["sharpe"]
    sight = sight_key(final_parameters, market_data, case.first_row, sharpe)
    record_look(work, market_data, sight, sharpe)
    refits = judge_refits(
        case,
        refits=settings.validation.refits,
        **fitting,
        progress=work.advanced,
        memory=lambda: refit_memory(work),
    )
    drift = measure_drift(case, frozen, seed=work.seed, level=settings.validation.drift_level)
    report = {
        "frozen": frozen.report,
        "refits": refits.report,
        "cpcv": judge_combinatorial(case, **fitting),
        "drift": drift,
        "calibration": judge_calibration(
            case, frozen, bins=settings.calibration.bins, seed=work.seed
        ),
    }
    value = {
        "report.json": report,
        "decisions.parquet": frozen.decisions,
        "returns.parquet": frozen.returns,
        "trades.parquet": frozen.trades,
        "predictions.parquet": refits.predictions,
    }
    picture = equity_picture(frozen.returns["net_return"].to_numpy())
    where = {
        "first_row": case.first_row,
        "history_row": case.history_row,
        "window_end_ms": market_data.metadata["window_end_ms"],
        "holdout_start_ms": int(case.frame["timestamp"].iloc[case.first_row]),
        "sight": sight,
    }
    metadata = {**_key_numbers(report), **where, "picture": picture}
    # Metadata enters the keys of later steps; seconds differ from run to run.
    cost = {"refit_seconds_saved": round(refits.seconds_saved, 3)}
    return Result(value, metadata, cost=cost)


def refit_memory(work: Work) -> RefitMemory:
    """What one scheme remembers of its refits, empty, as the settings want it."""
    from ares_assets.release.refits import RefitMemory

    settings = work.settings
    return RefitMemory(
        settings.analyst.embargo_bars,
        continuing=settings.validation.incremental,
        extra_trees=settings.validation.incremental_trees,
        tolerance=settings.validation.incremental_tolerance,
    )


def holdout_case(
    work: Work,
    market_data: Artifact,
    market_regimes: Artifact,
    regime_dataset: Artifact,
    analyst_dataset: Artifact,
    analyst_ensemble: Artifact,
    final_parameters: Artifact,
) -> HoldoutCase:
    """Everything that judging the holdout needs, loaded once.

    Raises
    ------
    PartitionSkipped
        If the regime took no decision in the holdout whose outcome is known.
    """
    import numpy as np

    from ares_assets.analyst.dataset import everything_of
    from ares_assets.market.pace import longer_window
    from ares_assets.market.roles import first_row, roles_of
    from ares_assets.release.holdout import HoldoutCase
    from ares_assets.release.partition_model import PartitionModel
    from ares_assets.shared_features import features_of

    frame, settings = market_data.load(), work.settings
    rows = regime_dataset.load()
    roles = roles_of(frame, market_data.metadata, settings.window, settings.labels.horizon_bars)
    regimes = market_regimes.load()["regimes.parquet"]
    inside = np.flatnonzero(regimes["regime"].to_numpy() == work.request.regime)
    history_row = first_row(roles, "calibration")
    case = HoldoutCase(
        model=PartitionModel.from_files(final_parameters.load()),
        members=analyst_ensemble.load()["members.json"],
        frame=frame,
        features=features_of(work, market_data),
        regimes=regimes,
        past=everything_of(analyst_dataset.load(), None),
        rows=rows["row"].to_numpy()[rows["role"].to_numpy() == "holdout"],
        market_rows=np.flatnonzero(roles == "holdout"),
        first_row=first_row(roles, "holdout"),
        served_rows=inside[inside >= history_row],
        history_row=history_row,
    )
    found, least = len(case.holdout), settings.validation.refits
    if found < least:
        raise PartitionSkipped(
            f"{found} {work.request.regime} decisions with a known outcome in the holdout; {least} "
            "are the least that can be walked through; "
            f"{longer_window(found, least, market_data.metadata['window_days'])}"
        )
    return case


def _key_numbers(report: dict[str, Any]) -> dict[str, Any]:
    frozen, refits, drift = report["frozen"], report["refits"], report["drift"]
    cpcv = report["cpcv"]
    return {
        "auc": frozen["auc"],
        "log_loss": frozen["log_loss"],
        "base_log_loss": frozen["base_log_loss"],
        "events": frozen["events"],
        "trades": frozen["trades"],
        "net_return": frozen["performance"]["total_return"],
        "sharpe": frozen["performance"]["sharpe"],
        "maximum_drawdown": frozen["performance"]["max_drawdown"],
        "days": frozen["performance"]["days"],
        **{f"auc_{scheme}": found["auc"] for scheme, found in refits["schemes"].items()},
        **{f"sharpe_{scheme}": found["sharpe"] for scheme, found in refits["schemes"].items()},
        **_refit_numbers(refits["schemes"]),
        "refits_keep": ", ".join(refits["frozen"]),
        "cpcv_judged_on": cpcv["judged_on"],
        "cpcv_auc_median": cpcv["auc_median"],
        "cpcv_auc_in_sample": cpcv["auc_in_sample"],
        "cpcv_sharpe": cpcv["sharpe_quantiles"],
        "cpcv_sharpe_in_sample": cpcv["sharpe_in_sample"],
        "cpcv_losing_paths": cpcv["losing_paths"],
        "cpcv_trades": cpcv["trades"],
        "drift_alarms": len(drift["loss"]["alarms"]),
        "drift_chance": drift["loss"]["chance"],
        "drift_level": drift["loss"]["level"],
        "drift_blocks": drift["loss"]["reference"] + drift["loss"]["observations"],
        "drift_false_alarm_share": drift["loss"]["false_alarm_share"],
        "drift_unjudged": drift["loss"]["unjudged"],
        "drifted_features": sum(row["drifted"] for row in drift["features"]),
        **_calibration_numbers(report["calibration"]),
    }


def _calibration_numbers(found: Mapping[str, Any]) -> dict[str, Any]:
    """Whether probabilities and prediction sets of the frozen model hold; None without events."""
    sets = found.get("conformal") or {}
    return {
        "calibration_within_noise": found["probabilities_hold"],
        "ece": found.get("ece"),
        "ece_noise_95": found.get("ece_noise_95"),
        "spiegelhalter_p": found.get("spiegelhalter_p"),
        "spiegelhalter_p_fitted": found.get("spiegelhalter_p_fitted"),
        "coverage": sets.get("coverage"),
        "coverage_low": sets.get("coverage_low"),
        "coverage_high": sets.get("coverage_high"),
        "coverage_adaptive": (found.get("adaptive") or {}).get("coverage"),
    }


def _refit_numbers(schemes: Mapping[str, Any]) -> dict[str, Any]:
    """How refits were made, over all members: counts, reasons and what continuing cost."""
    found: dict[str, Any] = {}
    for scheme, told in schemes.items():
        members = told["refits"]
        reasons = {
            f"{name}: {reason}": count
            for name, member in members.items()
            for reason, count in member["reasons"].items()
        }
        worst = [m["largest_difference"] for m in members.values() if m["compared"]]
        found |= {
            f"refits_continued_{scheme}": sum(m["continued"] for m in members.values()),
            f"refits_scratch_{scheme}": sum(m["scratch"] for m in members.values()),
            f"refit_reasons_{scheme}": reasons,
            f"refit_log_loss_difference_{scheme}": max(worst, default=None),
        }
    return found


SPEC = StepSpec(
    number=13,
    name="walk_forward_report",
    title="Walk Forward Validation",
    description="The frozen model, rolling and anchored refits through the holdout; drift.",
    group="evidence",
    kind="bundle",
    inputs=(
        "market_data",
        "market_regimes",
        "regime_dataset",
        "analyst_dataset",
        "analyst_ensemble",
        "final_parameters",
    ),
    uses=("analyst", "calibration", "features", "labels", "validation", "window"),
    function=walk_forward_report,
    after=ask_for_retraining,
)
