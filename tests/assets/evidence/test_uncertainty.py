"""The equity band: true coverage over many accounts, exact laws where there are some."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from ares_assets.evidence import uncertainty as u
from ares_assets.evidence.conformal import fit_conformal
from ares_resources.errors import BadInput

TRADES = 120


def _account(
    seed: int, *, width: float = 0.0, claimed_above: float = 0.0, own_pools: bool = False
) -> u.EquityBand:
    """An account whose trades prove right as often as said, placed in its band.

    True chances lie at one uniform place of all intervals; pools are of an earlier record.
    """
    rng = np.random.default_rng([seed, 11])
    low = rng.uniform(0.45, 0.6, TRADES)
    chance = low + rng.random() * width

    def paid(proved: np.ndarray) -> np.ndarray:
        size = 0.01 + 0.003 * rng.standard_normal(proved.size)
        return np.where(proved, size, -size)

    proved = rng.random(TRADES) < chance
    realised = paid(proved)
    earlier = paid(np.arange(400) < 220)
    pools = (realised[proved], realised[~proved]) if own_pools else (earlier[:220], earlier[220:])
    said = low + claimed_above
    return u.equity_band(said, said + width, *pools, paths=500, seed=seed, realised=realised)


def _inside(**options: object) -> float:
    return float(np.mean([_account(seed, **options).inside for seed in range(300)]))


def test_ninety_of_a_hundred_accounts_end_inside_when_chances_are_exact() -> None:
    """Binomial error of 300 accounts is .017."""
    assert _inside() == pytest.approx(0.9, abs=0.035)


def test_ninety_of_a_hundred_end_inside_when_chances_lie_in_their_intervals() -> None:
    assert _inside(width=0.2) == pytest.approx(0.9, abs=0.035)


def test_claims_that_are_too_good_leave_the_band() -> None:
    assert _inside(claimed_above=0.08) < 0.7
    assert _inside(claimed_above=-0.08) < 0.7


def test_pools_of_the_judged_trades_make_the_band_a_little_wide_never_narrow() -> None:
    assert 0.88 <= _inside(own_pools=True) <= 0.97


def test_single_sets_collapse_to_the_binomial() -> None:
    """Equal payoffs and one probability: equity is a function of a binomial count."""
    from scipy.stats import binom

    n, p = 50, 0.6
    band = u.equity_band(
        np.full(n, p), np.full(n, p), [0.02] * 30, [-0.01] * 30, paths=20_000, seed=3
    )

    def equity(wins: float) -> float:
        return math.exp(wins * math.log1p(0.02) + (n - wins) * math.log1p(-0.01))

    for found, share in ((band.low, 0.05), (band.middle, 0.5), (band.high, 0.95)):
        wins = binom.ppf(share, n, p)
        assert equity(wins - 1) <= found <= equity(wins + 1)
    lost = sum(binom.pmf(k, n, p) for k in range(n + 1) if equity(k) < 1.0)
    assert band.loss_share == pytest.approx(lost, abs=0.01)
    assert band.pessimistic == band.optimistic == band.middle
    assert band.mean_width == 0.0


def test_intervals_widen_the_band_and_their_ends_bound_its_middle() -> None:
    p, pools = np.full(80, 0.55), ([0.01] * 40, [-0.01] * 40)
    point = u.equity_band(p, p, *pools, paths=4000, seed=5)
    wide = u.equity_band(p - 0.1, p + 0.1, *pools, paths=4000, seed=5)
    assert wide.low < point.low < point.high < wide.high
    assert wide.pessimistic < wide.middle < wide.optimistic
    assert wide.middle == pytest.approx(point.middle, rel=0.01)

    def spread(trades: int) -> float:
        many = np.full(trades, 0.5)
        band = u.equity_band(many - 0.1, many + 0.1, *pools, paths=4000, seed=5)
        return math.log(band.high / band.low)

    # An error that is shared does not average out: over many trades it grows with their number,
    # where independent luck grows with its root.
    assert spread(1600) > 3.0 * spread(400)


def test_drawdown_is_that_of_the_walked_path() -> None:
    certain = u.equity_band(np.zeros(3), np.zeros(3), [0.01], [-0.1], paths=7, seed=1)
    assert certain.drawdown["middle"] == pytest.approx(1.0 - 0.9**3)
    assert certain.curve["middle"] == pytest.approx([0.9, 0.81, 0.729])
    assert certain.after_trades == [1, 2, 3]
    assert certain.loss_share == 1.0


def test_the_same_seed_gives_the_same_band_and_the_first_paths_do_not_depend_on_the_rest() -> None:
    low, high = np.full(40, 0.4), np.full(40, 0.6)
    pools = (np.linspace(0.001, 0.02, 30), np.linspace(-0.02, -0.001, 30))
    first, again = (u.equity_band(low, high, *pools, paths=300, seed=9) for _ in range(2))
    assert first == again
    assert u.equity_band(low, high, *pools, paths=300, seed=10) != first
    json.dumps(first.as_dict(), allow_nan=False)


def test_a_set_that_makes_no_statement_has_the_interval_of_its_threshold() -> None:
    p = np.array([0.5, 0.57, 0.7, 0.2])
    single = np.array([False, False, True, True])
    low, high = u.set_intervals(p, single, {"method": "lac", "threshold": 0.58})
    assert low == pytest.approx([0.42, 0.42, 0.7, 0.2])
    assert high == pytest.approx([0.58, 0.58, 0.7, 0.2])
    for unknown in ({"method": "lac", "threshold": None}, {"method": "aps", "threshold": 0.9}):
        low, high = u.set_intervals(p, single, unknown)
        assert low.tolist() == [0.0, 0.0, 0.7, 0.2]
        assert high.tolist() == [1.0, 1.0, 0.7, 0.2]


def test_every_probability_of_an_interval_has_that_very_set() -> None:
    """Against the fitted sets themselves: the interval is what the set cannot tell apart."""
    rng = np.random.default_rng(0)
    p = rng.uniform(0.3, 0.7, 400)
    sets = fit_conformal(p, (rng.random(400) < p).astype(int), coverage=0.9)
    single = sets.predict(p).sum(axis=1) == 1
    low, high = u.set_intervals(p, single, sets.to_dict())
    full = ~single
    assert full.any()
    assert (low[full] <= p[full]).all()
    assert (p[full] <= high[full]).all()
    inner = np.linspace(low[full][0] + 1e-9, high[full][0] - 1e-9, 50)
    assert (sets.predict(inner).sum(axis=1) != 1).all()
    assert (sets.predict(np.array([high[full].max() + 1e-6])).sum(axis=1) == 1).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([0.6], [0.5], [0.1], [-0.1]), "ascending"),
        (([0.5], [1.5], [0.1], [-0.1]), r"in 0\.\.1"),
        (([0.5], [0.5], [], [-0.1]), "right"),
        (([0.5], [0.5], [0.1], [-1.0]), "wrong"),
        (([], [], [0.1], [-0.1]), "above 0"),
    ],
)
def test_what_makes_no_band_is_named(arguments: tuple, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        u.equity_band(*arguments, paths=3, seed=0)
