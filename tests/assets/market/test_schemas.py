"""Schemas of stored frames: valid ones pass, and each fault is found and named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.random_bars import random_market

from ares_assets.market.bars import bar_schema, check_bars
from ares_assets.market.schemas import market_schema, regime_dataset_schema, regimes_schema
from ares_assets.market_checks import conforms

ROWS = 300


def regimes():
    stream = np.random.default_rng(1)
    p = stream.dirichlet([1, 1, 1], ROWS)
    frame = pd.DataFrame(p, columns=["p_bull", "p_bear", "p_sideways"])
    frame.insert(0, "timestamp", np.arange(ROWS, dtype=np.int64) * 60_000)
    return frame.assign(regime=np.array(["bull", "bear", "sideways"], dtype=object)[p.argmax(1)])


def dataset():
    row = np.arange(ROWS, dtype=np.int64)
    return pd.DataFrame({"row": row, "timestamp": row * 60_000, "role": "development"})


def told(finding):
    return [finding.words, *(row["fault"] for row in finding.figures.get("first_faults", []))]


def put(column, row, value):
    def change(frame):
        frame.loc[row, column] = value
        return frame

    return change


@pytest.mark.parametrize(
    ("frame", "schema"),
    [
        (random_market(ROWS, seed=1, missing_share=0.1), market_schema("1m")),
        (regimes(), regimes_schema()),
        (dataset(), regime_dataset_schema()),
    ],
)
def test_what_the_steps_make_fits(frame, schema):
    finding = conforms(frame, schema)
    assert finding.passed
    assert finding.figures == {"rows": len(frame), "columns": len(frame.columns)}


MARKET_FAULTS = {
    "high": (put("high", 7, 1.0), "high at least open, close and low"),
    "low": (put("low", 7, 1e6), "low at most open and close"),
    "price": (put("close", 7, -1.0), "above 0"),
    "infinite": (put("volume", 7, np.inf), "finite"),
    "share": (put("taker_buy_share", 7, 1.5), "within 0 and 1"),
    "off grid": (put("timestamp", 7, 1_700_006_400_000 + 7 * 60_000 + 1), "multiples of 60000 ms"),
    "repeated": (put("timestamp", 7, 1_700_006_400_000 + 6 * 60_000), "later than the row before"),
    "backward": (lambda f: f.iloc[::-1].reset_index(drop=True), "later than the row before"),
    "type": (lambda f: f.astype({"close": "float32"}), "float64"),
    "missing column": (
        lambda f: f.drop(columns="funding_rate"),
        "column 'funding_rate' is missing",
    ),
    "further column": (lambda f: f.assign(extra=1.0), "column 'extra' is unknown"),
    "order": (lambda f: f[f.columns[::-1]], "is out of order"),
    "empty": (lambda f: f.iloc[:0], "no row"),
}


@pytest.mark.parametrize("name", MARKET_FAULTS)
def test_each_fault_of_a_market_frame_is_found(name):
    change, allowed = MARKET_FAULTS[name]
    finding = conforms(change(random_market(ROWS, seed=1)), market_schema("1m"))
    assert not finding.passed
    assert "\n" not in finding.words
    assert any(allowed in words for words in told(finding))


def test_a_fault_is_told_with_column_row_and_value():
    finding = conforms(put("close", 7, -1.0)(random_market(ROWS, seed=1)), market_schema("1m"))
    assert "column 'close', row 7: -1.0 must be above 0" in finding.words


def test_the_schema_of_ingested_bars_is_not_changed_by_it():
    market_schema("5m")
    assert not bar_schema().columns["funding_rate"].required
    bars = random_market(ROWS, seed=1).iloc[:, :7]
    check_bars(bars, "1m")


@pytest.mark.parametrize(
    ("change", "allowed"),
    [
        (put("p_bull", 3, 1.2), "within 0 and 1"),
        (put("p_bull", 3, np.nan), "not_nullable"),
        (put("regime", 3, "crab"), "one of"),
        (put("timestamp", 3, 0), "later than the row before"),
        (lambda f: f.assign(p_bull=0.0, p_bear=0.0, p_sideways=0.5), "sum to 1"),
    ],
)
def test_each_fault_of_the_regimes_is_found(change, allowed):
    finding = conforms(change(regimes()), regimes_schema())
    assert not finding.passed
    assert any(allowed in words for words in told(finding))


@pytest.mark.parametrize(
    ("change", "allowed"),
    [
        (put("role", 3, "purged"), "one of"),
        (put("row", 3, 2), "later than the row before"),
        (lambda f: f.assign(row=f["row"].astype("float64")), "int64"),
    ],
)
def test_each_fault_of_the_split_is_found(change, allowed):
    finding = conforms(change(dataset()), regime_dataset_schema())
    assert not finding.passed
    assert any(allowed in words for words in told(finding))
