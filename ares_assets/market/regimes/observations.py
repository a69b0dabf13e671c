"""What regime algorithms look at: standardised returns, their volatility and trend.

Belongs here: causal transformations of closes, and the intraday shape that is fitted for
them.  Does not belong here: any decision about regimes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ares_resources.errors import BadInput
from ares_resources.timeframes import DAY_MS

Array = NDArray[np.float64]

HARMONICS = 2
FLOOR_QUANTILE = 0.05


def log_returns(frame: pd.DataFrame) -> Array:
    """Log return of each close on the one before, shape (n,); 0 at the first row."""
    logs = np.log(frame["close"].to_numpy())
    return np.diff(logs, prepend=logs[:1])


@dataclass(frozen=True)
class IntradayShape:
    """How volatility moves with the time of day: exp of a short Fourier series.

    A slow daily cycle of volatility, left in, is mistaken for a change of regime.  Source of
    the form: Andersen and Bollerslev (1997), Intraday periodicity and volatility persistence.
    """

    coefficients: tuple[float, ...]

    @classmethod
    def fit(cls, frame: pd.DataFrame, rows: NDArray[np.int64]) -> IntradayShape:
        """Least squares of log absolute returns on the harmonics, on ``rows`` alone.

        Raises
        ------
        BadInput
            If price never moves on these rows.
        """
        size = np.abs(log_returns(frame)[rows])
        moved = size[size > 0]
        if len(moved) == 0:
            raise BadInput("regimes: close never changes on the bars to fit on; no volatility")
        target = np.log(np.maximum(size, np.quantile(moved, FLOOR_QUANTILE)))
        design = _harmonics(frame["timestamp"].to_numpy()[rows])
        centred = design - design.mean(axis=0)
        # Plain sums, since a threaded matrix product rounds by its number of threads.
        gram = np.array([(centred.T * wave).sum(axis=1) for wave in centred.T])
        moment = (centred.T * (target - target.mean())).sum(axis=1)
        solution = np.linalg.lstsq(gram, moment, rcond=None)[0]
        return cls(tuple(float(value) for value in solution))

    def standardised(self, frame: pd.DataFrame) -> Array:
        """Log returns over the shape at their time of day, shape (n,)."""
        waves = _harmonics(frame["timestamp"].to_numpy())
        # Term by term: a matrix product may round a row differently in a longer frame.
        exponent = np.zeros(len(waves))
        for term, coefficient in enumerate(self.coefficients):
            exponent += coefficient * waves[:, term]
        return log_returns(frame) / np.exp(exponent)


def _harmonics(timestamps: NDArray[np.int64]) -> Array:
    angle = (timestamps % DAY_MS) * (2 * np.pi / DAY_MS)
    waves = [wave(k * angle) for k in range(1, HARMONICS + 1) for wave in (np.sin, np.cos)]
    return np.stack(waves, axis=1)


def settled_rates(frame: pd.DataFrame) -> Array:
    """Funding settled within each bar, fraction; NaN where none is, or none is known, (n,)."""
    if "funding_payment" not in frame.columns:
        return np.full(len(frame), np.nan)
    payment = frame["funding_payment"].to_numpy(np.float64)
    return np.where(payment == 0, np.nan, payment)


def log_volatility(returns: Array, halflife_bars: float) -> Array:
    """Log of the exponentially weighted mean absolute return; -inf before any movement.

    The absolute return is used, not its square: jumps would otherwise drown the rest.
    """
    size = pd.Series(np.abs(returns)).ewm(halflife=halflife_bars).mean().to_numpy()
    with np.errstate(divide="ignore"):
        return np.log(size)


def trend(returns: Array, halflife_bars: float) -> Array:
    """t-statistic of the exponentially weighted mean return; 0 before any movement."""
    series = pd.Series(returns)
    mean = series.ewm(halflife=halflife_bars).mean().to_numpy()
    square = (series**2).ewm(halflife=halflife_bars).mean().to_numpy()
    spread = np.sqrt(np.where(square > 0, square, 1.0))
    return mean / spread * np.sqrt(effective_bars(halflife_bars))


def effective_bars(halflife_bars: float) -> float:
    """Independent bars that an exponentially weighted mean is worth: 2 half-lives / ln 2."""
    return 2 * halflife_bars / float(np.log(2))
