"""A stored result of each of the sixteen steps, made from one another, that nothing computed.

Belongs here: publishing them.  Does not belong here: marking checks as passed, and pointers.
"""

from collections.abc import Mapping
from typing import Any

from ares_assets.steps import STEPS
from ares_resources.home import Home
from ares_resources.storage.artifacts import Artifact, ArtifactStore, Place


def result_of_each_step(
    home: Home, metadata: Mapping[str, Any] | None = None
) -> dict[str, Artifact]:
    """By step, of bull|ETHUSDT.SIM, each with this metadata."""
    store = ArtifactStore(home.artifacts, home.runs)
    found: dict[str, Artifact] = {}
    for spec in STEPS:
        found[spec.name] = store.publish(
            Place(spec.name, "ETHUSDT.SIM", None if spec.shared else "bull"),
            "a1",
            {"x.json": {"step": spec.number}},
            kind="bundle",
            inputs={name: found[name].sha256 for name in spec.inputs},
            metadata=metadata or {},
            degraded=[],
        )
    return found
