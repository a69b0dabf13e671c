"""Step 11, Confidence Calibration: probabilities that mean what they say.

Belongs here: predicting the calibration slice, choosing a calibrator, prediction sets, and the
diagram of what it changed.
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
    from ares_assets.counted_trials import choosing
    from ares_assets.evidence.calibration import choose_calibrator
    from ares_assets.evidence.jsonable import jsonable

    known = examples_of(analyst_dataset.load(), "calibration")
    raw = AnalystModel.from_files(analyst_ensemble.load()).probability(known.features)
    settings = work.settings.calibration
    methods = settings.methods
    with choosing(work, "calibrators", methods, analyst_dataset, analyst_ensemble) as seen:
        calibrator, report = choose_calibrator(
            raw,
            known.labels,
            known.weights,
            known.rows,
            known.t1_rows,
            methods,
            bins=settings.bins,
            seed=work.seed,
        )
        seen |= report.get("scores") or {}
    sets = _conformal(report, raw, known, settings.coverage)
    degraded = (f"calibration: {report['degraded']}",) if report["degraded"] else ()
    value = {
        "calibrator.json": calibrator.to_dict(),
        "conformal.json": sets["fitted"],
        "report.json": jsonable({**report, **sets["report"]}),
    }
    metadata = jsonable(_key_numbers(report, sets["report"]))
    return Result(value, metadata | _picture(report), degraded)


def _conformal(
    chosen: dict[str, Any], raw: np.ndarray, known: Examples, coverage: float
) -> dict[str, dict[str, Any]]:
    """The released threshold, and how sets hold on forward-calibrated events, before and after.

    The threshold is fitted on all forward-calibrated events, each calibrated by an earlier
    fit of the chosen method, while the released calibrator is fitted on the whole slice: the
    scores that meet the threshold later come from a slightly better fit.  The report's sets
    are fitted on the first half and judged on the second.  Without events every set is full.
    """
    import numpy as np

    from ares_assets.evidence.calibration import conformal_probability
    from ares_assets.evidence.conformal import ConformalSets, fit_conformal
    from ares_assets.evidence.reliability import overlap_groups

    if not len(known):
        always_full = ConformalSets("lac", coverage, np.inf, 0)
        nothing = {"judged": 0}
        report = {"conformal": nothing, "conformal_before": nothing, "adaptive": nothing}
        return {"fitted": always_full.to_dict(), "report": report}
    forward = conformal_probability(
        chosen["method"],
        raw,
        known.labels,
        known.weights,
        known.rows,
        known.t1_rows,
        forward=chosen["degraded"] is None,
    )
    tested = np.flatnonzero(~np.isnan(forward))
    groups = overlap_groups(known.rows[tested], known.t1_rows[tested])
    fitted = fit_conformal(forward[tested], known.labels[tested], coverage=coverage, groups=groups)
    return {
        "fitted": fitted.to_dict(),
        "report": _judged(forward[tested], raw[tested], known, tested, coverage),
    }


def _judged(
    forward: np.ndarray, raw: np.ndarray, known: Examples, tested: np.ndarray, coverage: float
) -> dict[str, Any]:
    """Coverage on the forward events: calibrated, as they came, and with an adaptive level."""
    from ares_assets.evidence.adaptive import adaptive_report
    from ares_assets.evidence.conformal import true_scores
    from ares_assets.evidence.coverage import judged_coverage

    labels, rows, t1_rows = (values[tested] for values in (known.labels, known.rows, known.t1_rows))
    scores = true_scores("lac", forward, labels)
    return {
        "conformal": judged_coverage(forward, labels, rows, t1_rows, coverage=coverage),
        "conformal_before": judged_coverage(raw, labels, rows, t1_rows, coverage=coverage),
        "adaptive": adaptive_report(scores, rows, t1_rows, coverage=coverage),
    }


def _key_numbers(report: dict[str, Any], sets: dict[str, Any]) -> dict[str, Any]:
    names = ("ece", "ece_noise_floor", "ece_noise_95", "brier", "log_loss", "spiegelhalter_p")
    numbers: dict[str, Any] = {"method": report["method"], "events": report["events"]}
    for when in ("before", "after"):
        found = report[when] or {}
        numbers |= {f"{name}_{when}": found.get(name) for name in names}
    numbers["coverage_before"] = sets["conformal_before"].get("coverage")
    for name in ("coverage", "coverage_low", "coverage_high", "abstention"):
        numbers[name] = sets["conformal"].get(name)
    numbers["coverage_adaptive"] = sets["adaptive"].get("coverage")
    return numbers


def _picture(report: dict[str, Any]) -> dict[str, str]:
    """The reliability diagram; none where nothing could be judged."""
    from ares_assets.evidence_pictures import reliability_picture

    if report["before"] is None:
        return {}
    return {"picture": reliability_picture(report["before"]["table"], report["after"]["table"])}


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
