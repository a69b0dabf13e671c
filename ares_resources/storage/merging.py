"""Bringing rows together that may repeat or contradict each other.

Belongs here: which of several rows of one timestamp stands, and the account of it.  Does
not belong here: files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ares_resources.errors import BadInput
from ares_resources.storage.frames import NULLABLE, Rows

_MINUTE_MS = 60_000
OnConflict = Literal["refuse", "keep_first", "keep_last"]


@dataclass(frozen=True)
class Conflict:
    """The first timestamp whose rows disagree, two of them in words, and whose they are.

    ``giver`` and ``challenger`` are numbers of parts; -1 for what stood before.
    """

    first_ms: int
    kept: str
    against: str
    giver: int
    challenger: int


@dataclass(frozen=True)
class Merged:
    """The sorted, unique outcome; the counts have one entry for each incoming part.

    ``won`` are the timestamps whose row was not there before, by the part that gave it;
    ``duplicates`` and ``disputed`` those of several rows, and of several that disagree.
    """

    rows: Rows
    added: np.ndarray
    repeated: np.ndarray
    conflicting: np.ndarray
    won: list[np.ndarray]
    duplicates: np.ndarray
    disputed: np.ndarray
    changed: bool
    conflict: Conflict | None


def check_on_conflict(on_conflict: str) -> None:
    """Raise BadInput if this is not a way to treat conflicts."""
    if on_conflict not in get_args(OnConflict):
        allowed = ", ".join(get_args(OnConflict))
        raise BadInput(f"on_conflict {on_conflict!r} is not known; allowed: {allowed}")


def merge(old: Rows, parts: Sequence[Rows], kind: str, on_conflict: str) -> Merged:
    """Lay ``parts`` over ``old``, all conforming rows of one kind.

    Rows of one timestamp (of funding: of one minute, since exchanges stamp a settlement some
    milliseconds apart from each other) are taken one after another, ``old`` first, then the
    parts, each in its own order.  A row that agrees with what stands completes its unknown
    values; one that contradicts a known value is a conflict, and replaces it whole under
    "keep_last", else not at all.  So it does not matter how the rows are cut into parts, or
    parts into calls.
    """
    stacked = concatenated([old, *parts])
    if ascending(_moments(stacked["timestamp"], kind)):
        return _disjoint(stacked, parts)
    lengths = [length(old), *(length(part) for part in parts)]
    owner = np.repeat(np.arange(-1, len(parts)), lengths)
    moments = _moments(stacked["timestamp"], kind)
    order = np.argsort(moments, kind="stable")
    stacked, owner, moments = taken(stacked, order), owner[order], moments[order]
    stamps = stacked["timestamp"]
    starts = np.flatnonzero(np.r_[True, moments[1:] != moments[:-1]])
    sizes = np.diff(np.r_[starts, len(stamps)])
    standing, giver = taken(stacked, starts), owner[starts]
    conflicting = np.zeros(len(stamps), dtype=bool)
    disputed = np.zeros(len(starts), dtype=bool)
    conflict: Conflict | None = None
    for nth in range(1, int(sizes.max())):
        groups = np.flatnonzero(sizes > nth)
        rows = starts[groups] + nth
        news, before = taken(stacked, rows), taken(standing, groups)
        differs = _differs(before, news)
        if differs.any() and (conflict is None or stamps[rows[differs][0]] < conflict.first_ms):
            row = int(np.argmax(differs))
            parties = int(giver[groups[row]]), int(owner[rows[row]])
            conflict = Conflict(
                int(news["timestamp"][row]), _values(before, row), _values(news, row), *parties
            )
        conflicting[rows] = differs
        disputed[groups] |= differs
        for name in NULLABLE[kind]:
            fills = ~differs & np.isnan(before[name])
            standing[name][groups[fills]] = news[name][fills]
        if on_conflict == "keep_last":
            for name, values in news.items():
                standing[name][groups[differs]] = values[differs]
            giver[groups[differs]] = owner[rows[differs]]
    is_first = np.zeros(len(stamps), dtype=bool)
    is_first[starts] = True
    return Merged(
        rows=standing,
        added=_count(owner, is_first, len(parts)),
        repeated=_count(owner, ~is_first & ~conflicting, len(parts)),
        conflicting=_count(owner, conflicting, len(parts)),
        won=[standing["timestamp"][giver == part] for part in range(len(parts))],
        duplicates=standing["timestamp"][sizes > 1],
        disputed=standing["timestamp"][disputed],
        changed=not equal(standing, old),
        conflict=conflict,
    )


def length(rows: Rows) -> int:
    """Number of rows."""
    return len(rows["timestamp"])


def ascending(stamps: np.ndarray) -> bool:
    """Whether timestamps are sorted and unique."""
    return bool((stamps[1:] > stamps[:-1]).all())


def concatenated(parts: Sequence[Rows]) -> Rows:
    """The rows of all parts, one after another."""
    filled = [part for part in parts if length(part)] or list(parts[:1])
    if len(filled) == 1:
        return dict(filled[0])
    return {name: np.concatenate([part[name] for part in filled]) for name in filled[0]}


def taken(rows: Rows, positions: np.ndarray) -> Rows:
    """The rows at these positions (or where a mask holds)."""
    return {name: values[positions] for name, values in rows.items()}


def equal(one: Rows, other: Rows) -> bool:
    """Whether two sets of rows are the same; NaN equals NaN."""
    return length(one) == length(other) and all(
        np.array_equal(one[name], other[name], equal_nan=one[name].dtype.kind == "f")
        for name in one
    )


def _disjoint(rows: Rows, parts: Sequence[Rows]) -> Merged:
    """The common case: every row is later than the one before it."""
    counts, none = np.array([length(part) for part in parts]), np.zeros(len(parts), np.int64)
    won, nowhere = [part["timestamp"] for part in parts], rows["timestamp"][:0]
    changed = bool(counts.sum())
    return Merged(rows, counts, none, none.copy(), won, nowhere, nowhere, changed, None)


def _moments(stamps: np.ndarray, kind: str) -> np.ndarray:
    return (stamps + _MINUTE_MS // 2) // _MINUTE_MS if kind == "funding" else stamps


def _differs(standing: Rows, news: Rows) -> np.ndarray:
    """Where some value is known to both and not the same."""
    differs = np.zeros(length(news), dtype=bool)
    for name, here in news.items():
        if name != "timestamp":
            before = standing[name]
            differs |= (here != before) & ~np.isnan(here) & ~np.isnan(before)
    return differs


def _count(owner: np.ndarray, chosen: np.ndarray, parts: int) -> np.ndarray:
    return np.bincount(owner[chosen & (owner >= 0)], minlength=parts)


def _values(rows: Rows, row: int) -> str:
    pairs = (f"{name} {rows[name][row]:.10g}" for name in list(rows)[1:])
    return "(" + ", ".join(pair for pair in pairs if not pair.endswith(" nan")) + ")"
