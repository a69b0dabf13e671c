"""Live results as people bring them: a CSV or Parquet file, checked before anything is kept.

Belongs here: reading and refusing.  Does not belong here: keeping rows
(``storage/rollouts.py``) and what they mean (``evidence/live_results.py``).

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

_NEEDED = ("timestamp", "challenger_return", "trades")
_KNOWN = (*_NEEDED, "champion_return", "degraded", "model")
# 2001 to 2286 in milliseconds: seconds or microseconds are mistaken for them.
_FIRST_MS, _LAST_MS = 1_000_000_000_000, 10_000_000_000_000


def read_feed(path: Path) -> pd.DataFrame:
    """Rows of a file, with the columns that it has, of the right types and in order.

    Raises
    ------
    BadInput
        Naming the file, the column, the row (the first is 1) and its value.
    """
    frame = _parsed(path)
    unknown = sorted(set(frame.columns) - set(_KNOWN))
    lacking = [name for name in _NEEDED if name not in frame.columns]
    if unknown or lacking:
        wrong = f"unknown column {unknown[0]!r}" if unknown else f"no column {lacking[0]!r}"
        raise BadInput(f"{path}: {wrong}; allowed: {', '.join(_KNOWN)}")
    if frame.empty:
        raise BadInput(f"{path} has no rows; needed: one or more live results")
    for name in ("timestamp", "trades"):
        frame[name] = _whole(path, name, frame[name])
    for name in ("challenger_return", "champion_return"):
        if name in frame.columns:
            frame[name] = _returns(path, name, frame[name])
    _check_times(path, frame["timestamp"].to_numpy())
    _refuse(path, "trades", frame["trades"].to_numpy(), frame["trades"].to_numpy() < 0, "0 or more")
    for name in ("degraded", "model"):
        if name in frame.columns:
            frame[name] = frame[name].fillna("").astype(str).str.strip()
    return frame


def as_live_rows(
    frame: pd.DataFrame, path: Path, *, sha256: str, alone: bool, live_from_ms: int
) -> pd.DataFrame:
    """The rows as the rollout of one version keeps them.

    Parameters
    ----------
    alone
        Whether nothing served before this version: then its rival is no trade.
    live_from_ms
        End of the bars that the version was judged on; what is earlier is not live.

    Raises
    ------
    BadInput
        If the rows are of another version, begin too early, or lack the rival's returns.
    """
    early = frame["timestamp"].to_numpy() < live_from_ms
    needed = f"{live_from_ms} or later, since the version was judged on earlier bars"
    _refuse(path, "timestamp", frame["timestamp"].to_numpy(), early, needed)
    if "model" in frame.columns:
        other = ~np.array([bool(m) and sha256.startswith(m) for m in frame["model"]])
        _refuse(path, "model", frame["model"].to_numpy(), other, f"the start of {sha256}")
    rows = frame.copy()
    if alone:
        if "champion_return" in rows.columns:
            rival = rows["champion_return"].to_numpy()
            wanted = "0, since nothing served before this version"
            _refuse(path, "champion_return", rival, rival != 0.0, wanted)
        rows["champion_return"] = 0.0
    elif "champion_return" not in rows.columns:
        raise BadInput(f"{path}: no column 'champion_return'; needed: the replaced version's own")
    if "degraded" not in rows.columns:
        rows["degraded"] = ""
    return rows


def _parsed(path: Path) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa

    if not path.is_file():
        raise BadInput(f"--feed {str(path)!r} is not a file; allowed: a CSV or Parquet file")
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise BadInput(f"--feed {str(path)!r}: allowed: a name ending in .csv or .parquet")
    try:
        if path.suffix.lower() == ".csv":
            return pd.read_csv(path, dtype={"degraded": str, "model": str})
        return pd.read_parquet(path)
    except (ValueError, UnicodeDecodeError, pd.errors.ParserError, pa.ArrowException) as error:
        raise BadInput(f"{path} cannot be read: {error}") from error


def _whole(path: Path, name: str, column: pd.Series) -> np.ndarray:
    values = _numbers(path, name, column)
    _refuse(path, name, column.to_numpy(), values != np.floor(values), "a whole number")
    return values.astype(np.int64)


def _returns(path: Path, name: str, column: pd.Series) -> np.ndarray:
    values = _numbers(path, name, column)
    _refuse(path, name, values, values <= -1.0, "a fraction above -1")
    return values


def _numbers(path: Path, name: str, column: pd.Series) -> np.ndarray:
    import pandas as pd

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
