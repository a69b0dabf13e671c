"""Gaps and plausibility: exact figures, and for each fault a series that has it."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.random_bars import START_MS, random_market

from ares_assets.market.quality import (
    gap_faults,
    gap_figures,
    plausibility_faults,
    plausibility_figures,
)
from ares_resources.settings import CheckSettings

MINUTE = 60_000
TOLERATED = CheckSettings()


def without(market, first, last):
    kept = (market.index < first) | (market.index >= last)
    return market[kept].reset_index(drop=True)


def gaps(market, step=MINUTE):
    return gap_figures(market["timestamp"].to_numpy(), step)


def plausible(market):
    end = int(market["timestamp"].iloc[-1]) + MINUTE
    return plausibility_figures(market, MINUTE, end)


def priced(market, rows, factor):
    spoiled = market.copy()
    spoiled.loc[rows, ["open", "high", "low", "close"]] *= factor
    return spoiled


def test_a_halt_of_eighty_minutes_is_told_and_tolerated():
    figures = gaps(without(random_market(20_000, seed=1), 9_000, 9_080))
    assert figures["missing_bars"] == figures["longest_gap_bars"] == 80
    assert figures["missing_share"] == 80 / 20_000
    assert figures["longest_gap_hours"] == pytest.approx(4 / 3)
    assert figures["ledger"] == [
        {
            "start_ms": START_MS + 9_000 * MINUTE,
            "end_ms": START_MS + 9_080 * MINUTE,
            "missing_bars": 80,
        }
    ]
    assert gap_faults(figures, TOLERATED) == []


def test_a_lost_day_and_many_lost_bars_are_faults():
    (lost,) = gap_faults(gaps(without(random_market(60_000, seed=1), 100, 1_600)), TOLERATED)
    assert "a gap of 25.0 hours from 2023-11-15T01:40:00Z" in lost
    assert "checks.maximum_gap_hours: 24" in lost
    (many,) = gap_faults(gaps(random_market(5_000, seed=1, missing_share=0.2)), TOLERATED)
    assert "checks.maximum_missing_share: 5.00%" in many


def test_one_missing_day_of_daily_bars_is_the_least_gap_there_is():
    daily = random_market(400, seed=1, timeframe_ms=86_400_000)
    strict = CheckSettings(maximum_gap_hours=1)
    assert gap_faults(gaps(without(daily, 50, 51), 86_400_000), strict) == []
    assert len(gap_faults(gaps(without(daily, 50, 52), 86_400_000), strict)) == 1


def test_the_ledger_of_a_torn_series_keeps_its_longest_gaps_in_order():
    torn = without(random_market(20_000, seed=1, missing_share=0.2), 5_000, 6_000)
    ledger = gaps(torn)["ledger"]
    assert len(ledger) == 50
    assert [row["start_ms"] for row in ledger] == sorted(row["start_ms"] for row in ledger)
    assert max(row["missing_bars"] for row in ledger) == gaps(torn)["longest_gap_bars"]


def test_no_gap_gives_no_fault_and_no_ledger():
    figures = gaps(random_market(100, seed=1))
    assert (figures["missing_bars"], figures["ledger"]) == (0, [])
    assert figures["longest_gap_start_ms"] is None


def test_an_ordinary_market_is_plausible():
    figures = plausible(random_market(5_000, seed=2))
    assert plausibility_faults(figures, TOLERATED) == []
    assert figures["jumps"] == figures["spikes"] == figures["longest_flat_hours"] == 0


def test_a_price_that_leaps_and_comes_straight_back_is_a_spike():
    figures = plausible(priced(random_market(5_000, seed=2), [700], 3.0))
    assert (figures["spikes"], figures["first_spike_ms"]) == (1, START_MS + 700 * MINUTE)
    (fault,) = plausibility_faults(figures, TOLERATED)
    assert "leaps of the price that the next bar undoes: 1, the first at" in fault
    assert plausibility_faults(figures, CheckSettings(maximum_price_spikes=1)) == []


def test_a_price_that_leaps_and_stays_is_no_spike():
    figures = plausible(priced(random_market(5_000, seed=2), np.arange(700, 5_000), 3.0))
    assert figures["spikes"] == 0
    assert figures["largest_move"] == pytest.approx(2.0, rel=0.02)


def test_recurring_jumps_are_a_fault():
    spoiled = random_market(5_000, seed=2)
    for row in (500, 1_500, 2_500, 3_500):
        spoiled = priced(spoiled, np.arange(row, 5_000), 3.0)
    (fault,) = plausibility_faults(plausible(spoiled), TOLERATED)
    assert "two mixed series do: 4, the first at" in fault


def test_bars_without_a_trade_are_a_fault_when_they_are_most():
    market = random_market(1_000, seed=2)
    market.loc[:600, "volume"] = 0.0
    (fault,) = plausibility_faults(plausible(market), TOLERATED)
    assert "nothing was traded in 60.1% of the bars" in fault


def test_a_price_that_stands_still_is_a_fault_when_it_does_so_for_long():
    market = random_market(5_000, seed=2)
    market.loc[1_000:1_079, ["open", "high", "low", "close"]] = 100.0
    short = plausible(market)
    assert short["longest_flat_hours"] == pytest.approx(80 / 60)
    assert short["longest_flat_start_ms"] == START_MS + 1_000 * MINUTE
    assert plausibility_faults(short, TOLERATED) == []
    market.loc[1_000:1_800, ["open", "high", "low", "close"]] = 100.0
    (fault,) = plausibility_faults(plausible(market), TOLERATED)
    assert "stands still for 13.3 hours" in fault


def test_a_bar_of_the_future_and_an_impossible_candle_are_named():
    market = random_market(100, seed=2)
    early = int(market["timestamp"].iloc[-1])
    assert "allowed: milliseconds UTC" in plausibility_figures(market, MINUTE, early)["impossible"]
    market.loc[5, "high"] = market.loc[5, "low"] / 2
    (fault,) = plausibility_faults(plausible(market), TOLERATED)
    assert fault.startswith("row 6: high")


def test_one_bar_has_figures_too():
    one = random_market(1, seed=2)
    assert gap_faults(gaps(one), TOLERATED) == []
    assert plausibility_faults(plausible(one), TOLERATED) == []
