"""The features of a symbol's bars: computed once, shared by its regimes and steps.

Belongs here: joining the pure computation with the cache.  Does not belong here: any
feature (``analyst/feature_table.py``).

Features of a row use bars up to that row alone, which the asset check
``features_see_no_future`` re-establishes on every run; so the rows of development may be cut
out of a frame that was computed over the whole window.

What is kept is found by the content of the bars, the settings of features and the code that
computes them; nothing else can change a value.  Where bars were added to a window that begins
with the same bar, only the new rows are computed.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ares_assets.engine import Work
from ares_resources.storage.artifacts import Artifact
from ares_resources.storage.frame_cache import cached_matrix

if TYPE_CHECKING:
    import pandas as pd

    from ares_assets.analyst.indicators import Array
    from ares_resources.settings import FeatureSettings

# All that a value depends on; a test compares them with what ``analyst/features.py`` imports.
FEATURE_CODE = (
    *(
        f"ares_assets/analyst/{name}.py"
        for name in (
            "element_columns",
            "element_kernel",
            "feature_block",
            "feature_row",
            "feature_run",
            "feature_state",
            "feature_table",
            "features",
            "flow_features",
            "indicators",
            "price_features",
            "recursive_kernel",
            "volatility_features",
            "window_kernel",
        )
    ),
    "ares_assets/market/bars.py",
    "ares_assets/market/resampling.py",
    "ares_resources/timeframes.py",
)
# Funding settled at the last close and open interest are told some time after the bars: rows of
# the last hour may come again with other values, and must not spoil all that came before them.
_UNSETTLED_BARS = 60
_LIBRARIES = ("llvmlite", "numba", "numpy", "pandas")


def features_of(work: Work, market_data: Artifact) -> pd.DataFrame:
    """Features of every row of ``market_data``; columns in table order, RangeIndex."""
    return found_features(work, market_data)[0]


def found_features(work: Work, market_data: Artifact) -> tuple[pd.DataFrame, str]:
    """The same, and how they were come by: read, computed, or extended by so many rows."""
    folder = work.workspace.home.cache / "features"
    timeframe = market_data.metadata["timeframe"]
    return kept_features(folder, market_data.load(), timeframe, work.settings.features)


def kept_features(
    folder: Path, frame: pd.DataFrame, timeframe: str, settings: FeatureSettings
) -> tuple[pd.DataFrame, str]:
    """:func:`~ares_assets.analyst.features.compute_features` through the cache in a folder.

    The frame returned may be read-only.
    """
    from ares_assets.analyst.feature_state import FeatureState
    from ares_assets.analyst.features import as_frame, extend_features
    from ares_assets.market.bars import MARKET_COLUMNS
    from ares_resources.fingerprints import arrays_fingerprint

    read = [n for n in MARKET_COLUMNS if n in frame and n not in ("funding_payment", "gap_payment")]
    columns = {name: frame[name].to_numpy() for name in read}

    def content(rows: int) -> str:
        return arrays_fingerprint({name: values[:rows] for name, values in columns.items()})

    def extend(
        earlier: Sequence[Array], told: Mapping[str, Any] | None
    ) -> tuple[Array, Mapping[int, Mapping[str, Any]]]:
        values, states = extend_features(
            frame,
            timeframe=timeframe,
            settings=settings,
            earlier=earlier,
            state=None if told is None else FeatureState.from_json(told),
            pauses=(len(frame) - _UNSETTLED_BARS,),
        )
        return values, {state.rows: state.to_json() for state in states}

    parts = [feature_code_fingerprint(), settings.model_dump(mode="json"), timeframe]
    family = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
    values, how = cached_matrix(folder, family, len(frame), content, extend)
    return as_frame(values, settings, timeframe), how


@functools.cache
def feature_code_fingerprint() -> str:
    """SHA-256 over the sources that features are computed by, and over their libraries."""
    versions = [f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES]
    digest = hashlib.sha256(repr((sys.version_info[:2], versions)).encode())
    root = Path(__file__).resolve().parents[1]
    for name in FEATURE_CODE:
        digest.update(name.encode() + (root / name).read_bytes())
    return digest.hexdigest()
