"""A step carried out again on what it may read alone, against what it stored.

Belongs here: handing a step's function other inputs, and comparing what it makes.  Does not
belong here: what each step may read (``choices.py``, ``tactician_figures.py``).

Only for steps that take next to no time: those that choose or combine, and train little.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ares_assets.stored import Stored
from ares_resources.errors import PartitionSkipped
from ares_resources.workspace import Workspace

_TOLERANCE = 1e-9  # Relative; equal inputs give the same to the bit.


@dataclass(frozen=True)
class _Instead:
    """What a step reads in place of an artifact."""

    value: Any
    metadata: Mapping[str, Any]
    sha256: str

    def load(self) -> Any:
        """The value."""
        return self.value


class _Unrecorded(Workspace):
    """The home without its trial ledger: a proof chooses nothing, so it is no trial."""

    @functools.cached_property
    def ledger(self) -> Any:
        """Takes entries and keeps none."""
        return _NoLedger()


class _NoLedger:
    def record(self, study: str, entries: object) -> None:
        """Nothing."""

    def record_training(self, prefix: str, key: str, reach_ms: int) -> None:
        """Nothing."""


def made_otherwise(stored: Stored, step: str, instead: Mapping[str, Any]) -> str | None:
    """What the step makes of these inputs that is not what it stored; None where all is.

    Parameters
    ----------
    instead
        Values of those inputs that are not as they are stored.
    """
    from ares_assets.engine import Work
    from ares_assets.steps import STEPS

    spec = next(spec for spec in STEPS if spec.name == step)
    read = {name: stored[name] for name in spec.inputs}
    cut = {
        name: _Instead(value, stored[name].metadata, stored[name].sha256)
        for name, value in instead.items()
    }
    work = Work(spec, stored.request, _Unrecorded(stored.workspace.home))
    try:
        again = spec.function(work, **{**read, **cut})
    except PartitionSkipped as reason:
        return f"step {spec.number} has nothing to work on: {reason}"
    kept, figures = stored[step].load(), stored[step].metadata
    if sorted(again.value) != sorted(kept):
        return f"step {spec.number} makes {sorted(again.value)}, but stored are {sorted(kept)}"
    for name in sorted(kept):
        if not alike(again.value[name], kept[name]):
            return f"step {spec.number} makes another {name}"
    for name, figure in again.metadata.items():
        if not alike(figure, figures.get(name)):
            told = figures.get(name)
            return f"{name}: {told!r} is told, but step {spec.number} makes {figure!r}"
    return None


def alike(left: Any, right: Any) -> bool:
    """Whether two values of a bundle, or figures, are the same up to rounding; bytes exactly."""
    import numpy as np
    import pandas as pd

    if isinstance(left, pd.DataFrame):
        return list(left) == list(right) and all(
            alike(left[name].to_numpy(), right[name].to_numpy()) for name in left
        )
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return sorted(left) == sorted(right) and all(alike(left[k], right[k]) for k in left)
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(map(alike, left, right))
    if isinstance(left, (str, bytes)):
        return bool(left == right)
    one, other = np.asarray(left), np.asarray(right)
    if one.shape != other.shape:
        return False
    if one.dtype.kind == "f" and other.dtype.kind in "if":
        return np.allclose(one, other, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True)
    return np.array_equal(one, other)
