"""Live results as people bring them: what is refused before anything of them is kept.

Belongs here: checks of columns and values.  Does not belong here: reading files
(``live_feed_file.py``), keeping rows (``storage/rollouts.py``) and what they mean
(``evidence/live_results.py``).

Columns: ``timestamp`` (open of the bar or day, int64 ms UTC), ``challenger_return`` and
``champion_return`` (net simple returns on the capital that each had; the latter may be left out
where nothing served before), ``trades`` (closed in the row), and if wished ``degraded`` (words
for a fallback in use) and ``model`` (the first letters of the version's content hash).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ares_resources.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd

NEEDED = ("timestamp", "challenger_return", "trades")
KNOWN = (*NEEDED, "champion_return", "degraded", "model")
RETURNS = ("challenger_return", "champion_return")

LARGEST_RETURN = 0.5
"""Of one row, at a position of at most all equity: beyond, it is per cent or a price."""

LARGEST_MEDIAN_DAY = 0.15
"""Half of the days moved more: 400 % a year, while the same in per cent is in the thousands."""

_DAYS_FOR_A_MEDIAN = 5
_FEWEST_LETTERS = 8
_DAY_MS = 86_400_000
# 2001 to 2286 in milliseconds: seconds or microseconds are mistaken for them.
_FIRST_MS, _LAST_MS = 1_000_000_000_000, 10_000_000_000_000
_NO_WORDS = ("", "none", "null", "nan", "na", "n/a", "<na>")
_FLAGS = ("true", "false", "yes", "no", "y", "n")


def checked_feed(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Rows of a file, with the columns that it has, of the right types and in order.

    Raises
    ------
    BadInput
        Naming the file, the column, the row (the first is 1) and its value.
    """
    _check_columns(list(frame.columns), path)
    if frame.empty:
        raise BadInput(f"{path} has no rows; needed: one or more live results")
    frame = frame.reset_index(drop=True)
    for name in ("timestamp", "trades"):
        frame[name] = _whole(path, name, frame[name])
    for name in RETURNS:
        if name in frame.columns:
            frame[name] = _returns(path, name, frame[name])
    _check_times(path, frame["timestamp"].to_numpy())
    _refuse(path, "trades", frame["trades"].to_numpy(), frame["trades"].to_numpy() < 0, "0 or more")
    for name in ("degraded", "model"):
        if name in frame.columns:
            told = frame[name].astype(object)
            frame[name] = told.where(told.notna(), "").astype(str).str.strip()
    if "degraded" in frame.columns:
        frame["degraded"] = _words(path, frame["degraded"])
    return frame


def as_live_rows(
    frame: pd.DataFrame,
    path: Path,
    *,
    sha256: str,
    alone: bool,
    live_from_ms: int,
    last_ms: int = -1,
    maximum_position: float = 1.0,
) -> pd.DataFrame:
    """The rows as the rollout of one version keeps them.

    Parameters
    ----------
    alone
        Whether nothing serves beside this version: then its rival is no trade, after
        ``last_ms``, the last row that stands; a version that was restored had another before.
    live_from_ms
        End of the bars that the version was judged on; what is earlier is not live.
    maximum_position
        The version's largest position, a share of equity; above 1 larger returns are allowed.

    Raises
    ------
    BadInput
        If the rows are of another version, begin too early, lack the rival's returns, or move
        as only per cents or prices do.
    """
    early = frame["timestamp"].to_numpy() < live_from_ms
    needed = f"{live_from_ms} or later, since the version was judged on earlier bars"
    _refuse(path, "timestamp", frame["timestamp"].to_numpy(), early, needed)
    if "model" in frame.columns:
        named = frame["model"].to_numpy()
        wanted = f"{_FEWEST_LETTERS} or more first letters of {sha256}"
        _refuse(path, "model", named, ~_of(frame, sha256), wanted)
    _check_scale(frame, path, max(1.0, maximum_position))
    rows = frame.copy()
    if alone:
        if "champion_return" in rows.columns:
            rival = rows["champion_return"].to_numpy()
            wrong = (rival != 0.0) & (rows["timestamp"].to_numpy() > last_ms)
            wanted = "0, since nothing serves beside this version"
            _refuse(path, "champion_return", rival, wrong, wanted)
        else:
            rows["champion_return"] = 0.0
    elif "champion_return" not in rows.columns:
        raise BadInput(f"{path}: no column 'champion_return'; needed: the replaced version's own")
    if "degraded" not in rows.columns:
        rows["degraded"] = ""
    return rows


def is_all_of(frame: pd.DataFrame, sha256: str) -> bool:
    """Whether each row names this version in the column ``model``."""
    return "model" in frame.columns and bool(_of(frame, sha256).all())


