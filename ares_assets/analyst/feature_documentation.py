"""The feature table in words: what each column is, and the page ``docs/features.md``.

Belongs here: making documentation from the table.  Does not belong here: any feature.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ares_assets.analyst.feature_row import LEAST_WARMUP_BARS, Feature
from ares_assets.analyst.feature_table import BASE_FEATURES, GROUPS, SLOW_FEATURES

_HEAD = f"""# Features

Made from the feature table (`ares_assets/analyst/feature_table.py`), which the code computes
from, by `python -m ares_jobs.feature_reference`; a test fails where the two differ. In Dagster
the materialization of `analyst_dataset` shows the same sentences and the columns of
`market_data` that each feature reads.

Every value is known at the close of its bar and uses that bar and earlier ones alone. It is
missing for the first {LEAST_WARMUP_BARS} bars of its own timeframe, or for twice its window where
that is more. Windows are in bars unless they say minutes; missing bars are not filled, the bars
present are taken in order. A feature whose source is absent is missing throughout and is left
out of training, with the reason in the metadata of step 4 (`dropped_because`).
"""
_COLUMNS = """
| feature | formula | unit | window | sources | reference |
|---|---|---|---|---|---|
"""
_SLOW = """
## Slower timeframes

These rows are computed once more for each of `features.timeframes`, from complete slower bars
alone, as `<feature>_<timeframe>`. A slower value joins when its bar has closed, and is missing
once it is older than two of its bars.
"""


@dataclass(frozen=True)
class Described:
    """A column of the feature frame: its formula, unit and sources."""

    formula: str
    unit: str
    sources: tuple[str, ...]


def described_features(timeframes: Iterable[str]) -> dict[str, Described]:
    """Every column of features by name, with the slower ones of these timeframes."""
    found = {f.name: Described(f.formula, f.unit, f.sources) for f in BASE_FEATURES}
    for timeframe in timeframes:
        for f in SLOW_FEATURES:
            words = f"{f.formula}; bars of {timeframe}"
            found[f"{f.name}_{timeframe}"] = Described(words, f.unit, f.sources)
    return found


def page() -> str:
    """The whole page."""
    groups = (f"\n## {name}\n" + _table(features) for name, features in GROUPS.items())
    return _HEAD + "".join(groups) + _SLOW + _table(SLOW_FEATURES)


def _table(features: Iterable[Feature]) -> str:
    return _COLUMNS + "".join(_row(feature) for feature in features)


def _row(feature: Feature) -> str:
    window = f"{feature.window} minutes" if feature.in_minutes else str(feature.window)
    sources = ", ".join(f"`{name}`" for name in feature.sources)
    cells = (f"`{feature.name}`", feature.formula, feature.unit, window, sources, feature.reference)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
