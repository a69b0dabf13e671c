"""What a partition's run would find already done.

Belongs here: walking the steps without computing any.  Does not belong here: running them
(Dagster does), and showing the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ares_assets.engine import Request, StepSpec, Work, outside_state, place_of, step_key
from ares_assets.passed_checks import unpassed
from ares_assets.steps import STEPS
from ares_resources.storage.artifacts import Artifact
from ares_resources.workspace import Workspace


def stored_results(request: Request, workspace: Workspace) -> dict[str, Artifact] | None:
    """The artifact of every step, if all are stored under their present keys; else None.

    None, too, where one of them has not passed each of its blocking checks under the present
    tolerances: a run must judge it.  Step 1 still asks its source for new bars, since only
    that can tell that nothing changed.  A skipped step ends the walk: what lies downstream is
    skipped with it.
    """
    found: dict[str, Artifact] = {}
    for spec in STEPS:
        inputs = {name: found[name] for name in spec.inputs}
        artifact = _stored(Work(spec, request, workspace), inputs)
        if artifact is None or unpassed(workspace.home, artifact, request.settings):
            return None
        found[spec.name] = artifact
        if artifact.skipped is not None:
            return found
    return found


def latest_results(request: Request, workspace: Workspace) -> dict[str, Artifact]:
    """What this run, or the latest of its mode, left behind, step by step."""
    found: dict[str, Artifact] = {}
    for spec in STEPS:
        artifact = _latest(spec, request, workspace)
        if artifact is None:
            break
        found[spec.name] = artifact
        if artifact.skipped is not None:
            break
    return found


def _stored(work: Work, inputs: Mapping[str, Artifact]) -> Artifact | None:
    key = step_key(replace(work, outside=outside_state(work, inputs)), inputs)
    return work.workspace.store.find_intact(work.place, key)


def _latest(spec: StepSpec, request: Request, workspace: Workspace) -> Artifact | None:
    return workspace.store.pointed(
        place_of(spec, request), run_id=request.run_id, mode=request.settings.mode
    )
