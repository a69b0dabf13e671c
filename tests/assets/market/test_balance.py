"""Balance: exact cells, effective samples that do not overlap, weaknesses in words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares_assets.market.balance import (
    balance,
    balance_faults,
    cell,
    drift,
    evenness,
    horizons,
    weaknesses,
)
from ares_resources.errors import BadInput
from ares_resources.settings import CheckSettings

ROLES = np.array(
    ["warmup"] * 2 + ["development"] * 8 + ["purged"] * 2 + ["calibration"] * 2 + ["holdout"] * 4,
    dtype=object,
)
REGIMES = np.array(
    ["bull"] * 5 + ["bear"] * 2 + ["bull"] * 6 + ["sideways"] * 3 + ["bull"] * 2, dtype=object
)
STAMPS = np.arange(18, dtype=np.int64) * 60_000


def cells(roles=ROLES, regimes=REGIMES, horizon=2, stamps=None):
    stamps = np.arange(len(roles), dtype=np.int64) * 60_000 if stamps is None else stamps
    return balance(stamps, roles, regimes, horizon_bars=horizon, step_ms=60_000)


def market(development, calibration, holdout):
    """Cells of a window whose roles hold so many bars of bull, bear and sideways."""
    parts = {"development": development, "calibration": calibration, "holdout": holdout}
    names = ("bull", "bear", "sideways")
    roles = np.concatenate([np.full(sum(n), role, object) for role, n in parts.items()])
    regimes = np.concatenate(
        [np.full(k, name, object) for n in parts.values() for name, k in zip(names, n, strict=True)]
    )
    return cells(roles, regimes, horizon=10)


def test_cells_count_bars_shares_episodes_and_horizons():
    found = cell(cells(), "bull", "development")
    assert (found.bars, found.share, found.episodes, found.effective_sample) == (6, 0.75, 2, 4)
    found = cell(cells(), "sideways", "holdout")
    assert (found.bars, found.share, found.episodes, found.effective_sample) == (2, 0.5, 1, 1)
    found = cell(cells(), "bear", "holdout")
    assert (found.bars, found.share, found.episodes, found.effective_sample) == (0, 0.0, 0, 0)


def test_neighbouring_stays_shorter_than_a_horizon_hold_one_outcome():
    regimes = np.array(["bull", "bear", "bull", "bear"] * 2, dtype=object)
    roles = np.full(8, "development", dtype=object)
    assert cell(cells(roles, regimes, horizon=8), "bull", "development").effective_sample == 1
    assert cell(cells(roles, regimes, horizon=2), "bull", "development").effective_sample == 4


@given(st.lists(st.integers(0, 400), unique=True), st.integers(1, 50))
def test_horizons_are_the_most_that_do_not_overlap(minutes, span):
    stamps = np.sort(np.array(minutes, dtype=np.int64))
    best = [0] * (len(stamps) + 1)
    for i in range(len(stamps) - 1, -1, -1):
        after = next((j for j in range(i + 1, len(stamps)) if stamps[j] >= stamps[i] + span), None)
        best[i] = max(best[i + 1], 1 + (best[after] if after is not None else 0))
    assert horizons(stamps, span) == best[0]


def test_gaps_of_missing_bars_count_as_time():
    stamps = np.array([0, 1, 100, 101], dtype=np.int64) * 60_000
    roles, regimes = np.full(4, "holdout", object), np.full(4, "bear", object)
    assert cell(cells(roles, regimes, 50, stamps), "bear", "holdout").effective_sample == 2


def test_evenness_and_drift():
    found = market((100, 100, 100), (300, 0, 0), (200, 100, 0))
    assert evenness(found, "development") == pytest.approx(1, abs=1e-3)
    assert evenness(found, "calibration") == 0
    assert drift(found, "calibration") == pytest.approx(2 / 3, abs=1e-3)
    assert drift(found, "holdout") == pytest.approx(1 / 3, abs=1e-3)


def test_enough_everywhere_is_no_weakness():
    assert weaknesses(market((900,) * 3, (400,) * 3, (500,) * 3), "bear", days=30) == []


def test_a_regime_that_is_missing_later_is_told_with_what_would_help():
    found = market((900, 900, 900), (400, 400, 0), (500, 500, 50))
    calibration, holdout = weaknesses(found, "sideways", days=30)
    assert calibration.startswith("step 11 calibrates on calibration, which holds 0 sideways bars")
    assert "longer window (--lookback-days)" in calibration
    assert "holds 50 sideways bars, 5 independent label horizons" in holdout
    assert "about 180 days of window would do" in holdout


def test_a_thin_development_and_a_fading_regime_are_told():
    (thin,) = weaknesses(market((100, 900, 900), (400,) * 3, (400,) * 3), "bull", days=30)
    assert thin.startswith("development holds 100 bull bars, 10 independent label horizons")
    fading = market((9_000, 500, 500), (400, 400, 400), (400, 9_000, 400))
    assert weaknesses(fading, "bull", days=30) == [
        "bull fades: 90% of development, 4% of holdout; the market has changed, and a later "
        "--as-of may show whether it stays so"
    ]


def test_collapse_thin_regimes_and_a_wild_pace_are_faults():
    tolerated = CheckSettings(minimum_regime_episodes=1)
    sound = market((900,) * 3, (100,) * 3, (100,) * 3)
    assert balance_faults(sound, 17, tolerated) == []
    (collapse,) = balance_faults(market((900, 0, 0), (9, 0, 0), (9, 0, 0)), 0, tolerated)
    assert collapse == "the regimes collapsed: every development bar is bull"
    absent = balance_faults(market((900, 900, 0), (9,) * 3, (9,) * 3), 17, tolerated)
    assert [fault.split(" (")[0] for fault in absent] == [
        "sideways is 0.0% of development, 0 bars",
        "stays in sideways in development: 0",
    ]
    (wild,) = balance_faults(sound, 900, tolerated)
    assert wild == "900 switches of regime in 30 days (checks.switches_per_30_days: 2 to 200)"
    (few,) = balance_faults(sound, 17, CheckSettings(minimum_regime_episodes=2))[:1]
    assert few == "stays in bull in development: 1 (checks.minimum_regime_episodes: 2)"


def test_unequal_lengths_are_refused():
    with pytest.raises(BadInput, match="18 roles for 17 regimes"):
        cells(ROLES, REGIMES[1:])
