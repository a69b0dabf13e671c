"""Laying rows over the months of a series: checking, merging, refusing.

Belongs here: from incoming frames to the months as they shall be.  Does not belong here:
locks and publication (:mod:`ares_resources.storage.catalogue`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ares_resources.errors import BadInput, CorruptArtifact, DataConflict
from ares_resources.storage.frames import conform, empty_frame, first_fault
from ares_resources.storage.merging import Merged, merge
from ares_resources.storage.month_files import by_month, read_month
from ares_resources.storage.series import Series
from ares_resources.storage.series_manifest import Manifest, Month


def checked(series: Series, source: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The conforming rows; raises BadInput naming the source and the first bad row."""
    conforming = conform(frame, series.kind)
    fault = first_fault(conforming, series.kind, step_ms=series.step_ms)
    if fault is not None:
        raise BadInput(f"{source}: {series}: {fault}")
    return conforming


def merged_months(
    series: Series,
    folder: Path,
    manifest: Manifest,
    frames: Sequence[pd.DataFrame],
    on_conflict: str,
) -> dict[str, Merged]:
    """What each touched month becomes when ``frames`` are laid over it."""
    parts = [by_month(frame) for frame in frames]
    nothing = empty_frame(series.kind)
    merged = {}
    for name in sorted(set().union(*parts)):
        known = manifest.months.get(name)
        old = nothing if known is None else _held(folder, known)
        rows = [part.get(name, nothing) for part in parts]
        merged[name] = merge(old, rows, series.kind, on_conflict)
    return merged


def _held(folder: Path, month: Month) -> pd.DataFrame:
    try:
        return read_month(folder, month)
    except FileNotFoundError as error:
        raise CorruptArtifact(f"{folder / month.file} is missing") from error


def refuse_conflicts(series: Series, merged: dict[str, Merged], names: Sequence[str]) -> None:
    """Raise DataConflict with the count over all months and the first disagreement."""
    conflicts = [month.conflict for month in merged.values() if month.conflict is not None]
    if conflicts:
        total = sum(conflict.timestamps for conflict in conflicts)
        duplicates = sum(month.duplicates for month in merged.values())
        whole = dataclasses.replace(conflicts[0], timestamps=total, duplicates=duplicates)
        origin = names[0] if len(names) == 1 else f"{len(names)} sources"
        raise DataConflict(
            f"{series} from {origin}: {whole}; nothing was written; "
            "allowed: rows that agree, or on_conflict keep_first or keep_last"
        )
