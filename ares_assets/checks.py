"""The Dagster skin of the asset checks: what is re-established on every run, not assumed.

Belongs here: turning a CheckSpec into a blocking (or warning), partition-aware check, its
figures into metadata, its outcome into memory, and, once all of an asset's have passed, letting
the step act on it.  Does not belong here: which checks there are
and why they block (``check_list.py``), and checks of values before they are stored (the steps
and the core make those).

Each has the partitioning of its asset, else Dagster would load every partition.
"""

import warnings

import dagster as dg

from ares_assets import check_list, passed_checks
from ares_assets.check_list import CheckSpec
from ares_assets.engine import StepSpec, Work
from ares_assets.partitions import partitions
from ares_assets.readable import shown
from ares_assets.steps import STEPS
from ares_assets.stored import Stored, stored_artifacts
from ares_resources.blas import one_blas_thread


def as_check(spec: CheckSpec) -> dg.AssetChecksDefinition:
    """The check of a spec; a failed blocking one has severity ERROR and stops the run."""
    step = next(one for one in STEPS if one.name == spec.asset)
    acts = spec.blocking and step.once_passed is not None
    severity = dg.AssetCheckSeverity.ERROR if spec.blocking else dg.AssetCheckSeverity.WARN

    def checked(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        stored = stored_artifacts(context.resources.workspace, str(context.partition_key))
        # As the steps compute: proofs make results again and compare their bytes.
        with one_blas_thread():
            finding = spec.body(stored)
        passed_checks.remember(
            stored.workspace.home, stored[spec.asset], spec, stored.settings, finding.passed
        )
        if acts and finding.passed:
            _act(context, step, stored)
        return dg.AssetCheckResult(
            passed=finding.passed,
            severity=severity,
            description=finding.words,
            metadata=shown(finding.figures),
        )

    with warnings.catch_warnings():
        # Partitioned checks are a preview in the pinned Dagster; its upgrade is ours to test.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.asset_check(
            asset=dg.AssetKey(spec.asset),
            name=spec.name,
            description=spec.description,
            blocking=spec.blocking,
            partitions_def=partitions,
            required_resource_keys={"workspace", "tracking"} if acts else {"workspace"},
        )(checked)


def _act(context: dg.AssetCheckExecutionContext, step: StepSpec, stored: Stored) -> None:
    """Do what waits for all checks of a result, in whichever of them comes last.

    Checks run in any order and, with the multiprocess executor, at once; each asks after its own
    pass was noted, so the last one, and perhaps another beside it, finds that all have passed.
    What else hinders it then, such as a check of an earlier step, no later check will tell.
    """
    home, artifact = stored.workspace.home, stored[step.name]
    if step.once_passed is None or passed_checks.unpassed(home, artifact, stored.settings):
        return
    hindrance = passed_checks.hindrance(home, stored, stored.settings)
    if hindrance is not None:
        context.log.warning(f"not released: {hindrance}")
        return
    tracking_run_id = context.resources.tracking.run_id
    work = Work(step, stored.request, stored.workspace, tracking_run_id=tracking_run_id)
    facts = step.once_passed(work, artifact)
    context.op_execution_context.log_event(
        dg.AssetObservation(
            asset_key=step.name, partition=str(context.partition_key), metadata=shown(facts)
        )
    )


CHECKS = [as_check(spec) for spec in check_list.CHECKS]
