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
from ares_resources.storage.frames import NULLABLE, Rows, utc

OnConflict = Literal["refuse", "keep_first", "keep_last"]


@dataclass(frozen=True)
class Conflict:
    """Timestamps whose rows disagree: how many (of all duplicates), and the first with two rows."""

    timestamps: int
    duplicates: int
    first_ms: int
    kept: str
    against: str

    def __str__(self) -> str:
        return (
            f"{self.timestamps} conflicting duplicate timestamps "
            f"(of {self.duplicates} duplicates); "
            f"the first is {utc(self.first_ms)}: {self.kept} against {self.against}"
        )


@dataclass(frozen=True)
class Merged:
    """The sorted, unique outcome; the counts have one entry for each incoming part.

    ``won`` are the timestamps whose row was not there before, by the part that gave it.
    """

    rows: Rows
    added: np.ndarray
    repeated: np.ndarray
    conflicting: np.ndarray
    won: list[np.ndarray]
    duplicates: int
    changed: bool
    conflict: Conflict | None


def check_on_conflict(on_conflict: str) -> None:
    """Raise BadInput if this is not a way to treat conflicts."""
    if on_conflict not in get_args(OnConflict):
        allowed = ", ".join(get_args(OnConflict))
        raise BadInput(f"on_conflict {on_conflict!r} is not known; allowed: {allowed}")


def merge(old: Rows, parts: Sequence[Rows], kind: str, on_conflict: str) -> Merged:
    """Lay ``parts`` over ``old``, all conforming rows of one kind.

    Rows of one timestamp are taken in the order in which they come (``old``, then the
    parts, each in its own order).  A known value completes an unknown one; two different
    known values are a conflict.
    """
    stacked = concatenated([old, *parts])
    if ascending(stacked["timestamp"]):
        return _disjoint(stacked, parts)
    lengths = [length(old), *(length(part) for part in parts)]
    owner = np.repeat(np.arange(-1, len(parts)), lengths)
    order = np.argsort(stacked["timestamp"], kind="stable")
    stacked, owner = taken(stacked, order), owner[order]
    stamps = stacked["timestamp"]
    first = np.r_[True, stamps[1:] != stamps[:-1]]
    completed = _completed(stacked, kind, first)
    differs = _differs_from_previous(completed, first)
    group = np.cumsum(first) - 1
    disputed = np.bincount(group, weights=differs) > 0
    duplicates = int((np.bincount(group) > 1).sum())
    chosen = _winners(first, disputed, on_conflict)
    kept = taken(completed, chosen)
    for name in NULLABLE[kind]:  # a row that won a dispute takes nothing over from the loser
        kept[name] = np.where(disputed, stacked[name][chosen], kept[name])
    return Merged(
        rows=kept,
        added=_count(owner, first, len(parts)),
        repeated=_count(owner, ~first & ~differs, len(parts)),
        conflicting=_count(owner, differs, len(parts)),
        won=_won(stamps, owner, first, disputed, chosen, len(parts)),
        duplicates=duplicates,
        changed=not equal(kept, old),
        conflict=_describe(stacked, differs, int(disputed.sum()), duplicates),
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
    won = [part["timestamp"] for part in parts]
    return Merged(rows, counts, none, none.copy(), won, 0, bool(counts.sum()), None)


def _completed(stacked: Rows, kind: str, first: np.ndarray) -> Rows:
    """Unknown values taken over from the last earlier row of the same timestamp that knows."""
    completed = dict(stacked)
    starts = np.maximum.accumulate(np.where(first, np.arange(len(first)), 0))
    for name in NULLABLE[kind]:
        values = stacked[name]
        known = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(len(values))))
        completed[name] = np.where(known >= starts, values[known], np.nan)
    return completed


def _differs_from_previous(stacked: Rows, first: np.ndarray) -> np.ndarray:
    differs = np.zeros(len(first), dtype=bool)
    later = np.flatnonzero(~first)
    for name, values in stacked.items():
        if name != "timestamp":
            here, before = values[later], values[later - 1]
            differs[later] |= (here != before) & ~np.isnan(here) & ~np.isnan(before)
    return differs


def _winners(first: np.ndarray, disputed: np.ndarray, on_conflict: str) -> np.ndarray:
    starts = np.flatnonzero(first)
    ends = np.r_[starts[1:], len(first)] - 1
    return np.where(disputed, starts, ends) if on_conflict == "keep_first" else ends


def _count(owner: np.ndarray, chosen: np.ndarray, parts: int) -> np.ndarray:
    return np.bincount(owner[chosen & (owner >= 0)], minlength=parts)


def _won(
    stamps: np.ndarray,
    owner: np.ndarray,
    first: np.ndarray,
    disputed: np.ndarray,
    chosen: np.ndarray,
    parts: int,
) -> list[np.ndarray]:
    """Timestamps by the part whose row stands: new ones, and disputes that it won."""
    starts = np.flatnonzero(first)
    giver = np.where(disputed, owner[chosen], owner[starts])
    return [stamps[starts[giver == part]] for part in range(parts)]


def _describe(stacked: Rows, differs: np.ndarray, count: int, duplicates: int) -> Conflict | None:
    if count == 0:
        return None
    row = int(np.argmax(differs))
    stamp = int(stacked["timestamp"][row])
    return Conflict(count, duplicates, stamp, _values(stacked, row - 1), _values(stacked, row))


def _values(stacked: Rows, row: int) -> str:
    pairs = (f"{name} {stacked[name][row]:.10g}" for name in list(stacked)[1:])
    return "(" + ", ".join(pair for pair in pairs if not pair.endswith(" nan")) + ")"
