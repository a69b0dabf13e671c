"""What METHODS measured on three years of the simulated market, measured again.

Belongs here: the measurements of one path, and the published figures with what a hundred paths
gave.  Does not belong here: assertions, and learners (``simulated_learners``).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

from ares_resources.exchanges.simulated.market import SimulatedMarket, simulate
from ares_resources.exchanges.simulated.oracle import OracleForecast, oracle_filter, oracle_forecast
from ares_resources.exchanges.simulated.recipe import MarketRecipe

THREE_YEARS = 1_095 * 1_440
HORIZON = 60
COSTS = {0: 0.0, 4: 4e-4, 10: 10e-4}  # basis points a round trip
OFFSETS = (0, 15, 30, 45)  # minutes past the hour; averaged, since each is as good a choice


class Figure(NamedTuple):
    """A published figure, and mean and standard deviation of it over 100 three-year paths."""

    published: float
    mean: float
    deviation: float


def measure(recipe: MarketRecipe, seed: int) -> dict[str, float]:
    """All figures of one three-year path."""
    market = simulate(recipe, seed=seed, minutes=THREE_YEARS)
    return measure_path(market) | measure_oracle(market)


def measure_path(market: SimulatedMarket) -> dict[str, float]:
    """Volatility, kurtosis, autocorrelations, regimes."""
    r, size, log_close = market.returns, np.abs(market.returns), np.log(market.close)
    figures = {"volatility": float(r.std() * np.sqrt(525_600))}
    for name, minutes in (("1m", 1), ("5m", 5), ("1h", 60), ("1d", 1_440)):
        figures[f"kurtosis_{name}"] = kurtosis(np.diff(log_close[minutes - 1 :: minutes]))
    figures["autocorrelation_r_1"] = autocorrelation(r, 1)
    for lag in (1, 10, 60, 1_440):
        figures[f"autocorrelation_abs_{lag}"] = autocorrelation(size, lag)
    share = np.bincount(market.regime, minlength=3) / len(r)
    figures |= dict(zip(("time_bull", "time_bear", "time_sideways"), share, strict=True))
    figures["switches_30_days"] = float(np.count_nonzero(np.diff(market.regime)) / len(r) * 43_200)
    return figures


def measure_oracle(market: SimulatedMarket) -> dict[str, float]:
    """Accuracy of the filter, quality of the forecast, Sharpe of acting on it."""
    belief = oracle_filter(market.recipe, market.bars(), market.funding())
    forecast = oracle_forecast(market.recipe, belief, horizon=HORIZON)
    ahead = returns_ahead(market, HORIZON)
    seen = slice(0, len(ahead) - HORIZON)
    score, outcome = forecast.score[seen], (ahead / np.sqrt(forecast.variance))[seen]
    accuracy = np.mean(belief.probability.argmax(axis=1) == market.regime)
    figures = {
        "filter_accuracy": float(accuracy),
        "information_coefficient": float(np.corrcoef(score, outcome)[0, 1]),
        "auc": area_under_curve(score[::7], outcome[::7] > 0),
    }
    for name, cost in COSTS.items():
        paths = [net_sharpe(forecast, ahead, cost, offset) for offset in OFFSETS]
        figures[f"sharpe_{name}bp"] = float(np.mean(paths))
    return figures


def returns_ahead(market: SimulatedMarket, horizon: int) -> np.ndarray:
    """Sum of the next ``horizon`` returns after each close, NaN at the end, (n,)."""
    total = np.concatenate([[0.0], np.cumsum(market.returns)])
    ahead = np.full(len(market.returns), np.nan)
    ahead[:-horizon] = total[1 + horizon :] - total[1:-horizon]
    return ahead


def net_sharpe(forecast: OracleForecast, ahead: np.ndarray, cost: float, offset: int) -> float:
    """Annual Sharpe of deciding once an hour and holding it for that hour, after costs.

    The position is the Kelly one of what is left of the forecast after the cost of a round
    trip: sign(E) max(|E| - cost, 0) / W.  Each hour pays its own round trip.
    """
    rows = np.arange(offset, len(ahead) - HORIZON, HORIZON)
    expected, variance = forecast.expected[rows], forecast.variance[rows]
    position = np.sign(expected) * np.maximum(np.abs(expected) - cost, 0.0) / variance
    profit = position * ahead[rows] - np.abs(position) * cost
    return float(profit.mean() / profit.std() * np.sqrt(525_600 / HORIZON))


def kurtosis(x: np.ndarray) -> float:
    """Fourth standardised moment, 3 for a normal."""
    centred = x - x.mean()
    return float(np.mean(centred**4) / np.mean(centred**2) ** 2)


def autocorrelation(x: np.ndarray, lag: int) -> float:
    """Pearson correlation of a series with itself ``lag`` rows before."""
    return float(np.corrcoef(x[:-lag], x[lag:])[0, 1])


def area_under_curve(score: np.ndarray, positive: np.ndarray) -> float:
    """AUC by ranks (Mann and Whitney 1947)."""
    ranks, count = rankdata(score), int(positive.sum())
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(score) - count)))


# FLIP market, edge 1, paths of seeds 1000 to 1099 (test_hundred_paths_give_the_recorded_table).
LONG_RUN_SEEDS = range(1_000, 1_100)
FIGURES = {
    "volatility": Figure(0.59, 0.5891, 0.0129),
    "kurtosis_1m": Figure(40.0, 32.2893, 6.0972),
    "kurtosis_5m": Figure(16.0, 13.5539, 1.9173),
    "kurtosis_1h": Figure(10.0, 8.7893, 0.7598),
    "kurtosis_1d": Figure(3.9, 4.9755, 0.5417),
    "autocorrelation_r_1": Figure(0.0, 0.0012, 0.0013),
    "autocorrelation_abs_1": Figure(0.27, 0.2749, 0.0040),
    "autocorrelation_abs_10": Figure(0.26, 0.2684, 0.0039),
    "autocorrelation_abs_60": Figure(0.24, 0.2380, 0.0038),
    "autocorrelation_abs_1440": Figure(0.12, 0.1264, 0.0054),
    "time_bull": Figure(0.39, 0.3599, 0.0231),
    "time_bear": Figure(0.21, 0.2130, 0.0196),
    "time_sideways": Figure(0.40, 0.4270, 0.0269),
    "switches_30_days": Figure(17.0, 16.6058, 0.5959),
    "filter_accuracy": Figure(0.91, 0.9106, 0.0037),
    "information_coefficient": Figure(0.145, 0.1412, 0.0056),
    "auc": Figure(0.567, 0.5651, 0.0027),
    "sharpe_0bp": Figure(12.9, 13.0799, 0.5149),
    "sharpe_4bp": Figure(8.1, 8.2824, 0.5147),
    "sharpe_10bp": Figure(4.5, 4.5378, 0.4740),
}
