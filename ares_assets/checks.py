"""The Dagster skin of the asset checks: what is re-established on every run, not assumed.

Belongs here: turning a CheckSpec into a blocking (or warning), partition-aware check, its
figures into metadata, its outcome into memory.  Does not belong here: which checks there are
and why they block (``check_list.py``), and checks of values before they are stored (the steps
and the core make those).

Each has the partitioning of its asset, else Dagster would load every partition.
"""

import warnings

import dagster as dg

from ares_assets import check_list, passed_checks
from ares_assets.check_list import CheckSpec
from ares_assets.partitions import partitions
from ares_assets.readable import shown
from ares_assets.stored import stored_artifacts


def as_check(spec: CheckSpec) -> dg.AssetChecksDefinition:
    """The check of a spec; a failed blocking one has severity ERROR and stops the run."""
    severity = dg.AssetCheckSeverity.ERROR if spec.blocking else dg.AssetCheckSeverity.WARN

    def checked(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        stored = stored_artifacts(context.resources.workspace, str(context.partition_key))
        finding = spec.body(stored)
        passed_checks.remember(
            stored.workspace.home, stored[spec.asset], spec, stored.settings, finding.passed
        )
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
            required_resource_keys={"workspace"},
        )(checked)


CHECKS = [as_check(spec) for spec in check_list.CHECKS]
