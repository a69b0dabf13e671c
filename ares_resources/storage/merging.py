"""Bringing rows together that may repeat or contradict each other.

Belongs here: which of several rows of one timestamp stands, and the account of it.  Does
not belong here: files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from ares_resources.errors import BadInput
from ares_resources.storage.frames import NULLABLE, utc

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
    """The sorted, unique outcome; the counts have one entry for each incoming part."""

    frame: pd.DataFrame
    added: np.ndarray
    repeated: np.ndarray
    conflicting: np.ndarray
    duplicates: int
    changed: bool
    conflict: Conflict | None


def check_on_conflict(on_conflict: str) -> None:
    """Raise BadInput if this is not a way to treat conflicts."""
    if on_conflict not in get_args(OnConflict):
        allowed = ", ".join(get_args(OnConflict))
        raise BadInput(f"on_conflict {on_conflict!r} is not known; allowed: {allowed}")


def merge(old: pd.DataFrame, parts: Sequence[pd.DataFrame], kind: str, on_conflict: str) -> Merged:
    """Lay ``parts`` over ``old``, all conforming frames of one kind.

    Rows of one timestamp are taken in the order in which they come (``old``, then the
    parts, each in its own order).  A known value completes an unknown one; two different
    known values are a conflict.
    """
    owner = np.repeat(np.arange(-1, len(parts)), [len(old), *(len(part) for part in parts)])
    stacked = pd.concat([old, *parts], ignore_index=True)
    order = np.argsort(stacked["timestamp"].to_numpy(), kind="stable")
    stacked, owner = stacked.take(order).reset_index(drop=True), owner[order]
    stamps = stacked["timestamp"].to_numpy()
    first = np.r_[True, stamps[1:] != stamps[:-1]][: len(stamps)]
    completed = stacked if first.all() else _completed(stacked, kind, stamps)
    differs = _differs_from_previous(completed, first)
    duplicates = int((np.bincount(np.cumsum(first) - 1) > 1).sum())
    disputed = np.bincount(np.cumsum(first) - 1, weights=differs) > 0
    rows = _winners(first, disputed, on_conflict)
    kept = completed.take(rows).reset_index(drop=True)
    for name in NULLABLE[kind]:  # a row that won a dispute takes nothing over from the loser
        kept[name] = np.where(disputed, stacked[name].to_numpy()[rows], kept[name].to_numpy())
    return Merged(
        frame=kept,
        added=_count(owner, first, len(parts)),
        repeated=_count(owner, ~first & ~differs, len(parts)),
        conflicting=_count(owner, differs, len(parts)),
        duplicates=duplicates,
        changed=not kept.equals(old),
        conflict=_describe(stacked, differs, int(disputed.sum()), duplicates),
    )


def _completed(stacked: pd.DataFrame, kind: str, stamps: np.ndarray) -> pd.DataFrame:
    completed = stacked.copy()
    for name in NULLABLE[kind]:
        values = stacked[name]
        if values.isna().any() and values.notna().any():
            completed[name] = values.groupby(stamps).ffill()
    return completed


def _differs_from_previous(stacked: pd.DataFrame, first: np.ndarray) -> np.ndarray:
    differs = np.zeros(len(stacked), dtype=bool)
    later = np.flatnonzero(~first)
    for name in stacked.columns[1:]:
        values = stacked[name].to_numpy()
        here, before = values[later], values[later - 1]
        differs[later] |= (here != before) & ~np.isnan(here) & ~np.isnan(before)
    return differs


def _winners(first: np.ndarray, disputed: np.ndarray, on_conflict: str) -> np.ndarray:
    starts = np.flatnonzero(first)
    ends = np.r_[starts[1:], len(first)][: len(starts)] - 1
    return np.where(disputed, starts, ends) if on_conflict == "keep_first" else ends


def _count(owner: np.ndarray, chosen: np.ndarray, parts: int) -> np.ndarray:
    return np.bincount(owner[chosen & (owner >= 0)], minlength=parts)


def _describe(
    stacked: pd.DataFrame, differs: np.ndarray, count: int, duplicates: int
) -> Conflict | None:
    if count == 0:
        return None
    row = int(np.argmax(differs))
    stamp = int(stacked["timestamp"].iloc[row])
    return Conflict(count, duplicates, stamp, _values(stacked, row - 1), _values(stacked, row))


def _values(stacked: pd.DataFrame, row: int) -> str:
    pairs = (f"{name} {stacked[name].iloc[row]:.10g}" for name in stacked.columns[1:])
    return "(" + ", ".join(pair for pair in pairs if not pair.endswith(" nan")) + ")"
