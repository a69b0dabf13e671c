"""How a partition stands: the verdict of its training, and what became of the model since.

Belongs here: one word and one line from step 16's result and the release store, the same for
the command that trains and for ``ares status``.  Does not belong here: moving anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ares_assets.step15_rivals import NO_CHAMPION
from ares_resources.storage.artifacts import Artifact

if TYPE_CHECKING:
    from ares_resources.storage.releases import ReleaseStore

_UNPROMOTED = {"keep": "kept", "insufficient evidence": "insufficient evidence"}
WITHDRAWN, UNRELEASED = "rolled back", "not released"


def bundle_hash(artifact: Artifact) -> str:
    """The content hash under which the release store keeps this result's bundle."""
    from ares_resources.storage.releases import content_hash

    return content_hash({name: file["sha256"] for name, file in artifact.manifest["files"].items()})


def standing(store: ReleaseStore, artifact: Artifact) -> tuple[str, str]:
    """How a model of step 16 stands, in a word and in a line.

    ``released``
        The verdict was to promote it, and it serves a share of capital.
    ``rolled back``, ``superseded``
        It did, and was taken back since, or another was promoted.
    ``not released``
        It never did: its checks have not passed, or another was promoted while it was judged.
    ``kept``, ``insufficient evidence``
        The verdict was another.
    """
    told, sha256 = artifact.metadata, bundle_hash(artifact)
    if told["verdict"] != "promote":
        return _UNPROMOTED[told["verdict"]], str(told["reason"])
    withdrawn = store.withdrawn(sha256)
    if withdrawn is not None:
        return WITHDRAWN, withdrawn
    share, live = store.shares().get(sha256, 0.0), store.live_version()
    if live == sha256:
        return "released", str(told["reason"])
    if share > 0.0:
        return "released", f"serves {share:.0%} of capital while {_short(live)} is rolled out"
    return _not_serving(store, sha256, told)


def _not_serving(store: ReleaseStore, sha256: str, told: dict[str, Any]) -> tuple[str, str]:
    against, live = told["judged_against"], store.live_version()
    if (live or NO_CHAMPION) == against:
        words = "the verdict is to promote it, but its checks have not all passed, or a run was cut"
        return UNRELEASED, f"{words} off, or a later model was rolled back; train it again"
    if _was_live(store, sha256):
        return "superseded", f"{_short(live)} is live by now"
    words = f"judged against {_short(against)}, but {_short(live)} is live by now"
    return UNRELEASED, f"{words}; train it again to have it judged against that"


def _was_live(store: ReleaseStore, sha256: str) -> bool:
    from ares_resources.storage.rollouts import RolloutStore

    return RolloutStore(store.root, sha256).root.is_dir() or store.replaced() == sha256


def _short(sha256: str | None) -> str:
    return "no version" if sha256 in (None, NO_CHAMPION) else str(sha256)[:16]
