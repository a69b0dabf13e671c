"""What a run has stored so far, as the checks see it, and what a check finds.

Belongs here: gathering a partition's artifacts with the request they answer, and the form of
a finding.  Does not belong here: judging (``leak_proof/``, ``market_checks.py``), Dagster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ares_assets.engine import Request, place_of
from ares_assets.partitions import parse_partition
from ares_assets.steps import STEPS
from ares_resources.storage.artifacts import Artifact

if TYPE_CHECKING:
    from ares_resources.dagster_resources import WorkspaceResource
    from ares_resources.settings import Settings
    from ares_resources.workspace import Workspace


@dataclass(frozen=True)
class Finding:
    """Whether all is as it must be, that in one line, and the figures behind it."""

    passed: bool
    words: str
    figures: Mapping[str, Any] = field(default_factory=dict)


class Stored(dict[str, Artifact]):
    """The run's artifacts by asset, with the request they answer and where they stand."""

    request: Request
    workspace: Workspace

    @property
    def settings(self) -> Settings:
        """All settings of the run: a check may read what its asset's key does not hold."""
        return self.request.settings


def stored_artifacts(resource: WorkspaceResource, key: str) -> Stored:
    """What the run has stored so far for a partition."""
    regime, symbol = parse_partition(key)
    found = Stored()
    found.workspace = resource.workspace()
    found.request = Request(
        symbol=symbol,
        regime=regime,
        settings=resource.request_settings(),
        as_of_ms=resource.as_of_ms(),
        offline=resource.offline(),
        run_id=resource.run_id() or "",
    )
    for spec in STEPS:
        artifact = found.workspace.store.pointed(
            place_of(spec, found.request), run_id=resource.run_id(), mode=found.settings.mode
        )
        if artifact is not None:
            found[spec.name] = artifact
    return found
