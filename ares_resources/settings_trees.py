"""Trees of settings as people write them: merging, and what kind of value stands where.

Belongs here: laying one tree over another, refusing a value of the wrong kind, and showing a
value in a message.  Does not belong here: which settings there are (``settings.py``), and
reading files or tags.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from ares_resources.errors import BadInput

_MOST_LEVELS = 8
_SHOWN = 80
# What else a number or a truth could be read from without a word: ``true`` as 1, bytes as text.
_NUMBERS = (int, float)
_TRUTHS = "true or false"


def merge_trees(*trees: Mapping[str, Any]) -> dict[str, Any]:
    """The trees laid over each other, key by key; a later one wins, and none is changed.

    An empty group (null) sets nothing.

    Raises
    ------
    BadInput
        Where a group is a plain value in one tree and a mapping in another, a key is not text,
        or groups are nested deeper than any setting.
    """
    merged: dict[str, Any] = {}
    for tree in trees:
        _merge(merged, tree, ())
    return merged


def checked_kind(value: Any, annotation: Any) -> Any:
    """The value, if its kind can be meant for a setting of this type; an empty group for null.

    Raises
    ------
    ValueError
        A truth for a number, a number for a truth, or no list where one is needed.
    """
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {} if value is None else value
    if isinstance(value, bytes | bytearray):
        raise ValueError("bytes are no setting")
    if annotation is bool and (
        value in ("0", "1") if isinstance(value, str) else not isinstance(value, bool)
    ):
        raise ValueError(f"allowed: {_TRUTHS}")
    if annotation in _NUMBERS and isinstance(value, bool):
        raise ValueError(f"allowed: a number, not {_TRUTHS}")
    if typing.get_origin(annotation) is tuple:
        _check_list(value, typing.get_args(annotation))
    return value


def shown(value: Any) -> str:
    """A value for a message of one line."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # an integer too long to be written
        return f"a {type(value).__name__} too long to show"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _check_list(value: Any, kinds: tuple[Any, ...]) -> None:
    if not isinstance(value, list | tuple):
        raise ValueError("allowed: a list")
    for one in value:
        if isinstance(one, bool) and any(kind in _NUMBERS for kind in kinds):
            raise ValueError(f"allowed: numbers, not {_TRUTHS}")


def _merge(into: dict[str, Any], tree: Mapping[str, Any], path: tuple[str, ...]) -> None:
    if not isinstance(tree, Mapping):
        raise BadInput(f"configuration must be a mapping, not {shown(tree)}")
    if len(path) > _MOST_LEVELS:
        raise BadInput(f"configuration: {'.'.join(path)} is nested deeper than any setting")
    for key, value in tree.items():
        if not isinstance(key, str):
            where = f" in {'.'.join(path)}" if path else ""
            raise BadInput(f"configuration: key {shown(key)}{where} is not text; write a name")
        standing = into.get(key)
        if isinstance(value, Mapping):
            if standing is None:
                standing = into[key] = {}
            if not isinstance(standing, dict):
                where = ".".join((*path, key))
                raise BadInput(f"configuration: {where} = {shown(standing)}; allowed: a mapping")
            _merge(standing, value, (*path, key))
        elif value is not None or not isinstance(standing, dict):
            into[key] = value
