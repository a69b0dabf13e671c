"""The roles of time: exact cuts, gaps wide enough for every label, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.prefix import random_cuts
from helpers.random_bars import random_market
from hypothesis import given, settings
from hypothesis import strategies as st

from ares_assets.analyst.labels import triple_barrier, volatility
from ares_assets.market.windows import role_cuts, time_roles
from ares_resources.errors import BadInput

MINUTE = 60_000


def roles(stamps, *, end, horizon=5, start=0, development=0.7, calibration=0.1):
    return time_roles(
        np.asarray(stamps, np.int64),
        window_start_ms=start,
        window_end_ms=end,
        timeframe_ms=MINUTE,
        horizon_bars=horizon,
        development=development,
        calibration=calibration,
    )


def test_each_role_has_exactly_its_bars():
    stamps = (np.arange(110) - 10) * MINUTE
    expected = (
        ["warmup"] * 10
        + ["development"] * 65
        + ["purged"] * 5
        + ["calibration"] * 5
        + ["purged"] * 5
        + ["holdout"] * 20
    )
    assert roles(stamps, end=100 * MINUTE).tolist() == expected


def test_missing_bars_move_no_cut():
    stamps = (np.arange(200) - 20) * MINUTE
    whole = roles(stamps, end=180 * MINUTE)
    kept = np.random.default_rng(1).random(200) > 0.4
    assert roles(stamps[kept], end=180 * MINUTE).tolist() == whole[kept].tolist()


def test_cuts_stand_on_the_bar_grid():
    first, second = role_cuts(0, 1001 * MINUTE, MINUTE, development=0.7, calibration=0.1)
    assert first == 700 * MINUTE
    assert second == 800 * MINUTE


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    horizon=st.integers(1, 12),
    missing=st.sampled_from([0.0, 0.1, 0.5]),
)
def test_no_label_of_a_role_reads_a_bar_of_the_next(seed, horizon, missing):
    market = random_market(200, seed=seed, missing_share=missing)
    stamps = market["timestamp"].to_numpy()
    start = int(stamps[20])
    named = roles(stamps, start=start, end=int(stamps[-1]) + MINUTE, horizon=horizon)
    spread = volatility(market["close"].to_numpy(), 5)
    for role, following in (("development", "calibration"), ("calibration", "holdout")):
        first = np.flatnonzero(named == following)
        if not len(first):
            continue
        # As step 4 does: on the bars before the next role, so a gap cannot carry a label into it.
        labels = triple_barrier(
            market.iloc[: first[0]],
            np.flatnonzero(named == role),
            horizon_bars=horizon,
            upper_width=2.0,
            lower_width=2.0,
            volatility=spread,
            timeframe_ms=MINUTE,
        )
        after = named[labels["t1_row"]]
        assert ((after == role) | (after == "purged")).all()
        if missing == 0.0:
            assert len(labels) == (spread[named == role] > 0).sum()


def test_roles_do_not_depend_on_later_bars():
    stamps = np.arange(300) * MINUTE
    whole = roles(stamps, end=300 * MINUTE)
    for cut in random_cuts(300, 5, seed=2):
        assert roles(stamps[:cut], end=300 * MINUTE).tolist() == whole[:cut].tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"end": 0}, "must be after its start"),
        ({"end": 99 * MINUTE}, "closes after the window's end"),
        ({"horizon": 11}, "leaves no development or no calibration"),
        ({"development": 0.95}, "sum to less than 1"),
        ({"calibration": 0.0}, "above 0"),
        ({"calibration": 0.001}, "too short"),
    ],
)
def test_impossible_windows_are_refused(change, message):
    arguments = {"end": 100 * MINUTE, **change}
    with pytest.raises(BadInput, match=message):
        roles(np.arange(100) * MINUTE, **arguments)
