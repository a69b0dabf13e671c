"""Whether a window is long enough for what the settings ask of it.

Belongs here: what can be refused before anything is read.  Does not belong here: cutting the
window into its roles (``ares_assets/market/windows.py``), and too few events in a regime, which
only the bars can tell: here the whole of development counts as one regime.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ares_resources.errors import BadInput
from ares_resources.settings import LEAST_EVENTS, LONGEST_WINDOW_DAYS, Settings
from ares_resources.timeframes import DAY_MS, WEEK_MS, timeframe_ms

# Training events of a fold without which no expert is fitted (step 5).
_LEAST_TRAINED = 30
# Bars: 0.7 of 43,200 are 30,240, and not one less for the last bit of 0.7.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class _Need:
    """Bars that a role of time, so large a share of the window, must have for one setting.

    They are ``fixed + each * value``; ``why`` completes "leaves ...".  Values of the setting
    below ``allowed_from`` are refused elsewhere.
    """

    setting: str
    value: float
    share: float
    each: float
    fixed: float
    why: str
    allowed_from: int = 1

    @property
    def window_bars(self) -> int:
        return math.ceil((self.fixed + self.each * self.value) / self.share - _ROUNDING)

    def most(self, window_bars: int) -> int:
        """The largest value that a window of so many bars has room for."""
        return math.floor((window_bars * self.share - self.fixed) / self.each + _ROUNDING)


def check_window(settings: Settings) -> None:
    """Refuse a window too short for its roles of time, or for what is to happen in them.

    Only what can never work is refused, however the bars turn out.

    Raises
    ------
    BadInput
        Naming the window and the least one, and the setting that needs it.
    """
    step = timeframe_ms(settings.data.timeframe)
    longest = max(_needs(settings), key=lambda need: (need.window_bars, need.value))
    least = longest.window_bars * step / DAY_MS
    if settings.lookback_days >= least:
        return
    ways = [f"{_days(least)} days or more"] if least <= LONGEST_WINDOW_DAYS else []
    most = longest.most(int(settings.lookback_days * DAY_MS / step))
    if most >= longest.allowed_from:
        ways.append(f"{longest.setting} up to {most}")
    raise BadInput(
        f"lookback_days = {settings.lookback_days:g} of {settings.data.timeframe} bars leaves "
        f"{longest.why}; allowed: {', or '.join(ways) or f'a smaller {longest.setting}'}"
    )


def _needs(settings: Settings) -> Iterator[_Need]:
    yield from _of_roles(settings)
    yield from _of_events(settings)
    yield from _of_averages(settings)
    yield from _of_positions(settings)
    yield from _of_holdout(settings)


def _of_roles(settings: Settings) -> Iterator[_Need]:
    """Each role has to hold more than one label horizon, development enough for regimes."""
    window, horizon, regimes = settings.window, settings.labels.horizon_bars, settings.regimes
    smallest = min(window.development, window.calibration, _holdout(settings))
    yield _Need(
        "labels.horizon_bars",
        horizon,
        smallest,
        1,
        1,
        f"a role of time without room for a label horizon of {horizon} bars",
    )
    halflife = "trend" if regimes.algorithm == "rule_based" else "volatility"
    value = getattr(regimes, f"{halflife}_halflife_bars")
    fitted_on = _fewest_bars_to_fit(settings)
    yield _Need(
        f"regimes.{halflife}_halflife_bars",
        value,
        window.development,
        (fitted_on - 1) / value,
        1 + horizon,
        f"too few bars to tell regimes by {regimes.algorithm}, which needs {fitted_on} in "
        f"development for a half-life of {value:g} bars",
    )


def _of_events(settings: Settings) -> Iterator[_Need]:
    """Development has room for the events that a partition must have, and for folds of them."""
    share, horizon = settings.window.development, settings.labels.horizon_bars
    events, trades = settings.regimes.minimum_events, settings.search.minimum_trades
    every, embargo = settings.labels.event_every_bars, settings.analyst.embargo_bars
    # Before the first fold nothing can be trained on; behind it, past its embargo.
    spread = math.ceil(events / settings.analyst.folds) - 1 + _LEAST_TRAINED - 1
    rate = f"one in {every} bars"
    rare = f"no room for {events} decisions (regimes.minimum_events), {rate}"
    late = f"nothing to train on after an embargo of {embargo} bars, at decisions {rate}"
    idle = f"no room for {trades} trades (search.minimum_trades), {rate} at most"
    for setting, value, each, fixed, why in (
        ("labels.event_every_bars", every, events - 1, 0, rare),
        ("regimes.minimum_events", events, every, -every, rare),
        ("analyst.embargo_bars", embargo, 1, spread * every, late),
        ("labels.event_every_bars", every, spread, embargo, late),
        ("search.minimum_trades", trades, every, -every, idle),
    ):
        least = LEAST_EVENTS if setting == "regimes.minimum_events" else 1
        yield _Need(setting, value, share, each, horizon + fixed, why, least)


def _of_averages(settings: Settings) -> Iterator[_Need]:
    """What has to settle before or within development; the warm-up counts too."""
    share, labels, regimes = settings.window.development, settings.labels, settings.regimes
    # The first bar that is read moves back to a Monday.
    earlier = settings.data.warmup_bars + WEEK_MS // timeframe_ms(settings.data.timeframe)
    fixed = labels.horizon_bars - earlier
    events = (regimes.minimum_events - 1) * labels.event_every_bars
    halflife, dwell = labels.volatility_halflife_bars, regimes.minimum_dwell_bars
    why = f"too few bars on which a volatility with a half-life of {halflife:g} bars is known"
    yield _Need("labels.volatility_halflife_bars", halflife, share, 1, fixed + events, why)
    why = f"no room for two regimes that last {dwell} bars at least"
    yield _Need("regimes.minimum_dwell_bars", dwell, share, 1, fixed + 1, why)


def _of_positions(settings: Settings) -> Iterator[_Need]:
    """Development must see the end of the positions that a tactician learns from (step 8)."""
    every, horizon = settings.labels.event_every_bars, settings.labels.horizon_bars
    latency, delay = settings.costs.latency_bars, settings.tactician.delay_bars
    gaps = LEAST_EVENTS - 1
    why = (
        f"too few signals, one in {every} bars, whose outcome is known when a position waits "
        f"{latency} + {delay} bars (costs.latency_bars, tactician.delay_bars)"
    )
    for setting, value, each, fixed in (
        ("costs.latency_bars", latency, 1, delay + gaps * every),
        ("tactician.delay_bars", delay, 1, latency + gaps * every),
        ("labels.event_every_bars", every, gaps, latency + delay),
    ):
        share = settings.window.development
        yield _Need(setting, value, share, each, horizon + fixed, why)


def _of_holdout(settings: Settings) -> Iterator[_Need]:
    """Orders have to be filled within the holdout, and each refit must have a decision."""
    share, every = _holdout(settings), settings.labels.event_every_bars
    latency, stress = settings.costs.latency_bars, settings.validation.latency_stress_bars
    for setting, value, other in (
        ("costs.latency_bars", latency, stress),
        ("validation.latency_stress_bars", stress, latency),
    ):
        why = f"no bar of the holdout to fill an order on after {latency} + {stress} bars"
        yield _Need(setting, value, share, 1, other + 1, why)
    refits = settings.validation.refits
    why = f"no room for {refits} refits (validation.refits), one decision each, in the holdout"
    yield _Need("validation.refits", refits, share, every, -every, why)


def _holdout(settings: Settings) -> float:
    return 1 - settings.window.development - settings.window.calibration


def _fewest_bars_to_fit(settings: Settings) -> int:
    """As the algorithm says itself, of bars."""
    from ares_assets.market.regimes import get_algorithm

    return get_algorithm(settings.regimes.algorithm).fewest_bars(settings.regimes)


def _days(days: float) -> str:
    """Rounded up to what a person would type."""
    return f"{math.ceil(days * 10) / 10:.12g}"
