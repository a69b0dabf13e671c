"""Where two frames of the same rows, or two values, differ, in words that name the place.

Belongs here: comparing, bit for bit (predictions of a refit: up to its rounding).  Does not
belong here: making what is compared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

Pair: TypeAlias = tuple[pd.DataFrame, pd.DataFrame]

_TOLERANCE = 1e-9  # Of a probability; a refit of the same events gives the same to the bit.


def first_difference(
    again: pd.DataFrame, kept: pd.DataFrame, rows: np.ndarray, columns: Sequence[str] | None = None
) -> str | None:
    """The first value of ``again`` that is not that of ``kept``; NaN equals NaN.

    Parameters
    ----------
    again, kept
        What was made anew and what is stored, aligned by position, (m, ...).
    rows
        The market frame's row of each of them, (m,): what the words name.
    columns
        What is compared; all of ``kept`` when None.
    """
    for name in kept.columns if columns is None else columns:
        if name not in again.columns:
            return f"column {name!r} is not made again"
        left, right = again[name].to_numpy(), kept[name].to_numpy()
        unequal = np.flatnonzero(~same(left, right))
        if unequal.size:
            at = int(unequal[0])
            return f"column {name!r}, row {int(rows[at])}: {left[at]!s} instead of {right[at]!s}"
    return None


def other_predictions(
    again: np.ndarray, kept: np.ndarray, rows: np.ndarray, trained: int
) -> str | None:
    """The first stored prediction that a refit on ``trained`` purged events does not give.

    ``again``, ``kept`` and the market frame's ``rows`` are of the tested events, (m,).
    """
    wrong = np.flatnonzero(~(np.abs(again - kept) <= _TOLERANCE))
    if not wrong.size:
        return None
    at = int(wrong[0])
    return (
        f"row {rows[at]}: stored is {kept[at]:.9f}, but {trained} purged training events "
        f"give {again[at]:.9f} ({wrong.size} of {len(rows)} predictions differ)"
    )


def other_rows(again: np.ndarray, kept: np.ndarray) -> str | None:
    """The first row that is in only one of two ascending arrays of rows."""
    gone, new = np.setdiff1d(kept, again), np.setdiff1d(again, kept)
    if gone.size:
        return f"the event at row {int(gone[0])} is gone ({gone.size} in all)"
    if new.size:
        return f"an event at row {int(new[0])} is new ({new.size} in all)"
    return None


def same(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Which values are equal, bool (m,); NaN equals NaN."""
    equal = np.asarray(left == right)
    if left.dtype.kind == "f" and right.dtype.kind == "f":
        equal |= np.isnan(left) & np.isnan(right)
    return equal


def unlike(again: pd.DataFrame, kept: pd.DataFrame, columns: Sequence[str]) -> str | None:
    """The first event (``row``) that only one of them holds, or whose columns differ."""
    rows = kept["row"].to_numpy()
    fault = other_rows(again["row"].to_numpy(), rows)
    return fault if fault is not None else first_difference(again, kept, rows, columns)


def known_before(again: pd.DataFrame, kept: pd.DataFrame, row: int) -> Pair:
    """Of both, those whose ``t1_row`` lies before the row."""
    return again[again["t1_row"] < row], kept[kept["t1_row"] < row]


def unchanged(what: str, rows: list[int], of: int) -> str:
    """What a proof says that found no difference."""
    return f"{what} stay the same when the bars from rows {rows} of {of} on are cut or replaced"


def other_values(again: Any, kept: Any) -> str | None:
    """The first place where two JSON-able values are not the same bytes in a file."""
    from ares_resources.storage.codecs import to_json_bytes

    left, right = to_json_bytes(again), to_json_bytes(kept)
    return None if left == right else _first_apart(json.loads(left), json.loads(right), "")


def _first_apart(left: Any, right: Any, place: str) -> str | None:
    both = (left, right)
    if all(isinstance(one, Mapping) for one in both) and left.keys() == right.keys():
        pairs = [(left[key], right[key], f"{place}.{key}".lstrip(".")) for key in sorted(left)]
    elif all(isinstance(one, list) for one in both) and len(left) == len(right):
        pairs = [(*pair, f"{place}[{at}]") for at, pair in enumerate(zip(*both, strict=True))]
    else:
        # As text: 1 and 1.0 are other bytes.
        alike = json.dumps(left) == json.dumps(right)
        return None if alike else f"{place or 'it'} is {left!s:.60} instead of {right!s:.60}"
    return next(filter(None, (_first_apart(*pair) for pair in pairs)), None)
