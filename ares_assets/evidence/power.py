"""How much data a comparison needs before it can be decided.

Belongs here: sample sizes and their statement in plain words.  Does not belong here: the
tests themselves (``sequential.py``, ``sharpe_tests.py``).
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np

from ares_assets.evidence.jsonable import jsonable
from ares_assets.evidence.performance import DAYS_A_YEAR
from ares_assets.evidence.sequential import (
    FIRST_LOOK,
    TUNED_FOR,
    boundary_radius,
    mixture_precision,
)
from ares_resources.errors import BadInput

_NORMAL = NormalDist()
_MOST_DAYS = 1_000_000
_POWERS = (0.8, 0.9)
_SHARPES = (1.0, 2.0, 3.0)

REFERENCE_SHARPE = 2.0
"""The strategy that words speak of where nothing could be measured."""


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
    annual_sharpe: float, *, power: float = 0.8, level: float = 0.05, tuned_for: int = TUNED_FOR
) -> float:
    """Days after which ``always_valid_test`` on daily differences will have decided.

    The first day at which the bound lies ``power``'s normal quantile below the expected mean:
    decided by then with at least that probability, any earlier crossing being a bonus.  Never
    before the first look; infinite at 0 or below, and beyond a million days.  Days on which
    nothing differs do not count.
    """
    _check_shares(power, level)
    if not annual_sharpe > 0.0:
        return math.inf
    days = np.unique(np.geomspace(FIRST_LOOK, _MOST_DAYS, 20_000).astype(np.int64))
    enough = annual_sharpe >= _detectable(days, power, level, tuned_for)
    return float(days[np.argmax(enough)]) if enough.any() else math.inf


def detectable_sharpe(
    days: float, *, power: float = 0.8, level: float = 0.05, tuned_for: int = TUNED_FOR
) -> float:
    """Least annual Sharpe ratio of differences that ``days`` days decide ``power`` of the time.

    Infinite before the first look: then no strategy can be told from luck.  From 30 days on
    simulated tests decide as often as said or a little oftener; between 20 and 30 days up to a
    fifth of them seldomer, since a strategy that good has hardly lost yet.
    """
    _check_shares(power, level)
    if days < FIRST_LOOK:
        return math.inf
    return float(_detectable(np.array([math.floor(days)]), power, level, tuned_for)[0])


def _detectable(days: np.ndarray, power: float, level: float, tuned_for: int) -> np.ndarray:
    rho = mixture_precision(level, tuned_for)
    radius = boundary_radius(days, level=level, rho=rho)
    return (radius + _NORMAL.inv_cdf(power) / np.sqrt(days)) * math.sqrt(DAYS_A_YEAR)


def window_days(holdout_days: float, holdout_share: float) -> float:
    """Days of the whole window whose last ``holdout_share`` is so many days of holdout."""
    if not 0.0 < holdout_share <= 1.0:
        raise BadInput(f"holdout_share = {holdout_share}; allowed: above 0, at most 1")
    return (
        math.ceil(holdout_days / holdout_share - 1e-9) if math.isfinite(holdout_days) else math.inf
    )


def power_analysis(
    days: float,
    *,
    holdout_share: float,
    target_volatility: float,
    market_volatility: float | None,
    level: float = 0.05,
) -> dict[str, Any]:
    """What a holdout of so many days can show at all, before any result of it is looked at.

    Parameters
    ----------
    days
        Whole days of the holdout.
    holdout_share
        The holdout's share of the window.
    target_volatility, market_volatility
        Annual, shares: what the model aims at, and what the market had before the holdout.
    level
        Of the sequential test, as ``always_valid_test`` takes it.

    Returns
    -------
    JSON-able: days at hand, the first look, detectable annual Sharpe ratios (and the returns
    that they are at the target volatility), days that Sharpe ratios of 1, 2 and 3 need, of
    holdout and of window, and one sentence.
    """
    detectable = {
        f"{power:.0%}": _detected(
            detectable_sharpe(days, power=power, level=level), target_volatility
        )
        for power in _POWERS
    }
    return jsonable(
        {
            "days": days,
            "window_days": window_days(days, holdout_share),
            "level": level,
            "first_look_days": FIRST_LOOK,
            "first_look_window_days": window_days(FIRST_LOOK, holdout_share),
            "target_volatility": target_volatility,
            "market_volatility": market_volatility,
            "detectable": detectable,
            "needed": [_needed(sharpe, level, holdout_share) for sharpe in _SHARPES],
            "in_words": _power_in_words(days, level, holdout_share),
        }
    )


def _detected(sharpe: float, volatility: float) -> dict[str, float]:
    return {"annual_sharpe": sharpe, "annual_return": sharpe * volatility}


def _needed(sharpe: float, level: float, holdout_share: float) -> dict[str, float]:
    """Also for one look at the end, and for two arms that never trade on the same days."""
    apart = sample_size_per_arm(sharpe / math.sqrt(DAYS_A_YEAR), level=level, two_sided=False)
    row = {
        "annual_sharpe": sharpe,
        "one_look_days_80%": math.ceil(days_needed(sharpe, level=level)),
        "separate_arms_days_80%": math.ceil(apart),
    }
    for power in _POWERS:
        days = days_needed_sequentially(sharpe, power=power, level=level)
        row[f"days_{power:.0%}"] = days
        row[f"window_days_{power:.0%}"] = window_days(days, holdout_share)
    return row


def _power_in_words(days: float, level: float, holdout_share: float) -> str:
    if days < FIRST_LOOK:
        return f"{_at_hand(days, holdout_share)}: {_reference(level, holdout_share)}"
    sharpe = detectable_sharpe(days, level=level)
    return (
        f"{_at_hand(days, holdout_share)} would settle an annual Sharpe of {sharpe:.1f} "
        f"80% of the time; {_reference(level, holdout_share)}"
    )


def describe_data_needed(
    annual_sharpe: float | None,
    days: float,
    *,
    power: float = 0.8,
    level: float = 0.05,
    holdout_share: float = 0.2,
) -> str:
    """One plain sentence: how many days would settle a measured Sharpe difference.

    In days of holdout and of the window; ``annual_sharpe`` None is "nothing was measured".
    Where the measured difference gives no figure, a strategy of Sharpe 2 does.
    """
    if annual_sharpe is None:
        return f"no difference could be measured; {_reference(level, holdout_share)}"
    if not annual_sharpe > 0.0:
        return (
            f"the measured difference is not positive (annual Sharpe {annual_sharpe:.2f}), so "
            "more data of this kind would not settle it in the challenger's favour; "
            f"{_reference(level, holdout_share)}"
        )
    needed = days_needed_sequentially(annual_sharpe, power=power, level=level)
    if math.isinf(needed):
        return (
            f"an annual Sharpe difference of {annual_sharpe:.2f} is too small to settle at all; "
            f"{_reference(level, holdout_share)}"
        )
    size = f"if the true annual Sharpe difference is the measured {annual_sharpe:.2f}"
    if needed <= days:
        return f"{size}, {_at_hand(days, holdout_share)} would usually have settled it"
    return (
        f"{size}, about {spell_days(needed, holdout_share)} would settle it {power:.0%} of the "
        f"time; there are {days:.0f} (a window of {window_days(days, holdout_share):.0f})"
    )


def spell_days(days: float, holdout_share: float) -> str:
    """Days of holdout, and of the window that they are the end of."""
    window = window_days(days, holdout_share)
    return f"{math.ceil(days)} days of holdout (a window of {window:.0f} days)"


def _at_hand(days: float, holdout_share: float) -> str:
    return f"the {spell_days(days, holdout_share)} at hand"


def _reference(level: float, holdout_share: float) -> str:
    needed = days_needed_sequentially(REFERENCE_SHARPE, level=level)
    return (
        f"a strategy of annual Sharpe {REFERENCE_SHARPE:g} would need about "
        f"{spell_days(needed, holdout_share)}, and no verdict is possible before "
        f"{spell_days(FIRST_LOOK, holdout_share)} on which it trades"
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
