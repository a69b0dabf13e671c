"""Spans of the roles and purge gaps: exact tables, and that no label crosses a cut."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ares_assets.market.roles import cuts_of, roles_of
from ares_assets.market.spans import crossing, misplaced, purge_gaps, role_spans
from ares_resources.errors import BadInput
from ares_resources.settings import WindowSettings

MINUTE = 60_000
SHARES = WindowSettings()


def window_of(end_bars, start_bars=0, timeframe="1m"):
    return {
        "window_start_ms": int(start_bars * MINUTE),
        "window_end_ms": end_bars * MINUTE,
        "timeframe": timeframe,
    }


def roles(stamps, window, horizon):
    return roles_of(pd.DataFrame({"timestamp": stamps}), window, SHARES, horizon)


def test_the_tables_of_a_window_of_a_hundred_bars():
    stamps = (np.arange(110, dtype=np.int64) - 10) * MINUTE
    stamps = np.delete(stamps, [30, 76])
    window = window_of(100)
    named = roles(stamps, window, 5)
    spans = role_spans(named, window, SHARES, 5)
    assert [(r["role"], r["bars"], r["missing_bars"]) for r in spans] == [
        ("development", 64, 1),
        ("calibration", 5, 0),
        ("holdout", 20, 0),
    ]
    assert [(r["start_ms"] // MINUTE, r["end_ms"] // MINUTE) for r in spans] == [
        (0, 65),
        (70, 75),
        (80, 100),
    ]
    first, second = purge_gaps(stamps, named, window, SHARES, 5)
    assert (first["before"], first["after"], first["bars"]) == ("development", "calibration", 5)
    assert (first["start_ms"] // MINUTE, first["end_ms"] // MINUTE) == (65, 70)
    assert (first["purged_bars"], second["purged_bars"]) == (4, 5)
    assert first["last_label_ends_ms"] == 70 * MINUTE
    assert (first["spare_bars"], second["spare_bars"]) == (0, 0)


WINDOWS = st.integers(60, 400)
HORIZONS = st.integers(1, 12)
OFFSETS = st.floats(0, 0.99)


@settings(deadline=None)
@given(WINDOWS, HORIZONS, OFFSETS, st.integers(0, 10**6), st.sampled_from([0.0, 0.2, 0.7]))
def test_gaps_move_no_cut_and_no_label_crosses_one(bars, horizon, offset, seed, missing):
    stamps = (np.arange(bars + 20, dtype=np.int64) - 20) * MINUTE
    window = window_of(bars, offset)
    cuts = cuts_of(window, SHARES)
    assume(cuts[0] - horizon * MINUTE > window["window_start_ms"])
    assume(cuts[1] - horizon * MINUTE > cuts[0])
    whole = roles(stamps, window, horizon)
    kept = np.random.default_rng(seed).random(len(stamps)) >= missing
    named = roles(stamps[kept], window, horizon)
    assert (named == whole[kept]).all()
    assert crossing(stamps[kept], named, cuts, horizon_bars=horizon, step_ms=MINUTE) is None
    for gap in purge_gaps(stamps[kept], named, window, SHARES, horizon):
        assert gap["spare_bars"] is None or gap["spare_bars"] >= 0
    assert sum(r["bars"] for r in role_spans(named, window, SHARES, horizon)) == int(
        np.isin(named, ["development", "calibration", "holdout"]).sum()
    )


@settings(deadline=None)
@given(WINDOWS, HORIZONS, st.integers(0, 10**6))
def test_rows_of_fragments_keep_their_time_and_any_subset_stays_purged(bars, horizon, seed):
    stream = np.random.default_rng(seed)
    stamps = np.cumsum(stream.integers(1, 4, bars)).astype(np.int64) * MINUTE
    window = window_of(int(stamps[-1]) // MINUTE + 1, int(stamps[0]) // MINUTE)
    cuts = cuts_of(window, SHARES)
    assume(cuts[0] - horizon * MINUTE > window["window_start_ms"])
    assume(cuts[1] - horizon * MINUTE > cuts[0])
    named = roles(stamps, window, horizon)
    own = np.flatnonzero((stream.random(bars) < 0.3) & np.isin(named, list(ROLES)))
    rows = pd.DataFrame({"row": own, "timestamp": stamps[own], "role": named[own]})
    edges = (window["window_start_ms"], *cuts, window["window_end_ms"])
    assert misplaced(rows, stamps, edges) is None
    labels = {"horizon_bars": horizon, "step_ms": MINUTE}
    assert crossing(stamps[own], named[own], cuts, **labels) is None


ROLES = ("development", "calibration", "holdout")


def test_the_shortest_window_has_a_bar_in_each_role_and_one_bar_less_is_refused():
    # Ten bars of calibration hold one decision of a horizon of nine; the cut takes the rest.
    stamps = np.arange(100, dtype=np.int64) * MINUTE
    named = roles(stamps, window_of(100), 9)
    assert [int((named == role).sum()) for role in ROLES] == [61, 1, 20]
    with pytest.raises(BadInput, match="leaves no development or no calibration"):
        roles(stamps, window_of(100), 10)


@pytest.mark.parametrize("month", ["2023-03", "2023-10"])
def test_a_change_of_the_clock_moves_no_cut(month):
    start = int(pd.Timestamp(f"{month}-20", tz="UTC").value // 10**6)
    quiet = int(pd.Timestamp("2023-06-05", tz="UTC").value // 10**6)
    day = np.arange(10 * 24, dtype=np.int64) * 3_600_000

    def cut(first):
        window = {"window_start_ms": first, "window_end_ms": first + 10 * 86_400_000}
        return roles(day + first, {**window, "timeframe": "1h"}, 6).tolist()

    assert cut(start) == cut(quiet)


def test_a_label_that_reaches_the_next_role_is_found():
    stamps = np.arange(100, dtype=np.int64) * MINUTE
    window = window_of(100)
    named, cuts = roles(stamps, window, 5), cuts_of(window, SHARES)
    assert crossing(stamps, named, cuts, horizon_bars=5, step_ms=MINUTE) is None
    fault = crossing(stamps, named, cuts, horizon_bars=6, step_ms=MINUTE)
    assert fault is not None
    assert fault.startswith("a development label may end at 1970-01-01T01:11:00Z")
    named[74:80] = "calibration"
    fault = crossing(stamps, named, cuts, horizon_bars=5, step_ms=MINUTE)
    assert fault is not None
    assert fault.startswith("a calibration label")


def test_wrong_times_rows_and_roles_are_found():
    stamps = np.arange(100, dtype=np.int64) * MINUTE
    edges = (0, 70 * MINUTE, 80 * MINUTE, 100 * MINUTE)
    own = np.array([3, 4, 72, 90])
    roles_ = np.array(["development", "development", "calibration", "holdout"], dtype=object)
    rows = pd.DataFrame({"row": own, "timestamp": stamps[own], "role": roles_})
    assert misplaced(rows, stamps, edges) is None
    shifted = rows.assign(timestamp=rows["timestamp"] + MINUTE)
    assert "row 3 says 1970-01-01T00:04:00Z" in str(misplaced(shifted, stamps, edges))
    beyond = rows.assign(row=[3, 4, 72, 100])
    assert "rows 3 to 100 of a market frame of 100" in str(misplaced(beyond, stamps, edges))
    overlapping = rows.assign(role=["development", "development", "development", "holdout"])
    assert "a development bar opens at" in str(misplaced(overlapping, stamps, edges))
