"""Which blocking checks a stored result has passed, and under which tolerances.

Belongs here: the memory that lets a run which would compute nothing be answered without
Dagster, but never past a check that failed, or that other tolerances might fail; and whether
all that a release hangs on has passed.  Does not belong here: the checks (``check_list.py``).

The tolerances are no part of a step's key, since no result depends on them; so a result is
found again under other ones, and only this memory tells that it was not judged by them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from ares_assets.check_list import CHECKS, CheckSpec
from ares_assets.steps import STEPS
from ares_resources.home import Home
from ares_resources.settings import Settings
from ares_resources.storage.artifacts import Artifact
from ares_resources.storage.atomic import write_forgettable


def remember(
    home: Home, artifact: Artifact, check: CheckSpec, settings: Settings, passed: bool
) -> None:
    """Note that an artifact passed a blocking check, or forget that it ever did."""
    if not check.blocking:
        return
    mark = _mark(home, artifact, check)
    if not passed:
        mark.unlink(missing_ok=True)
        return
    if _read(mark) != _tolerances(settings):
        # A mark that is lost or torn is a check that has not passed: it is made again.
        write_forgettable(mark, _tolerances(settings))
    _remove_orphans(mark.parent, artifact.folder.parent)


def unpassed(home: Home, artifact: Artifact, settings: Settings) -> list[str]:
    """The blocking checks that the artifact has not passed under these tolerances."""
    if artifact.skipped is not None:
        return []
    return [
        check.name
        for check in CHECKS
        if check.asset == artifact.place.asset
        and check.blocking
        and _read(_mark(home, artifact, check)) != _tolerances(settings)
    ]


def forget(home: Home, artifact: Artifact) -> None:
    """Let an artifact's blocking checks count as not passed, until they pass again."""
    for check in CHECKS:
        if check.asset == artifact.place.asset and check.blocking:
            _mark(home, artifact, check).unlink(missing_ok=True)


def hindrance(home: Home, results: Mapping[str, Artifact], settings: Settings) -> str | None:
    """Why the last of these steps' results may not be acted on yet; None: it may.

    It may once all sixteen stand, each made from the others, and each has passed its blocking
    checks under these tolerances.
    """
    for spec in STEPS:
        artifact = results.get(spec.name)
        if artifact is None or artifact.skipped is not None:
            return f"there is no {spec.name}"
        for name in spec.inputs:
            if artifact.manifest["inputs"].get(name) != results[name].sha256:
                return f"{spec.name} was made from another {name} than the one that stands"
        left = unpassed(home, artifact, settings)
        if left:
            return f"{spec.name} has not passed its check {left[0]}"
    return None


def _mark(home: Home, artifact: Artifact, check: CheckSpec) -> Path:
    return artifact.place.below(home.checks) / f"{artifact.key}-{check.name}"


def _tolerances(settings: Settings) -> bytes:
    text = json.dumps(settings.checks.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest().encode()


def _read(mark: Path) -> bytes | None:
    try:
        return mark.read_bytes()
    except FileNotFoundError:
        return None


def _remove_orphans(marks: Path, artifacts: Path) -> None:
    """Marks of results that were pruned tell nothing any more."""
    for mark in marks.iterdir():
        key = mark.name.partition("-")[0]
        if not mark.name.startswith(".") and not (artifacts / key).is_dir():
            mark.unlink(missing_ok=True)
