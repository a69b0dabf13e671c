"""Step 11, Confidence Calibration: probabilities that mean what they say.

Belongs here: predicting the calibration slice, choosing a calibrator, prediction sets.
Does not belong here: calibrators and measures (``evidence/``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ares_assets.engine import Result, StepSpec, Work
from ares_resources.storage.artifacts import Artifact

if TYPE_CHECKING:
    import numpy as np

    from ares_assets.analyst.dataset import Examples


def calibrated_confidence(
    work: Work, analyst_dataset: Artifact, analyst_ensemble: Artifact
) -> Result:
    """A calibrator fitted on the slice that no earlier step fitted on, and conformal sets."""
    from ares_assets.analyst.dataset import examples_of
    from ares_assets.analyst.model import AnalystModel
    from ares_assets.counted_trials import record_choices
    from ares_assets.evidence.calibration import choose_calibrator
    from ares_assets.evidence.jsonable import jsonable

    known = examples_of(analyst_dataset.load(), "calibration")
    raw = AnalystModel.from_files(analyst_ensemble.load()).probability(known.features)
    settings = work.settings.calibration
    calibrator, report = choose_calibrator(
        raw,
        known.labels,
        known.weights,
        known.rows,
        known.t1_rows,
        settings.methods,
        bins=settings.bins,
        seed=work.seed,
    )
    record_choices(work, "calibrators", analyst_dataset.sha256, report.get("scores") or {})
    sets = _conformal(report, raw, known, settings.coverage)
    degraded = (f"calibration: {report['degraded']}",) if report["degraded"] else ()
    value = {
        "calibrator.json": calibrator.to_dict(),
        "conformal.json": sets["fitted"],
        "report.json": jsonable({**report, "conformal": sets["report"]}),
    }
    return Result(value, jsonable(_key_numbers(report, sets["report"])), degraded)


def _conformal(
    chosen: dict[str, Any], raw: np.ndarray, known: Examples, coverage: float
) -> dict[str, dict[str, Any]]:
    """Sets fitted on the first half of the forward-calibrated events, judged on the second.

    The released threshold comes from all of them; the reported coverage from events that
    fitted neither calibrator nor threshold.  Without events every set is full.
    """
    import numpy as np

    from ares_assets.evidence.calibration import forward_calibrated
    from ares_assets.evidence.conformal import ConformalSets, conformal_report, fit_conformal

    if not len(known):
        always_full = ConformalSets("lac", coverage, np.inf, 0)
        return {"fitted": always_full.to_dict(), "report": {"judged": 0}}
    forward = None
    if chosen["degraded"] is None:
        forward = forward_calibrated(
            chosen["method"], raw, known.labels, known.weights, known.rows, known.t1_rows
        )
    if forward is None:
        forward = raw
    tested = np.flatnonzero(~np.isnan(forward))
    fitted = fit_conformal(forward[tested], known.labels[tested], coverage=coverage)
    half = len(tested) // 2
    if half < 1:
        return {"fitted": fitted.to_dict(), "report": {"judged": 0}}
    first, second = tested[:half], tested[half:]
    judged = fit_conformal(forward[first], known.labels[first], coverage=coverage)
    report = conformal_report(judged.predict(forward[second]), known.labels[second])
    return {"fitted": fitted.to_dict(), "report": {**report, "judged": len(second)}}


def _key_numbers(report: dict[str, Any], sets: dict[str, Any]) -> dict[str, Any]:
    names = ("ece", "ece_noise_floor", "brier", "log_loss")
    numbers: dict[str, Any] = {"method": report["method"], "events": report["events"]}
    for when in ("before", "after"):
        found = report[when] or {}
        numbers |= {f"{name}_{when}": found.get(name) for name in names}
    numbers["coverage"] = sets.get("coverage")
    numbers["abstention"] = sets.get("abstention")
    return numbers


SPEC = StepSpec(
    number=11,
    name="calibrated_confidence",
    title="Confidence Calibration",
    description="The calibrator of least purged log-loss on its own slice; prediction sets.",
    group="evidence",
    kind="bundle",
    inputs=("analyst_dataset", "analyst_ensemble"),
    uses=("calibration",),
    function=calibrated_confidence,
)
