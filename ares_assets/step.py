"""The Dagster skin of a step: inputs as handles, outcome as events, figures as metadata.

Belongs here: turning a StepSpec into an asset.  Does not belong here: how a step is carried
out (``engine.py``), and what it computes (``step01`` to ``step16``).
"""

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from ares_assets import passed_checks
from ares_assets.column_lineage import column_metadata
from ares_assets.engine import Request, StepSpec, Work, execute
from ares_assets.partitions import parse_partition, partitions
from ares_assets.readable import displayed, shown
from ares_resources import progress
from ares_resources.storage.artifacts import Artifact
from ares_resources.storage.io_managers import SHARED_TAG

_IO_MANAGERS = {"frame": "frames", "bundle": "bundles", "report": "reports"}


def as_asset(spec: StepSpec) -> dg.AssetsDefinition:
    """The asset of a step.

    Its output is not required: a partition that cannot be trained honestly yields an
    observation with the reason, and Dagster then skips what lies downstream.
    """

    @dg.asset(
        name=spec.name,
        description=f"Step {spec.number}, {spec.title}. {spec.description}",
        group_name=spec.group,
        partitions_def=partitions,
        ins={name: dg.AssetIn(dagster_type=Artifact) for name in spec.inputs},
        io_manager_key=_IO_MANAGERS[spec.kind],
        required_resource_keys={"workspace", "tracking"},
        output_required=False,
        kinds={spec.kind},
        # Of the steps whose inputs stand, the one of the lowest number is carried out first.
        op_tags={"dagster/priority": str(-spec.number)},
        metadata={SHARED_TAG: spec.shared, "step": spec.number},
    )
    def body(
        context: dg.AssetExecutionContext, **inputs: Artifact
    ) -> Iterator[dg.Output[Artifact] | dg.AssetObservation]:
        work = _work(context, spec)
        with _heard(context):
            artifact, reused = execute(work, inputs)
        if artifact.skipped is not None:
            context.log.warning(f"skipped: {artifact.skipped}")
            yield dg.AssetObservation(
                asset_key=spec.name,
                partition=context.partition_key,
                metadata={"skipped": artifact.skipped},
            )
            return
        if spec.once_passed is not None:
            # What earlier runs found does not count: this one's own checks have to pass.
            passed_checks.forget(work.workspace.home, artifact)
        extra = spec.after(work, artifact) if spec.after else {}
        metadata = {**artifact.metadata, **extra}
        for weakness in metadata.get("weaknesses", ()):
            context.log.warning(f"weak: {weakness}")
        context.resources.tracking.log_step(spec.name, metadata)
        columns = column_metadata(work, artifact)
        yield _output(artifact, {**event_metadata(artifact, metadata, reused=reused), **columns})

    return body


class _RunLog(progress.Silent):
    """Waits and notes go to the run's log, where nobody else listens."""

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self._log = context.log

    def waiting(self, what: str, reason: str, attempt: int, attempts: int, seconds: float) -> None:
        """Warn of a wait before the next try."""
        self._log.warning(progress.wait_line(what, reason, attempt, attempts, seconds))

    def noted(self, line: str) -> None:
        """Write it down."""
        self._log.info(line)


def _heard(context: dg.AssetExecutionContext) -> contextlib.AbstractContextManager[None]:
    if isinstance(progress.current(), progress.Silent):
        return progress.listening(_RunLog(context))
    return contextlib.nullcontext()


def _output(artifact: Artifact, metadata: Mapping[str, Any]) -> dg.Output[Artifact]:
    with warnings.catch_warnings():
        # Data versions are beta in the pinned Dagster; its upgrade is ours to test.
        warnings.simplefilter("ignore", dg.BetaWarning)
        version = dg.DataVersion(artifact.sha256)
        return dg.Output(artifact, metadata=metadata, data_version=version)


def event_metadata(
    artifact: Artifact, metadata: Mapping[str, Any], *, reused: bool
) -> dict[str, Any]:
    """What the UI shows for a materialization: key numbers, cost, provenance."""
    cost = {f"cost/{name}": value for name, value in artifact.cost.items()}
    return {
        **shown({**metadata, **cost}),
        "reused": reused,
        "degraded": bool(artifact.degraded),
        "degraded_reasons": displayed("degraded_reasons", artifact.degraded),
        "content_sha256": artifact.sha256,
    }


def _work(context: dg.AssetExecutionContext, spec: StepSpec) -> Work:
    resource = context.resources.workspace
    regime, symbol = parse_partition(str(context.partition_key))
    request = Request(
        symbol=symbol,
        regime=regime,
        settings=resource.request_settings(),
        as_of_ms=resource.as_of_ms(),
        offline=resource.offline(),
        run_id=context.run.run_id,
    )
    tracker = context.resources.tracking
    return Work(spec, request, resource.workspace(), tracking_run_id=tracker.run_id)
