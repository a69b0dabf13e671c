"""Frames that take less memory and load faster, without losing what was declared to matter.

Belongs here: down-casting within a tolerance, frames as files, CSV kept as Parquet.  Does not
belong here: where artifacts rest (``artifacts``, ``catalogue``), reading in blocks
(``streaming``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ares_resources.errors import BadInput, CorruptArtifact
from ares_resources.hashing import cache_key
from ares_resources.storage.atomic import file_lock, read_parquet, write_parquet
from ares_resources.streaming import StreamingDataProcessor

_SMALLER_WHOLE = (np.int8, np.int16, np.int32)
_SMALLER_UNSIGNED = (np.uint8, np.uint16, np.uint32)
_READ_BYTES = 1 << 22


@dataclass(frozen=True)
class ColumnChange:
    """One column's types before and after, and the largest relative error it took."""

    column: str
    before: str
    after: str
    relative_error: float


@dataclass(frozen=True)
class OptimizeReport:
    """Bytes of the frame before and after, and what changed."""

    bytes_before: int
    bytes_after: int
    changes: tuple[ColumnChange, ...]

    @property
    def saved_share(self) -> float:
        """Share of the bytes that are gone."""
        return 1 - self.bytes_after / self.bytes_before if self.bytes_before else 0.0


@dataclass(frozen=True)
class LoadReport:
    """Whether the Parquet copy was used, made, or made again because it was damaged."""

    path: Path
    source: str


