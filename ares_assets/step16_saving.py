"""Step 16, Saving: an inference-only bundle, its record, and the registry.

Belongs here: assembling the bundle, publishing it, moving the alias by the verdict alone.
Does not belong here: the verdict (step 15), the release store and MLflow.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ares_assets.engine import Result, StepSpec, Work
from ares_assets.step15_rivals import NO_CHAMPION, challenger_identity, release_store
from ares_resources.errors import AresError
from ares_resources.provenance import code_fingerprint, commit, library_versions
from ares_resources.storage.artifacts import Artifact

if TYPE_CHECKING:
    from ares_resources.storage.releases import Release, ReleaseStore

_STATUS = {
    "promote": "released",
    "keep": "kept",
    "insufficient evidence": "insufficient evidence",
}
_UNREGISTERED = "trained, not registered"


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
        "status": _STATUS[verdict],
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


def publish(work: Work, artifact: Artifact) -> dict[str, Any]:
    """Put the bundle among the releases, begin its rollout by the verdict, and register it.

    Safe to repeat in the run that made the verdict: the same bundle is one version, promoted
    and registered once.  With the registry away the model is trained and released locally,
    and the next run registers it.
    """
    store = release_store(work)
    release = store.publish(artifact.load(), _record(work, artifact))
    if artifact.metadata["verdict"] == "promote":
        _promote(store, release, artifact)
    facts = register_release(work, artifact)
    store.prune(work.request.settings.release.keep_versions)
    return facts


def _promote(store: ReleaseStore, release: Release, artifact: Artifact) -> None:
    """Let it serve the first stage's share; what served before goes on serving the rest."""
    from ares_resources.storage.rollouts import RolloutStore

    against, start = artifact.metadata["judged_against"], artifact.metadata["rollout"]
    store.promote(
        release,
        identity=artifact.metadata["identity"],
        judged_against=None if against == NO_CHAMPION else against,
        share=start["plan"]["share"],
        before=lambda: RolloutStore(store.root, release.sha256).begin(start),
    )


def register_release(work: Work, artifact: Artifact) -> dict[str, Any]:
    """Where the bundle stands, whether it is live, and its version in the registry.

    A bundle that the registry did not take before is offered again; nothing is promoted here,
    so that looking at an old result cannot make it live.
    """
    store = release_store(work)
    release = store.publish(artifact.load(), _record(work, artifact))
    champion = store.champion()
    return {
        "bundle": str(release.folder),
        "bundle_sha256": release.sha256,
        "live": champion is not None and champion.sha256 == release.sha256,
        "share": store.shares().get(release.sha256, 0.0),
        "withdrawn": store.withdrawn(release.sha256) or "",
        "registered": _register(work, release.sha256, release.folder),
    }


def _record(work: Work, artifact: Artifact) -> dict[str, Any]:
    """How, when and from what the bundle was made."""
    return {
        "run_id": work.request.run_id,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "code": code_fingerprint(),
        "libraries": library_versions(),
        "partition": work.request.partition,
        "mode": work.request.settings.mode,
        "settings": work.request.settings.model_dump(mode="json"),
        "inputs": dict(artifact.manifest["inputs"]),
        "degraded": artifact.degraded,
        "result": artifact.metadata,
    }


def _register(work: Work, sha256: str, folder: Path) -> str:
    """The registry's version, or why there is none; its alias follows the live version."""
    settings, store = work.request.settings, release_store(work)
    if not settings.tracking.enabled:
        return f"{_UNREGISTERED}: tracking is switched off"
    name = f"ares-{work.request.symbol.folder}-{work.request.regime}"
    champion = store.champion()
    live = champion is not None and champion.sha256 == sha256
    from ares_resources.tracking import move_alias, register, registry_identity

    home = work.workspace.home
    known, at = store.record(sha256), registry_identity(settings, home)
    if known.get("registered_at") == at and not (live and store.alias() != f"{at} {sha256}"):
        return str(known["registered_version"])
    try:
        version = register(
            home,
            settings,
            name=name,
            bundle=folder,
            sha256=sha256,
            run_id=work.tracking_run_id,
        )
        at = registry_identity(settings, home)
        if live:
            move_alias(home, settings, name=name, version=version)
            store.note_alias(f"{at} {sha256}")
    except AresError as away:
        return f"{_UNREGISTERED}: {away}"
    store.amend_record(sha256, registered_at=at, registered_version=version)
    return version


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
    after=publish,
)
