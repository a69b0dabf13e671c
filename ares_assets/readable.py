"""Figures as Dagster shows them: times as times, few digits, lists of rows as tables.

Belongs here: the display of metadata in events of the UI.  Does not belong here: which
figures there are, and what is stored in an artifact (its metadata stays as it was computed,
since the keys of later steps hold it).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

_TABLE_ROWS = 100
_DIGITS = 5
# What names a row stands before its figures; a stored artifact has sorted the names.
_FIRST = ("regime", "role", "before", "after", "start", "end")


def shown(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Dagster metadata of the same names, but for ``_ms``, which times no longer carry."""
    return {_title(name, value): displayed(name, value) for name, value in figures.items()}


def displayed(name: str, value: Any) -> Any:
    """One figure: a picture, a time, a table, a rounded number, or as it is."""
    if isinstance(value, str) and value.startswith("!["):
        return dg.MetadataValue.md(value)
    if _is_time(name, value):
        return dg.MetadataValue.timestamp(value / 1000)
    if isinstance(value, float):
        return _rounded(value)
    if _is_table(value):
        return _table(value)
    if isinstance(value, list | tuple) and value and all(isinstance(v, str) for v in value):
        return dg.MetadataValue.md("\n".join(f"- {line}" for line in value))
    if value is None or (isinstance(value, list | tuple) and not value):
        return "none"
    if isinstance(value, Mapping | list | tuple):
        return dg.MetadataValue.json(_plain(value))
    return value


def _title(name: str, value: Any) -> str:
    return name.removesuffix("_ms") if value is None or _is_time(name, value) else name


def _is_time(name: str, value: Any) -> bool:
    return name.endswith("_ms") and isinstance(value, int) and not isinstance(value, bool)


def _is_table(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(row, Mapping) for row in value)
        and all(not isinstance(cell, Mapping | list) for row in value for cell in row.values())
    )


def _table(rows: Sequence[Mapping[str, Any]]) -> dg.TableMetadataValue:
    records = [
        dg.TableRecord({_title(n, v): _cell(n, v) for n, v in row.items()})
        for row in rows[:_TABLE_ROWS]
    ]
    named = dict.fromkeys(name for record in records for name in record.data)
    if len(rows) > _TABLE_ROWS:
        left = f"and {len(rows) - _TABLE_ROWS} more"
        records.append(dg.TableRecord(dict.fromkeys(named, "...") | {next(iter(named)): left}))
    names = [*(n for n in _FIRST if n in named), *(n for n in named if n not in _FIRST)]
    columns = [dg.TableColumn(name, _type(records, name)) for name in names]
    return dg.MetadataValue.table(records, dg.TableSchema(columns))


def _type(records: Sequence[dg.TableRecord], name: str) -> str:
    kinds = {type(record.data.get(name)) for record in records}
    numbers = kinds <= {int, float}
    return ("float" if float in kinds else "int") if numbers else "string"


def _cell(name: str, value: Any) -> str | int | float | bool:
    if _is_time(name, value):
        return utc_minute(value)
    if value is None:
        return "-"
    if isinstance(value, float):
        return _rounded(value)
    return value if isinstance(value, str | int | bool) else str(value)


def utc_minute(ms: int) -> str:
    """``2023-03-24 12:40``, UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def _rounded(value: float) -> float:
    """Five significant digits, and never fewer than the whole part has."""
    if not math.isfinite(value) or value == 0:
        return value
    places = _DIGITS - 1 - math.floor(math.log10(abs(value)))
    return round(value, max(0, places))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return _rounded(value) if isinstance(value, float) else value
