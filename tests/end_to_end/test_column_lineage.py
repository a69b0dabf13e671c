"""Steps 1 to 4 as a Dagster job: what is told of columns, and how features were come by."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from ares_assets.analyst.feature_table import BASE_FEATURES, SLOW_FEATURES
from ares_assets.market.bars import MARKET_COLUMNS
from ares_assets.partitions import SYMBOLS, partition_tags
from ares_assets.steps import STEPS
from ares_jobs.definitions import defs
from ares_jobs.jobs import JOBS
from ares_jobs.runner import TrainingRequest, request_tags
from ares_jobs.setup import dagster_instance
from ares_resources.home import Home
from ares_resources.symbols import SymbolKey

SYMBOL = SymbolKey("ETHUSDT", "SIM")
OVERRIDES = {
    "tracking": {"enabled": False},
    "enhanced_training_manager": {"blank": {"lookback_days": 12}},
    "data": {"warmup_bars": 3_000},
    "regimes": {"minimum_events": 60},
    "features": {"timeframes": ["15m"]},
}


def run(home: Home, instance: dg.DagsterInstance, as_of: str) -> dict[str, Any]:
    """Metadata of the materializations of steps 1 to 4."""
    request = TrainingRequest(SYMBOL, mode="blank", overrides=OVERRIDES, as_of=as_of)
    result = defs.resolve_job_def(JOBS["blank"].name).execute_in_process(
        instance=instance,
        tags={**request_tags(request), **partition_tags("bear", SYMBOL)},
        asset_selection=[dg.AssetKey(spec.name) for spec in STEPS[:4]],
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    assert result.success
    return {
        event.materialization.asset_key.to_user_string(): dict(event.materialization.metadata)
        for event in result.get_asset_materialization_events()
        for event in [event.step_materialization_data]
    }


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    home = Home(tmp_path_factory.mktemp("lineage"))
    home.create()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARES_HOME", str(home.root))
        patch.delenv("DAGSTER_HOME", raising=False)
        with dagster_instance(home) as instance:
            instance.add_dynamic_partitions(SYMBOLS, [str(SYMBOL)])
            return [
                run(home, instance, as_of)
                for as_of in ("2024-01-04T00:00:00Z", "2024-01-05T06:00:00Z")
            ]


def test_each_feature_shows_the_columns_of_market_data_that_it_reads(found: list[Any]) -> None:
    metadata = found[0]["analyst_dataset"]
    lineage = metadata["dagster/column_lineage"].value.deps_by_column
    sources = {feature.name: set(feature.sources) for feature in BASE_FEATURES}
    sources |= {f"{feature.name}_15m": set(feature.sources) for feature in SLOW_FEATURES}
    assert len(lineage) > 40
    for name in ("p_bull", "p_bear", "p_sideways"):
        assert lineage[name] == [dg.TableColumnDep(dg.AssetKey("market_regimes"), name)]
    for name in lineage.keys() - {"p_bull", "p_bear", "p_sideways"}:
        columns = lineage[name]
        assert {dep.asset_key for dep in columns} == {dg.AssetKey("market_data")}
        assert {dep.column_name for dep in columns} == sources[name]
    schema = metadata["dagster/column_schema"].value.columns
    assert [column.name for column in schema] == list(lineage)
    described = {column.name: column.description for column in schema}
    assert described["adx_14"] == "Wilder's average directional index [0 to 100]"
    assert described["rsi_14_15m"].endswith("bars of 15m [0 to 100]")


def test_market_data_shows_its_columns(found: list[Any]) -> None:
    schema = found[0]["market_data"]["dagster/column_schema"].value.columns
    assert tuple(column.name for column in schema) == MARKET_COLUMNS
    assert all(column.description for column in schema)


def test_the_step_says_how_features_were_come_by(found: list[Any]) -> None:
    first, second = (one["analyst_dataset"]["cost/features"].value for one in found)
    assert first == "computed"
    added = found[1]["market_data"]["rows"].value - found[0]["market_data"]["rows"].value
    assert added == 1_800
    # The first window ends with a settlement, which its last bar did not know yet.
    assert second == f"extended by {added + 60} rows"


def test_how_they_were_come_by_is_in_no_key(found: list[Any]) -> None:
    assert "features" in found[0]["analyst_dataset"]
    assert not any("extended" in str(value) for value in _figures(found[1]["analyst_dataset"]))


def _figures(metadata: dict[str, Any]) -> list[Any]:
    return [value for name, value in metadata.items() if not name.startswith("cost/")]