class MemoryEfficientDataManager:
    """Down-casts frames, and keeps CSV files as Parquet in a folder.

    Parameters
    ----------
    folder
        Where copies rest; needed by :meth:`load_or_convert` and :meth:`read_hot` only.
    tolerance
        Largest relative error of a value that down-casting may cause; 0 allows none.
    streaming
        How CSV files are read.
    hot_bytes
        The uncompressed copies of :meth:`read_hot` that stay, bytes.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        tolerance: float = 1e-6,
        streaming: StreamingDataProcessor | None = None,
        hot_bytes: int = 2 << 30,
    ) -> None:
        _check_tolerance(tolerance)
        self.folder = None if folder is None else Path(folder)
        self.tolerance = tolerance
        self.hot_bytes = hot_bytes
        self.streaming = streaming or StreamingDataProcessor()

    def optimize_dataframe(
        self, frame: pd.DataFrame, tolerance: float | None = None
    ) -> tuple[pd.DataFrame, OptimizeReport]:
        """A copy with the smallest types that hold every value within the tolerance.

        Whole numbers go to the smallest type of their range, float64 to float32 where every
        finite value keeps its relative precision; NaN and infinities stay what they are.
        Times, and columns named ``timestamp`` or ending in ``_timestamp`` or ``_ms``, are
        never touched, nor is anything else that is not a plain number.
        """
        allowed = self.tolerance if tolerance is None else tolerance
        _check_tolerance(allowed)
        columns, changes = [], []
        for position in range(frame.shape[1]):
            series = frame.iloc[:, position]
            values, error = _smaller(series, allowed)
            columns.append(pd.Series(values, index=frame.index) if values is not None else series)
            if values is not None:
                name, kinds = str(series.name), (str(series.dtype), str(values.dtype))
                changes.append(ColumnChange(name, *kinds, error))
        smaller = pd.concat(columns, axis=1) if columns else frame.copy()
        smaller.columns = frame.columns
        return smaller, OptimizeReport(_bytes(frame), _bytes(smaller), tuple(changes))

    def write_frame(self, path: Path, frame: pd.DataFrame) -> None:
        """Publish a frame as Parquet, atomically: smaller than its memory, and bit for bit.

        Whole numbers rest as deltas and decimals as integers, whatever their types, so nothing
        needs to be narrowed and types come back as they were.
        """
        write_parquet(path, frame)

    def read_frame(self, path: Path) -> pd.DataFrame:
        """The frame that :meth:`write_frame` wrote.

        Raises
        ------
        CorruptArtifact
            If the file is missing, torn or fails a checksum.
        """
        return read_parquet(path)

    def read_hot(self, path: Path) -> pd.DataFrame:
        """As :meth:`read_frame`, for a file that is read again and again: mapped, not decoded.

        Its columns of numbers are read-only, bit for bit those of :meth:`read_frame`, and cost
        memory once for all processes.  The first reading makes an uncompressed copy in the
        manager's folder; see ``hot_frames`` for when a copy is trusted.

        Raises
        ------
        BadInput
            If no folder was given.
        CorruptArtifact
            If the file is missing, torn or fails a checksum.
        """
        from ares_resources.storage.hot_frames import hot_frame

        if self.folder is None:
            raise BadInput("read_hot needs a folder for the copies")
        return hot_frame(self.folder / "hot", Path(path), keep_bytes=self.hot_bytes)

    def load_or_convert(self, csv_path: Path) -> tuple[pd.DataFrame, LoadReport]:
        """The rows of a CSV file, from its Parquet copy if that is sound and of these bytes.

        The copy is named by the CSV's content and by how it is read, so a changed file is
        read anew whatever its time says.  ``source`` of the report is "copy", "converted" or
        "repaired" (the copy was damaged).

        Raises
        ------
        BadInput
            If the file is missing or does not parse, or no folder was given.
        """
        if self.folder is None:
            raise BadInput("load_or_convert needs a folder for the Parquet copies")
        copy = self.folder / f"{self._copy_key(Path(csv_path))}.parquet"
        source = "converted"
        with file_lock(copy.with_suffix(".lock")):
            if copy.is_file():
                try:
                    return read_parquet(copy), LoadReport(copy, "copy")
                except CorruptArtifact:
                    source = "repaired"
            self.streaming.convert(Path(csv_path), copy)
            return read_parquet(copy), LoadReport(copy, source)

    def _copy_key(self, path: Path) -> str:
        import xxhash

        if not path.is_file():
            raise BadInput(f"file {path} does not exist")
        digest = xxhash.xxh3_128()
        with path.open("rb") as file:
            while block := file.read(_READ_BYTES):
                digest.update(block)
        suffix = path.suffix.lower()
        reading = (list(self.streaming.column_names), dict(self.streaming.column_types), suffix)
        return cache_key((digest.hexdigest(), reading))[:32]


def _bytes(frame: pd.DataFrame) -> int:
    return int(frame.memory_usage(index=False).sum())


def _check_tolerance(tolerance: float) -> None:
    if not 0 <= tolerance < 1:
        raise BadInput(f"tolerance {tolerance} must be in [0, 1), a relative error")


def _smaller(series: pd.Series, tolerance: float) -> tuple[np.ndarray | None, float]:
    """The values in a smaller type and the relative error; None where none will do."""
    kind = series.dtype
    if not isinstance(kind, np.dtype) or _is_time(str(series.name)) or not len(series):
        return None, 0.0
    if kind.kind in "iu":
        return _smaller_whole(series.to_numpy()), 0.0
    if kind == np.float64:
        return _smaller_float(series.to_numpy(), tolerance)
    return None, 0.0


def _is_time(name: str) -> bool:
    return name == "timestamp" or name.endswith(("_timestamp", "_ms"))


def _smaller_whole(values: np.ndarray) -> np.ndarray | None:
    low, high = int(values.min()), int(values.max())
    for kind in _SMALLER_WHOLE if values.dtype.kind == "i" else _SMALLER_UNSIGNED:
        limits = np.iinfo(kind)
        fits = limits.min <= low and high <= limits.max
        if fits and np.dtype(kind).itemsize < values.dtype.itemsize:
            return values.astype(kind)
    return None


def _smaller_float(values: np.ndarray, tolerance: float) -> tuple[np.ndarray | None, float]:
    with np.errstate(over="ignore", under="ignore"):
        small = values.astype(np.float32)
    back = small.astype(np.float64)
    finite = np.isfinite(values) & (values != 0)
    # A finite value that overflowed has an infinite error and so fails any tolerance.
    errors = np.abs(back[finite] - values[finite]) / np.abs(values[finite])
    worst = float(errors.max()) if errors.size else 0.0
    return (small, worst) if worst <= tolerance else (None, worst)
