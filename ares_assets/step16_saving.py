"""Step 16, Saving: an inference-only bundle, verified against what was validated.

Belongs here: assembling the bundle, with the verdict on it.  Does not belong here: the verdict
(step 15), and acting on it, which waits for the checks (``releasing.py``).
"""

from __future__ import annotations

from ares_assets.engine import Result, StepSpec, Work
from ares_assets.releasing import release
from ares_assets.step15_rivals import challenger_identity
from ares_resources.errors import AresError
from ares_resources.storage.artifacts import Artifact


def model_release(
    work: Work,
    market_data: Artifact,
    market_regimes: Artifact,
    final_parameters: Artifact,
    walk_forward_report: Artifact,
    ab_test_report: Artifact,
) -> Result:
    """The files of the served model, verified against the decisions that were validated.

    Raises
    ------
    AresError
        If the bundle, loaded anew, would decide differently, or the gate's table does not bear
        out its verdict.
    """
    from ares_assets.evidence.gate import contradiction
    from ares_assets.release.partition_model import PartitionModel
    from ares_assets.release.served_model import ServedModel
    from ares_assets.release.verification import reload_difference

    model = PartitionModel.from_files(final_parameters.load())
    files = ServedModel(model, market_regimes.load()["model.json"]).to_files()
    frame, walk = market_data.load(), walk_forward_report.load()
    where = {name: walk_forward_report.metadata[name] for name in ("first_row", "history_row")}
    difference = reload_difference(files, frame, walk["decisions.parquet"], **where)
    if difference is not None:
        raise AresError(f"the bundle does not decide as the validated model did: {difference}")
    verdict, report = ab_test_report.metadata["verdict"], ab_test_report.load()
    wrong = contradiction(verdict, report["gate"], ab_test_report.degraded)
    if wrong is not None:
        raise AresError(f"the release gate does not bear out its verdict: {wrong}")
    metadata = {
        "verdict": verdict,
        "judged_against": ab_test_report.metadata["champion"],
        "reason": ab_test_report.metadata["reason"],
        "loosened": ab_test_report.metadata["loosened"],
        "bundle_files": len(files),
        "bundle_bytes": sum(len(data) for data in files.values()),
        "validated_decisions": len(walk["decisions.parquet"]),
        "identity": challenger_identity(
            {"final_parameters": final_parameters, "market_data": market_data}
        ),
        "rollout": report["rollout"],
    }
    return Result(files, metadata)


SPEC = StepSpec(
    number=16,
    name="model_release",
    title="Saving",
    description="The inference-only bundle with its record, in the release store and registry.",
    group="release",
    kind="bundle",
    inputs=(
        "market_data",
        "market_regimes",
        "final_parameters",
        "walk_forward_report",
        "ab_test_report",
    ),
    uses=(),
    function=model_release,
    once_passed=release,
)
