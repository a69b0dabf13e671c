"""The page and the columns' descriptions are made from the table."""

from __future__ import annotations

from pathlib import Path

from ares_assets.analyst.feature_documentation import described_features, page
from ares_assets.analyst.feature_table import BASE_FEATURES
from ares_assets.analyst.features import feature_names
from ares_assets.column_lineage import MARKET
from ares_assets.market.bars import MARKET_COLUMNS
from ares_resources.settings import FeatureSettings


def test_the_page_is_the_table():
    written = Path(__file__).parents[3] / "docs" / "features.md"
    assert written.read_text() == page(), "run python -m ares_jobs.feature_reference"
    rows = [line for line in page().splitlines() if line.startswith("| `")]
    assert all(row.count("|") - row.count("\\|") == 7 for row in rows)
    for feature in BASE_FEATURES:
        assert sum(f"| `{feature.name}` |" in row for row in rows) >= 1


def test_every_column_that_is_computed_is_described():
    settings = FeatureSettings(timeframes=("15m", "4h"))
    assert list(described_features(settings.timeframes)) == list(feature_names(settings, "1m"))


def test_every_column_of_market_data_is_described():
    assert tuple(MARKET) == MARKET_COLUMNS
