"""What follows from step 16 once all its checks have passed: release, rollout, registry.

Belongs here: publishing the bundle, beginning its rollout by the verdict alone, registering it.
Does not belong here: the bundle's making (``step16_saving.py``), whether the checks have passed
(``passed_checks.py``), how a release stands since (``release_standing.py``), the store and MLflow.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ares_assets.engine import Work
from ares_assets.step15_rivals import NO_CHAMPION, release_store
from ares_resources.errors import AresError
from ares_resources.provenance import code_fingerprint, commit, library_versions
from ares_resources.storage.artifacts import Artifact

if TYPE_CHECKING:
    from ares_resources.storage.releases import Release, ReleaseStore

_UNREGISTERED = "trained, not registered"


def release(work: Work, artifact: Artifact) -> dict[str, Any]:
    """Put the bundle among the releases, begin its rollout by the verdict, and register it.

    Safe to repeat: the same bundle is one version, promoted and registered once, and never
    promoted over another than it was judged against, nor after it was rolled back.  So a run
    that was cut off anywhere in here is finished by the next.  With the registry away the model
    is released locally, and the next run registers it.

    Returns
    -------
    Where the bundle stands, whether it is live, and its version in the registry.
    """
    store = release_store(work)
    version = store.publish(artifact.load(), _record(work, artifact))
    if artifact.metadata["verdict"] == "promote":
        _promote(store, version, artifact)
    registered = _register(work, store, version)
    store.prune(work.request.settings.release.keep_versions)
    return {"bundle": str(version.folder), **_stands(store, version.sha256, registered)}


def held_back(work: Work, artifact: Artifact, hindrance: str) -> dict[str, Any]:
    """The same figures of a bundle that may not be acted on, and so was not touched."""
    from ares_assets.release_standing import bundle_hash

    registered = f"{_UNREGISTERED}: {hindrance}"
    stands = _stands(release_store(work), bundle_hash(artifact), registered)
    return {"bundle": str(artifact.folder), **stands}


def _stands(store: ReleaseStore, sha256: str, registered: str) -> dict[str, Any]:
    champion = store.champion()
    return {
        "bundle_sha256": sha256,
        "live": champion is not None and champion.sha256 == sha256,
        "share": store.shares().get(sha256, 0.0),
        "withdrawn": store.withdrawn(sha256) or "",
        "registered": registered,
    }


def _promote(store: ReleaseStore, version: Release, artifact: Artifact) -> None:
    """Let it serve the first stage's share; what served before goes on serving the rest."""
    from ares_resources.storage.rollouts import RolloutStore

    against, start = artifact.metadata["judged_against"], artifact.metadata["rollout"]
    store.promote(
        version,
        identity=artifact.metadata["identity"],
        judged_against=None if against == NO_CHAMPION else against,
        share=start["plan"]["share"],
        before=lambda: RolloutStore(store.root, version.sha256).begin(start),
    )


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


def _register(work: Work, store: ReleaseStore, version: Release) -> str:
    """The registry's version, or why there is none."""
    from ares_resources.released_alias import register_release

    settings, home = work.request.settings, work.workspace.home
    if not settings.tracking.enabled:
        return f"{_UNREGISTERED}: tracking is switched off"
    try:
        return register_release(home, settings, store, version, work.tracking_run_id)
    except AresError as away:
        return f"{_UNREGISTERED}: {away}"
