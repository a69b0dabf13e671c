"""What learners reach on the simulated market, against the tables of METHODS section 3.

METHODS gives neither seeds nor features, so ours are one choice of both, the same for all rows
(``simulated_learners``).  Shares of the oracle's IC are means over eight paths and compared with
three standard errors of the difference of two such means.  The decoding table must come from
one path or few, since its oracle, which nothing is fitted for, moves from .929 to .903 between
the columns; there the tolerance is three deviations of a path around our mean.  A figure that
does not come out is marked as a strict expected failure, never covered by a wider tolerance.
The measured tables stand in docs/simulated_market.md.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator

import numpy as np
import pytest
from simulated_learners import (
    DECODERS,
    DECODING_WINDOWS,
    WINDOWS,
    decoding_accuracy,
    forward_filter,
    shares_of_the_oracle,
)

pytestmark = pytest.mark.slow

SHARE_SEEDS = range(8)
DECODING_SEEDS = range(16)
SHARES = {
    "flip, oracle, 6": (0.64, 0.83, 0.87, 0.90),
    "flip, mixture, 6": (0.38, 0.67, 0.72, 0.75),
    "flip, mixture, 19": (0.08, 0.51, 0.63, 0.65),
    "flip, CatBoost": (0.03, 0.20, 0.42, 0.52),
    "consistent, pooled": (0.64, 0.82, 0.90, 0.93),
}
NOT_REPRODUCED = {
    ("flip, mixture, 19", 365): "measured .78 +- .03, published .65",
    ("flip, CatBoost", 365): "measured .62 +- .02, published .52",
}
DECODED = {
    "oracle": (0.929, 0.903),
    "mixture": (0.848, 0.840),
    "hidden Markov": (0.777, 0.778),
}
Table = dict[tuple[str, int], np.ndarray]


def _table(rows: list[dict[tuple[str, int], float]]) -> Table:
    return {key: np.array([row[key] for row in rows]) for key in rows[0]}


@pytest.fixture(scope="module")
def shares() -> Table:
    return _table([shares_of_the_oracle(seed) for seed in SHARE_SEEDS])


@pytest.fixture(scope="module")
def decoded() -> Iterator[Table]:
    logging.getLogger("hmmlearn").setLevel(logging.ERROR)  # it warns of every flat last step
    yield _table([decoding_accuracy(seed) for seed in DECODING_SEEDS])
    logging.getLogger("hmmlearn").setLevel(logging.NOTSET)


def _share_cases() -> Iterator[object]:
    for name, published in SHARES.items():
        for days, figure in zip(WINDOWS, published, strict=True):
            reason = NOT_REPRODUCED.get((name, days))
            marks = [pytest.mark.xfail(reason=reason, strict=True)] if reason else []
            yield pytest.param(name, days, figure, marks=marks, id=f"{name}, {days} days")


@pytest.mark.parametrize(("name", "days", "published"), list(_share_cases()))
def test_share_of_the_oracle(name: str, days: int, published: float, shares: Table) -> None:
    values = shares[name, days]
    error = values.std(ddof=1) / math.sqrt(len(values))
    assert values.mean() == pytest.approx(published, abs=3 * math.sqrt(2) * error)


def test_more_days_help_every_learner(shares: Table) -> None:
    for name in SHARES:
        means = [shares[name, days].mean() for days in WINDOWS]
        assert means == sorted(means), name


def test_few_features_and_a_linear_expert_beat_boosting_below_a_year(shares: Table) -> None:
    for days in WINDOWS:
        few, many = shares["flip, mixture, 6", days], shares["flip, mixture, 19", days]
        boosted = shares["flip, CatBoost", days]
        assert few.mean() > many.mean() > boosted.mean(), days
        gain = few - boosted  # paired: the same paths
        assert gain.mean() > 2 * gain.std(ddof=1) / math.sqrt(len(gain)), days


def test_thirty_days_can_hardly_train(shares: Table) -> None:
    """On a quarter of the paths or more the router's share is below a third."""
    assert np.quantile(shares["flip, mixture, 6", 30], 0.25) < 1 / 3


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("column", [0, 1])
def test_balanced_accuracy_of_decoding(name: str, column: int, decoded: Table) -> None:
    values = decoded[name, DECODING_WINDOWS[column]]
    tolerance = 3 * values.std(ddof=1) * math.sqrt(1 + 1 / len(values))
    assert values.mean() == pytest.approx(DECODED[name][column], abs=tolerance)


@pytest.mark.parametrize("days", DECODING_WINDOWS)
def test_decoders_rank_as_published(days: int, decoded: Table) -> None:
    means = [decoded[name, days].mean() for name in ("oracle", "mixture", "hidden Markov")]
    assert means == sorted(means, reverse=True)
    assert (decoded["oracle", days] > decoded["mixture", days]).all()


def test_forward_filter_is_hmmlearns_posterior_without_the_future() -> None:
    """At the last observation the smoothed posterior and the filtered one are the same."""
    from hmmlearn.hmm import GaussianHMM

    rng = np.random.default_rng(4)
    level = rng.standard_normal((400, 1)) + np.repeat([0.0, 0.5, -0.5, 0.0], 100)[:, None]
    fitted = GaussianHMM(3, n_iter=20, random_state=0).fit(level)
    filtered = forward_filter(fitted, level)
    for end in (1, 2, 57, 101, 400):
        smoothed = fitted.predict_proba(level[:end])
        np.testing.assert_allclose(filtered[end - 1], smoothed[-1], atol=1e-9)
    assert np.abs(filtered - fitted.predict_proba(level)).max() > 0.1  # it does look ahead
