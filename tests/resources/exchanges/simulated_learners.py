"""Small real learners on the simulated market, as METHODS section 3 measured some.

Belongs here: features, regime decoders and forecasters, each fitted on a training window and
used after it, and the experiments that compare them with the oracle.  Does not belong here:
the project's own analysts and regimes, nor assertions.  METHODS gives neither features nor
seeds; those here are one sensible choice, made once for all rows of the tables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from scipy.special import ndtri
from simulated_measures import returns_ahead

from ares_resources.exchanges.simulated.market import SimulatedMarket, simulate
from ares_resources.exchanges.simulated.oracle import OracleBelief, oracle_filter, oracle_forecast
from ares_resources.exchanges.simulated.symbols import LABORATORY

DAY = 1_440
HORIZON = 60
WARMUP_DAYS = 30
WINDOWS = (30, 90, 180, 365)
TEST_DAYS = 240
PENALTY = 0.1  # of the ridge, per row and unit-variance feature
VOLATILITY_HALFLIFE = 120
HMM_BLOCK_MINUTES = 10
DECODING_WINDOWS = (30, 180)
DECODING_TEST_DAYS = 120


def average(x: np.ndarray, halflife: float) -> np.ndarray:
    """Exponential average of the past, the present bar included."""
    return pd.Series(x).ewm(halflife=halflife, adjust=False).mean().to_numpy()


def mean_of(x: np.ndarray, minutes: int) -> np.ndarray:
    """Mean of the last ``minutes`` values."""
    return pd.Series(x).rolling(minutes, min_periods=1).mean().to_numpy()


@dataclass(frozen=True)
class Lab:
    """A market with what is judged against; learners read ``market``'s published columns only."""

    market: SimulatedMarket

    @classmethod
    def open(cls, name: str, seed: int, days: int) -> Lab:
        return cls(simulate(LABORATORY[name], seed=seed, minutes=days * DAY))

    @cached_property
    def belief(self) -> OracleBelief:
        return oracle_filter(self.market.recipe, self.market.bars(), self.market.funding())

    @cached_property
    def judged(self) -> tuple[np.ndarray, np.ndarray]:
        """The oracle's score and the outcome R / sqrt W, each (n,)."""
        forecast = oracle_forecast(self.market.recipe, self.belief, horizon=HORIZON)
        return forecast.score, returns_ahead(self.market, HORIZON) / np.sqrt(forecast.variance)

    @cached_property
    def returns(self) -> np.ndarray:
        return np.log(self.market.close / self.market.open)

    @cached_property
    def volatility(self) -> np.ndarray:
        return np.sqrt(average(self.returns**2, 240))

    @cached_property
    def label(self) -> np.ndarray:
        """What learners learn: the next hour's return over its observable scale."""
        return returns_ahead(self.market, HORIZON) / (self.volatility * np.sqrt(HORIZON))

    @cached_property
    def six_features(self) -> np.ndarray:
        """Order flow and returns at a few speeds, and the change of volatility, (n, 6)."""
        flow, r, v = ndtri(self.market.taker_buy_share), self.returns, self.volatility
        columns = [flow, mean_of(flow, 10), mean_of(flow, 60)]
        columns += [mean_of(r, 10) / v, mean_of(r, 60) / v, 0.5 * np.log(average(r**2, 60) / v**2)]
        return np.column_stack(columns)

    @cached_property
    def nineteen_features(self) -> np.ndarray:
        """The six, more speeds, volume, range, funding and the time of day, (n, 19)."""
        m, r, v = self.market, self.returns, self.volatility
        flow, volume = ndtri(m.taker_buy_share), np.log(m.volume)
        angle = 2 * np.pi * ((m.timestamp // 60_000) % DAY) / DAY
        columns = [mean_of(flow, minutes) for minutes in (5, 30, 240)]
        columns += [r / v, *(mean_of(r, minutes) / v for minutes in (5, 240, 1_440))]
        columns += [0.5 * np.log(average(r**2, 1_440) / v**2)]
        columns += [mean_of(volume, 60) - mean_of(volume, 1_440)]
        columns += [mean_of(np.log(m.high / m.low), 60) / v, self._funding() * 1e4]
        columns += [np.sin(angle), np.cos(angle)]
        return np.column_stack([self.six_features, *columns])

    def _funding(self) -> np.ndarray:
        rates = pd.Series(self.market.funding_rate, index=self.market.funding_timestamp)
        known = rates.reindex(self.market.timestamp + 60_000).ffill().fillna(0.0)
        return known.to_numpy()

    def calm_returns(self, train: slice) -> np.ndarray:
        """Returns over the training window's own half-hourly profile, jumps clipped, (n,)."""
        slot = ((self.market.timestamp // 60_000) % DAY) // 30
        size = np.abs(self.returns)
        clipped = np.minimum(size[train], np.quantile(size[train], 0.99))
        profile = pd.Series(clipped).groupby(slot[train]).mean().reindex(range(48)).to_numpy()
        level = self.returns / (profile / profile.mean())[slot]
        limit = np.quantile(np.abs(level[train]), 0.995)
        return np.clip(level, -limit, limit)


def mixture_probability(lab: Lab, train: slice) -> np.ndarray:
    """Gaussian mixture of three on smoothed log volatility, decoded bar by bar, (n, 3)."""
    from sklearn.mixture import GaussianMixture

    size = np.abs(lab.calm_returns(train))
    level = np.log(average(size, VOLATILITY_HALFLIFE))[:, None]
    fitted = GaussianMixture(3, random_state=0, n_init=3).fit(level[train][::10])
    return fitted.predict_proba(level)


def hidden_markov_probability(lab: Lab, train: slice) -> np.ndarray:
    """Gaussian HMM of ten-minute log realised volatility, filtered forward by hand, (n, 3).

    A bar knows the last block that closed with it or before it.
    """
    from hmmlearn.hmm import GaussianHMM

    blocks = lab.calm_returns(train).reshape(-1, HMM_BLOCK_MINUTES)
    level = 0.5 * np.log((blocks**2).sum(axis=1))[:, None]
    fit_rows = slice(train.start // HMM_BLOCK_MINUTES, train.stop // HMM_BLOCK_MINUTES)
    candidates = [
        GaussianHMM(3, n_iter=100, random_state=start, min_covar=1e-6).fit(level[fit_rows])
        for start in range(3)
    ]
    best = max(candidates, key=lambda fitted: fitted.score(level[fit_rows]))
    filtered = forward_filter(best, level)
    last_closed = (np.arange(len(lab.returns)) + 1) // HMM_BLOCK_MINUTES - 1
    return filtered[np.maximum(last_closed, 0)]


def forward_filter(fitted: object, level: np.ndarray) -> np.ndarray:
    """P(state | observations so far), (n, 3); ``predict_proba`` would look ahead."""
    means, deviations = fitted.means_[:, 0], np.sqrt(fitted.covars_[:, 0, 0])
    log_density = -0.5 * ((level - means) / deviations) ** 2 - np.log(deviations)
    belief, filtered = fitted.startprob_, np.empty((len(level), 3))
    for t, row in enumerate(log_density):
        prior = belief if t == 0 else belief @ fitted.transmat_
        # A floor, since a chain that never saw an exit could otherwise not follow the data.
        joint = np.maximum(prior, 1e-300) * np.exp(row - row.max())
        belief = joint / joint.sum()
        filtered[t] = belief
    return filtered


def ridge(features: np.ndarray, label: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weighted ridge with a free constant: coefficients, the constant first."""
    design = np.column_stack([np.ones(len(features)), features])
    weighted = design * weight[:, None]
    penalty = PENALTY * weight.sum() * np.diag([0.0, *np.ones(features.shape[1])])
    return np.linalg.solve(weighted.T @ design + penalty, weighted.T @ label)


def regime_ridge(
    features: np.ndarray, label: np.ndarray, probability: np.ndarray, train: slice, test: slice
) -> np.ndarray:
    """A ridge a regime, fitted and mixed by the regimes' probabilities; score on ``test``."""
    scaled = (features - features[train].mean(axis=0)) / features[train].std(axis=0)
    score = np.zeros(test.stop - test.start)
    for share in probability.T:
        coefficients = ridge(scaled[train], label[train], share[train])
        score += share[test] * (coefficients[0] + scaled[test] @ coefficients[1:])
    return score


def pooled_catboost(
    features: np.ndarray, label: np.ndarray, train: slice, test: slice
) -> np.ndarray:
    """One boosted model for all regimes on every tenth bar; score on ``test``."""
    from catboost import CatBoostRegressor

    model = CatBoostRegressor(
        iterations=200,
        learning_rate=0.05,
        depth=5,
        thread_count=2,
        random_seed=0,
        verbose=0,
        allow_writing_files=False,
    )
    return model.fit(features[train][::10], label[train][::10]).predict(features[test])


def shares_of_the_oracle(seed: int) -> dict[tuple[str, int], float]:
    """IC over the oracle's IC on 240 later days, a learner and training window each."""
    split = WARMUP_DAYS + max(WINDOWS)
    flip, consistent = (Lab.open(name, seed, split + TEST_DAYS) for name in ("FLIP", "CONSISTENT"))
    test = slice(split * DAY + HORIZON, (split + TEST_DAYS) * DAY - HORIZON)
    shares = {}
    for days in WINDOWS:
        train = slice((split - days) * DAY, split * DAY - HORIZON)
        decoded = mixture_probability(flip, train)
        everywhere = np.ones((len(decoded), 1))
        routed = np.column_stack([flip.nineteen_features, decoded[:, :2]])
        scores = {
            "flip, oracle, 6": (flip, flip.six_features, flip.belief.probability),
            "flip, mixture, 6": (flip, flip.six_features, decoded),
            "flip, mixture, 19": (flip, flip.nineteen_features, decoded),
            "consistent, pooled": (consistent, consistent.nineteen_features, everywhere),
        }
        for name, (lab, features, probability) in scores.items():
            score = regime_ridge(features, lab.label, probability, train, test)
            shares[name, days] = _share(lab, score, test)
        boosted = pooled_catboost(routed, flip.label, train, test)
        shares["flip, CatBoost", days] = _share(flip, boosted, test)
    return shares


def _share(lab: Lab, score: np.ndarray, test: slice) -> float:
    oracle, outcome = (column[test] for column in lab.judged)
    return float(np.corrcoef(score, outcome)[0, 1] / np.corrcoef(oracle, outcome)[0, 1])


Decoder = Callable[[Lab, slice], np.ndarray]
DECODERS: dict[str, Decoder] = {
    "oracle": lambda lab, train: lab.belief.probability,
    "mixture": mixture_probability,
    "hidden Markov": hidden_markov_probability,
}


def decoding_accuracy(seed: int) -> dict[tuple[str, int], float]:
    """Balanced accuracy on the 120 days after each window, a decoder and window each.

    States are matched to the truth on the training window: decoding is judged, not naming.
    """
    scores = {}
    for days in DECODING_WINDOWS:
        lab = Lab.open("FLIP", seed, WARMUP_DAYS + days + DECODING_TEST_DAYS)
        train = slice(WARMUP_DAYS * DAY, (WARMUP_DAYS + days) * DAY)
        test = slice(train.stop, None)
        for name, decode in DECODERS.items():
            state = decode(lab, train).argmax(axis=1)
            named = _matched(state, lab.market.regime, train)
            scores[name, days] = _balanced(named[test], lab.market.regime[test])
    return scores


def _matched(state: np.ndarray, regime: np.ndarray, train: slice) -> np.ndarray:
    counts = np.zeros((3, 3))
    np.add.at(counts, (state[train], regime[train]), 1)
    return linear_sum_assignment(-counts)[1][state]


def _balanced(decoded: np.ndarray, regime: np.ndarray) -> float:
    return float(np.mean([(decoded[regime == k] == k).mean() for k in np.unique(regime)]))