def check_closed(frame: pd.DataFrame, path: Path, *, stamps: np.ndarray, now_ms: int) -> None:
    """Refuse rows that are not over yet; ``stamps`` are the opens of all rows, kept and new.

    The length of a row is the least distance of two, at most a day; of a single row only the
    open can be judged.

    Raises
    ------
    BadInput
        Naming the first such row and the time that it is.
    """
    step = min(int(np.diff(stamps).min()), _DAY_MS) if len(stamps) > 1 else 1
    opens = frame["timestamp"].to_numpy()
    wanted = f"rows that closed by now, {now_ms}; these are {step} ms long"
    _refuse(path, "timestamp", opens, opens + step > now_ms, wanted)


def _check_columns(names: list[str], path: Path) -> None:
    unknown = [str(name) for name in names if name not in KNOWN]
    lacking = [name for name in NEEDED if name not in names]
    twice = [name for name in KNOWN if names.count(name) > 1]
    if unknown:
        wrong = f"unknown column {min(unknown)!r}"
    elif lacking:
        wrong = f"no column {lacking[0]!r}"
    elif twice:
        wrong = f"column {twice[0]!r} twice"
    else:
        return
    raise BadInput(f"{path}: {wrong}; allowed: {', '.join(KNOWN)}")


def _check_scale(frame: pd.DataFrame, path: Path, position: float) -> None:
    """A unit error would be kept for good, and gains of 50 % where .5 % was made hide a fall."""
    most = LARGEST_RETURN * position
    for name in (column for column in RETURNS if column in frame.columns):
        values = frame[name].to_numpy()
        wanted = (
            f"-{most:g} to {most:g}, a fraction and no per cent (tactician.maximum_position is "
            f"{position:g}); a version that truly lost more: --rollback"
        )
        _refuse(path, name, values, np.abs(values) > most, wanted)
        moved = np.abs(_daily_logs(values, frame["timestamp"].to_numpy()))
        moved = moved[moved > 0.0]
        if len(moved) >= _DAYS_FOR_A_MEDIAN and np.median(moved) > LARGEST_MEDIAN_DAY * position:
            raise BadInput(
                f"{path}: {name} moves the median day by {np.median(moved):.1%} of the capital; "
                f"allowed: at most {LARGEST_MEDIAN_DAY * position:.0%}, in fractions and no per "
                "cent (0.005 is half a per cent)"
            )


def _daily_logs(values: np.ndarray, stamps: np.ndarray) -> np.ndarray:
    """Compounded, (days,); as logarithms, since wrong units may overflow."""
    _, day = np.unique(stamps // _DAY_MS, return_inverse=True)
    return np.bincount(day, weights=np.log1p(values))


def _of(frame: pd.DataFrame, sha256: str) -> np.ndarray:
    return np.array([len(m) >= _FEWEST_LETTERS and sha256.startswith(m) for m in frame["model"]])


def _words(path: Path, column: pd.Series) -> np.ndarray:
    """Words for a fallback; a flag says nothing, and "False" would take the version back."""
    small = column.str.lower()
    flag = small.isin(_FLAGS) | small.str.fullmatch(r"[-+0-9.]+")
    wanted = "words for a fallback in use, or nothing"
    _refuse(path, "degraded", column.to_numpy(), flag.to_numpy(dtype=bool), wanted)
    return np.where(small.isin(_NO_WORDS), "", column).astype(object)


def _whole(path: Path, name: str, column: pd.Series) -> np.ndarray:
    values = _numbers(path, name, column)
    far = (values != np.floor(values)) | (np.abs(values) > 2.0**53)
    _refuse(path, name, column.to_numpy(), far, "a whole number")
    return values.astype(np.int64)


def _returns(path: Path, name: str, column: pd.Series) -> np.ndarray:
    values = _numbers(path, name, column)
    _refuse(path, name, values, values <= -1.0, "a fraction above -1")
    return values


def _numbers(path: Path, name: str, column: pd.Series) -> np.ndarray:
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column):
        raise BadInput(f"{path}: {name} holds dates; allowed: numbers, times in milliseconds")
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    _refuse(path, name, column.to_numpy(), ~np.isfinite(values), "a finite number")
    return np.asarray(values)


def _check_times(path: Path, stamps: np.ndarray) -> None:
    outside = (stamps < _FIRST_MS) | (stamps >= _LAST_MS)
    _refuse(path, "timestamp", stamps, outside, "milliseconds since 1970, UTC")
    back = np.r_[False, np.diff(stamps) <= 0]
    _refuse(path, "timestamp", stamps, back, "rows in time order, each time once")


def _refuse(path: Path, name: str, values: np.ndarray, bad: np.ndarray, allowed: str) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        raise BadInput(f"{path}: {name} in row {row + 1} is {values[row]}; allowed: {allowed}")
