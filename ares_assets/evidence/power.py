"""How much data a comparison needs before it can be decided.

Belongs here: sample sizes and their statement in plain words.  Does not belong here: the
tests themselves (``sequential.py``, ``sharpe_tests.py``).
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from ares_assets.evidence.performance import DAYS_A_YEAR
from ares_assets.evidence.sequential import boundary_radius, mixture_precision
from ares_resources.errors import BadInput

_NORMAL = NormalDist()
_MOST_DAYS = 1_000_000


def sample_size_per_arm(
    effect: float, *, power: float = 0.8, level: float = 0.05, two_sided: bool = True
) -> float:
    """Observations an arm for a t-test of two independent arms (Cohen 1988, ch. 2).

    ``effect`` is the difference of means in standard deviations, not 0.
    """
    from scipy.optimize import brentq

    if effect == 0.0 or not math.isfinite(effect):
        raise BadInput(f"effect = {effect}; needed: finite and not 0")
    _check_shares(power, level)

    def shortfall(arm: float) -> float:
        return _t_power(abs(effect), arm, level, two_sided) - power

    upper = 4.0
    while shortfall(upper) < 0.0:
        upper *= 2.0
    return float(brentq(shortfall, 2.0, upper, xtol=1e-8)) if upper > 4.0 else upper


def days_needed(annual_sharpe: float, *, power: float = 0.8, level: float = 0.05) -> float:
    """Days for ONE one-sided look at the end to find this Sharpe ratio; infinite at 0 or below.

    ``annual_sharpe`` is that of daily differences, annualised on 365 days.
    """
    _check_shares(power, level)
    if not annual_sharpe > 0.0:
        return math.inf
    wanted = _NORMAL.inv_cdf(1.0 - level) + _NORMAL.inv_cdf(power)
    return wanted**2 * DAYS_A_YEAR / annual_sharpe**2


def days_needed_sequentially(
    annual_sharpe: float, *, power: float = 0.8, level: float = 0.05, tuned_for: int = 100
) -> float:
    """Days after which ``always_valid_test`` on daily differences will have decided.

    The first day at which the bound lies ``power``'s normal quantile below the expected mean:
    decided by then with at least that probability, any earlier crossing being a bonus.
    Infinite at 0 or below, and beyond a million days.
    """
    _check_shares(power, level)
    if not annual_sharpe > 0.0:
        return math.inf
    daily = annual_sharpe / math.sqrt(DAYS_A_YEAR)
    rho = mixture_precision(level, tuned_for)
    margin = _NORMAL.inv_cdf(power)
    days = np.unique(np.geomspace(2, _MOST_DAYS, 20_000).astype(np.int64))
    enough = daily >= boundary_radius(days, level=level, rho=rho) + margin / np.sqrt(days)
    return float(days[np.argmax(enough)]) if enough.any() else math.inf


def describe_data_needed(
    annual_sharpe: float, days: float, *, power: float = 0.8, level: float = 0.05
) -> str:
    """One plain sentence: how many days would settle a measured Sharpe difference."""
    if not annual_sharpe > 0.0:
        return (
            f"the measured difference is not positive (annual Sharpe {annual_sharpe:.2f}), so "
            "more data of this kind would not settle it in the challenger's favour"
        )
    needed = days_needed_sequentially(annual_sharpe, power=power, level=level)
    if math.isinf(needed):
        return f"an annual Sharpe difference of {annual_sharpe:.2f} is too small to settle at all"
    size = f"if the true annual Sharpe difference is the measured {annual_sharpe:.2f}"
    if needed <= days:
        return f"{size}, the {days:.0f} days at hand would usually have settled it"
    return (
        f"{size}, about {needed:.0f} days of holdout would settle it {power:.0%} of the time; "
        f"there are {days:.0f}"
    )


def _t_power(effect: float, arm: float, level: float, two_sided: bool) -> float:
    from scipy.stats import nct, t

    freedom, shift = 2.0 * arm - 2.0, effect * math.sqrt(arm / 2.0)
    critical = t.ppf(1.0 - (level / 2.0 if two_sided else level), freedom)
    power = nct.sf(critical, freedom, shift)
    return float(power + nct.cdf(-critical, freedom, shift)) if two_sided else float(power)


def _check_shares(power: float, level: float) -> None:
    if not (0.0 < level < 0.3 and 0.5 <= power < 1.0):
        raise BadInput(f"power = {power}, level = {level}; allowed: [0.5, 1) and (0, 0.3)")
