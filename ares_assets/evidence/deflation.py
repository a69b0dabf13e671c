"""A Sharpe ratio seen after many tries: what is left of it, and how long it must have been seen.

Belongs here: PSR, DSR, minimum lengths and PBO of one set of daily returns, as figures to
report.  Does not belong here: the formulas (``sharpe_tests.py``, ``overfitting.py``) and
counting the tries (``ares_assets/counted_trials.py``).

Two readings of "every trial counts" are kept apart.  On development the parameters were chosen,
so there all trials deflate.  The holdout chose nothing, however many trials there were, but
each look at it is a try: there the looks deflate.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ares_assets.evidence.jsonable import jsonable
from ares_assets.evidence.overfitting import probability_of_overfitting
from ares_assets.evidence.performance import DAYS_A_YEAR, Floats, checked_returns, sharpe_ratio
from ares_assets.evidence.sharpe_tests import (
    deflated_sharpe_ratio,
    minimum_backtest_length,
    minimum_track_record_length,
    null_trial_variance,
    probabilistic_sharpe_ratio,
    sharpe_moments,
)

_PBO_BLOCKS = 10
_FIGURES = (
    "sharpe",
    "trial_variance",
    "probabilistic_sharpe",
    "deflated_sharpe",
    "track_record_days",
    "backtest_days_needed",
)


def deflation(daily: Floats, *, trials: int, annual_trial_variance: float = 0.0) -> dict[str, Any]:
    """PSR, DSR, MinTRL and MinBTL of daily net returns (n,) that ``trials`` tries led to.

    Parameters
    ----------
    trials
        Tries, at least 1; 1 deflates nothing.
    annual_trial_variance
        Variance of the tries' annual Sharpe ratios, where it was measured over days like these.
        It is never taken below that of worthless strategies, 1 / (n - 1) a day: tries that were
        nearly alike would else count as hardly any.

    Returns
    -------
    JSON-able: ``trials``, ``days``, annual ``sharpe``, ``trial_variance`` (a day), the two
    probabilities, ``track_record_days`` (PSR of 95 %) and ``backtest_days_needed``, below which
    the best of that many worthless tries is expected to show this Sharpe ratio; None where the
    returns do not vary, and for days where the Sharpe ratio is not positive.
    """
    values = checked_returns(daily, at_least=0)
    known: dict[str, Any] = {"trials": trials, "days": values.size}
    if values.size < 2 or np.ptp(values) == 0.0:
        return {**known, **dict.fromkeys(_FIGURES)}
    moments, annual = sharpe_moments(values), sharpe_ratio(values)
    variance = max(annual_trial_variance / DAYS_A_YEAR, null_trial_variance(values.size))
    needed = None
    if annual > 0.0:
        needed = minimum_backtest_length(trials, annual_sharpe=annual) * DAYS_A_YEAR
    return jsonable(
        {
            **known,
            "sharpe": annual,
            "trial_variance": variance,
            "probabilistic_sharpe": probabilistic_sharpe_ratio(moments),
            "deflated_sharpe": deflated_sharpe_ratio(
                moments, trials=trials, trial_variance=variance
            ),
            "track_record_days": minimum_track_record_length(moments),
            "backtest_days_needed": needed,
        }
    )


def overfitting(daily: np.ndarray) -> dict[str, Any]:
    """PBO over strategies (days, N), JSON-able; None where fewer than two differ.

    ``loss_probability`` is the share of splits whose chosen strategy lost money out of sample:
    where all strategies earn, the best of one half ranks at random in the other and PBO is
    about a half, although choosing did no harm.
    """
    # Parameter sets that did the same, or nothing, are one strategy: ties say nothing of luck.
    varies = np.ptp(daily, axis=0) > 0.0 if len(daily) else np.zeros(daily.shape[1], bool)
    different = np.unique(daily[:, varies], axis=1)
    days, strategies = different.shape
    blocks = min(_PBO_BLOCKS, days // 2 // 2 * 2)
    known = {"strategies": strategies, "days": days}
    if strategies < 2 or blocks < 2:
        return {"probability": None, "loss_probability": None, **known}
    return {**probability_of_overfitting(different, blocks=blocks).as_dict(), "days": days}
