"""Turning measured trees into what JSON can carry.

Belongs here: the one conversion that every report of this room uses, so that none of them
contains NaN or infinity.  Does not belong here: writing files.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np


def finite_or_none(value: float | np.floating | None) -> float | None:
    """A finite Python float, or None for NaN, infinities and None."""
    if value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def jsonable(tree: Any) -> Any:
    """Plain dicts, lists, strings and finite numbers; not-a-numbers become None.

    Raises
    ------
    TypeError
        A leaf that JSON has no form for.
    """
    if tree is None or isinstance(tree, str | bool | int):
        return tree
    if isinstance(tree, np.bool_ | np.integer):
        return tree.item()
    if isinstance(tree, float | np.floating):
        return finite_or_none(tree)
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        return {f.name: jsonable(getattr(tree, f.name)) for f in dataclasses.fields(tree)}
    if isinstance(tree, Mapping):
        return {str(key): jsonable(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple | np.ndarray):
        return [jsonable(value) for value in tree]
    raise TypeError(f"{type(tree).__name__} {tree!r} has no JSON form")
