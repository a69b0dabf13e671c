"""What the columns of an artifact are and where they come from, as Dagster shows it.

Belongs here: ``dagster/column_schema`` and ``dagster/column_lineage`` of market data and of the
analyst's features, made from the feature table.  Does not belong here: the table itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import dagster as dg

from ares_assets.engine import Work
from ares_resources.storage.artifacts import Artifact

MARKET = {
    "timestamp": ("int64", "open of the bar, UTC ms"),
    "open": ("float64", "first price of the bar"),
    "high": ("float64", "highest price of the bar"),
    "low": ("float64", "lowest price of the bar"),
    "close": ("float64", "last price of the bar"),
    "volume": ("float64", "amount traded in the bar, as the source counts it"),
    "taker_buy_share": ("float64", "share of the volume that takers bought, 0 to 1"),
    "funding_rate": ("float64", "last rate settled by the close, fraction per settlement"),
    "funding_payment": ("float64", "sum of the rates settled within the bar, fraction"),
    "gap_payment": ("float64", "sum of the rates settled in the gap before the bar, fraction"),
    "open_interest": ("float64", "last open interest known at the close"),
}


def column_metadata(work: Work, artifact: Artifact) -> Mapping[str, Any]:
    """Dagster's metadata on columns, for the artifacts that have any; else none."""
    describe = _DESCRIBED.get(work.spec.name)
    return {} if describe is None else describe(work, artifact)


def _market(work: Work, artifact: Artifact) -> Mapping[str, Any]:
    columns = [dg.TableColumn(name, kind, words) for name, (kind, words) in MARKET.items()]
    return {"dagster/column_schema": dg.TableSchema(columns)}


def _features(work: Work, artifact: Artifact) -> Mapping[str, Any]:
    from ares_assets.analyst.feature_documentation import described_features
    from ares_assets.market.regimes.base import PROBABILITY_COLUMNS, REGIMES

    described = described_features(work.settings.features.timeframes)
    kept = [name for name in artifact.load()["features.parquet"].columns if name in described]
    columns = [
        dg.TableColumn(name, "float64", f"{described[name].formula} [{described[name].unit}]")
        for name in kept
    ]
    lineage = {name: _read_from("market_data", described[name].sources) for name in kept}
    for name, regime in zip(PROBABILITY_COLUMNS, REGIMES, strict=True):
        words = f"filtered probability of {regime} at the bar's close [0 to 1]"
        columns.append(dg.TableColumn(name, "float64", words))
        lineage[name] = _read_from("market_regimes", (name,))
    return {
        "dagster/column_schema": dg.TableSchema(columns),
        "dagster/column_lineage": dg.TableColumnLineage(lineage),
    }


def _read_from(asset: str, columns: Iterable[str]) -> list[dg.TableColumnDep]:
    return [dg.TableColumnDep(dg.AssetKey(asset), name) for name in columns]


_DESCRIBED: dict[str, Callable[[Work, Artifact], Mapping[str, Any]]] = {
    "market_data": _market,
    "analyst_dataset": _features,
}
