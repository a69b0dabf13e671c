"""The features of a symbol's bars: computed once, shared by its regimes and steps.

Belongs here: joining the pure computation with the cache.  Does not belong here: any
feature (``analyst/feature_table.py``).

Features of a row use bars up to that row alone, which the asset check
``features_see_no_future`` re-establishes on every run; so the rows of development may be cut
out of a frame that was computed over the whole window.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from ares_assets.engine import Work
from ares_resources.provenance import code_fingerprint
from ares_resources.storage.artifacts import Artifact
from ares_resources.storage.frame_cache import cached_frame

if TYPE_CHECKING:
    import pandas as pd


def features_of(work: Work, market_data: Artifact) -> pd.DataFrame:
    """Features of every row of ``market_data``; columns in table order, RangeIndex."""
    from ares_assets.analyst.features import compute_features

    settings, timeframe = work.settings.features, market_data.metadata["timeframe"]
    parts = [code_fingerprint(), market_data.sha256, settings.model_dump(), timeframe]
    key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]

    def compute() -> pd.DataFrame:
        return compute_features(market_data.load(), timeframe=timeframe, settings=settings)

    return cached_frame(work.workspace.home.cache / "features", key, compute)
