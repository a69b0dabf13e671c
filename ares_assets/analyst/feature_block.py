"""What the features of a block of rows share: each computed when first asked for, once.

Belongs here: calls of the kernels, the state of recursions, quotients with neutral values.
Does not belong here: which of it is a feature (``feature_table.py``), other timeframes.

Rows are computed in blocks that fit the processor's cache.  A block is a function of the
columns up to its end, its row numbers and the recursions' state at its start; where blocks are
cut changes no bit of any value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from ares_assets.analyst.indicators import Array, BarSeries
from ares_resources.timeframes import DAY_MS

BLOCK_ROWS = 16_384
FLOW_HALFLIVES = (10, 30, 120)

State = dict[str, Array]


class PriceLogs:
    """Log closes and one-bar log returns (0 at row 0) of the rows ``begin <= i < end``."""

    def __init__(self, bars: BarSeries, begin: int, end: int) -> None:
        from ares_assets.analyst import element_kernel

        self.logs, self.returns = np.empty(end), np.empty(end)
        close = bars.column("close")
        element_kernel.log_returns(close, begin, end, self.logs, self.returns)


class FeatureBlock:
    """Shared intermediates of the rows ``start <= i < stop``, arrays of shape (stop - start,).

    ``state`` holds the recursions at the block's start, and after use at its end; an empty
    one belongs to row 0.
    """

    def __init__(
        self, bars: BarSeries, logs: PriceLogs, start: int, stop: int, state: State
    ) -> None:
        self.bars, self.start, self.stop = bars, start, stop
        self._logs, self._state = logs, state
        self._known: dict[tuple[str, int], Any] = {}

    def column(self, name: str) -> Array:
        """A column of the bars."""
        return self.bars.column(name)[self.start : self.stop]

    def span(self, minutes: int) -> int:
        """Bars that cover so many minutes."""
        return self.bars.bars_in(minutes)

    def log_return(self, span: int) -> Array:
        """Log of close over the close ``span`` bars before; 0 where there is none."""
        return self._change(self._logs.logs, span)

    def log_change(self, name: str, span: int) -> Array:
        """The same of another column; NaN where either value is missing or not above 0."""
        if not self.bars.has(name):
            return np.full(self.stop - self.start, np.nan)
        key = (name, span)
        if key not in self._known:
            from ares_assets.analyst.element_kernel import log_change

            change = np.empty(self.stop - self.start)
            log_change(self.bars.column(name), span, self.start, self.stop, change)
            self._known[key] = change
        return self._known[key]

    def _change(self, values: Array, span: int) -> Array:
        change = np.zeros(self.stop - self.start)
        first = max(self.start, span)
        if first < self.stop:
            change[first - self.start :] = (
                values[first : self.stop] - values[first - span : self.stop - span]
            )
        return change

    def volatility(self, span: int) -> Array:
        """Root mean square of the last ``span`` log returns, per bar."""
        key = ("volatility", span)
        if key not in self._known:
            self._known[key] = np.sqrt(self.squares(span) / span)
        return self._known[key]

    def squares(self, span: int) -> Array:
        """Sum of the last squared log returns."""
        return self._sums("squares", span, (), 1)[0]

    def cubes(self, span: int) -> Array:
        """Sum of the last third powers of log returns."""
        return self._sums("cubes", span, (), 1)[0]

    def candles(self, span: int) -> Array:
        """Sums of ``element_kernel.candle_elements``, (8, rows)."""
        columns = ("open", "high", "low", "close", "volume")
        return self._sums("candle_elements", span, columns, 8)

    def trades(self, span: int) -> Array:
        """Sums of ``element_kernel.trade_elements``, (4, rows)."""
        return self._sums("trade_elements", span, ("high", "low", "close", "volume"), 4)

    def money_flows(self, span: int) -> Array:
        """Sums of rising and falling money flow, (2, rows)."""
        return self._sums("money_flows", span, ("high", "low", "close", "volume"), 2)

    def _sums(self, elements: str, span: int, columns: tuple[str, ...], width: int) -> Array:
        key = (elements, span)
        if key not in self._known:
            from ares_assets.analyst import element_kernel
            from ares_assets.analyst.window_kernel import rolling_sums

            begin = max(0, self.start - 2 * span + 2)
            values = np.empty((width, self.stop - begin))
            inputs = [self.bars.column(name) for name in columns]
            if elements != "money_flows":
                inputs.append(self._logs.returns)
            getattr(element_kernel, elements)(*inputs, begin, self.stop, values)
            sums = np.empty((width, self.stop - self.start))
            rolling_sums(values, begin, span, self.start, self.stop, sums)
            self._known[key] = sums
        return self._known[key]

    def extremes(self, span: int) -> tuple[Array, Array]:
        """Highest high and lowest low of ``span`` bars."""
        key = ("extremes", span)
        if key not in self._known:
            from ares_assets.analyst.window_kernel import rolling_extremes

            found = np.empty((2, self.stop - self.start))
            high, low = self.bars.column("high"), self.bars.column("low")
            rolling_extremes(high, low, span, self.start, self.stop, found[0], found[1])
            self._known[key] = found
        return self._known[key][0], self._known[key][1]

    def mean_and_score(self, name: str, span: int) -> Array:
        """Mean of a column's known values, and the last one's standard score, (2, rows)."""
        from ares_assets.analyst.window_kernel import rolling_score

        if not self.bars.has(name):
            return np.full((2, self.stop - self.start), np.nan)
        found = np.empty((2, self.stop - self.start))
        rolling_score(self.bars.column(name), span, self.start, self.stop, found[0], found[1])
        return found

    def line(self, span: int) -> Array:
        """Slope of the log close per bar and the share of variance it explains, (2, rows)."""
        key = ("line", span)
        if key not in self._known:
            from ares_assets.analyst.window_kernel import rolling_line

            found = np.empty((2, self.stop - self.start))
            rolling_line(self._logs.logs, span, self.start, self.stop, found[0], found[1])
            self._known[key] = found
        return self._known[key]

    @cached_property
    def wilder(self) -> Mapping[str, Array]:
        """``rsi``, ``adx``, ``di_difference`` and ``atr`` (price) over 14 bars."""
        from ares_assets.analyst import recursive_kernel as kernel

        out = np.empty((4, self.stop - self.start))
        state = self._state.setdefault("wilder", np.zeros(kernel.WILDER_STATE))
        high, low, close = (self.bars.column(name) for name in ("high", "low", "close"))
        kernel.wilder(high, low, close, self.start, self.stop, state, out)
        return dict(zip(("rsi", "adx", "di_difference", "atr"), out, strict=True))

    @cached_property
    def macd_histogram(self) -> Array:
        """MACD(12, 26) less its signal(9), in price."""
        from ares_assets.analyst import recursive_kernel as kernel

        out = np.empty(self.stop - self.start)
        state = self._state.setdefault("macd", np.zeros(kernel.MACD_STATE))
        kernel.macd_histogram(self.bars.column("close"), self.start, self.stop, state, out)
        return out

    @cached_property
    def taker_flow(self) -> Array:
        """Taker-buy share as a standard-normal quantile; see the kernel."""
        from ares_assets.analyst import element_kernel

        out = np.empty(self.stop - self.start)
        seen = self._state.setdefault("taker_share_seen", np.zeros(1))
        share, volume = self.bars.column("taker_buy_share"), self.bars.column("volume")
        element_kernel.taker_flow(share, volume, self.start, self.stop, seen, out)
        return out

    @cached_property
    def smoothed_flows(self) -> Mapping[int, Array]:
        """Exponentially weighted means of the taker flow, by half-life in bars."""
        from ares_assets.analyst import recursive_kernel as kernel

        out = np.empty((len(FLOW_HALFLIVES), self.stop - self.start))
        shape = (len(FLOW_HALFLIVES), kernel.MEAN_STATE)
        state = self._state.setdefault("taker_flow", np.zeros(math.prod(shape))).reshape(shape)
        decays = np.array([math.exp2(-1.0 / halflife) for halflife in FLOW_HALFLIVES])
        kernel.weighted_means(self.taker_flow, decays, self.start, self.stop, state, out)
        return dict(zip(FLOW_HALFLIVES, out, strict=True))

    def angle(self, function: str, period_ms: int) -> Array:
        """``sin`` or ``cos`` of the close's angle in the UTC day, or the week from Monday."""
        step = min(self.bars.timeframe_ms, period_ms)
        key = ("turn", period_ms)
        if key not in self._known:
            # 1970-01-05 was a Monday; a day's angle does not care.
            moment = self.bars.close_times[self.start : self.stop] - 4 * DAY_MS
            self._known[key] = moment % period_ms // step
        return _turn(function, period_ms, step)[self._known[key]]


@lru_cache(maxsize=16)
def _turn(function: str, period_ms: int, step_ms: int) -> Array:
    """The function at each bar of a period; one table, so that a row's place cannot matter."""
    angles = np.arange(period_ms // step_ms) * step_ms * (2 * np.pi / period_ms)
    return getattr(np, function)(angles)


def ratio(numerator: Array, denominator: Array, *, neutral: float = 0.0) -> Array:
    """Quotient, with ``neutral`` where the denominator is zero; NaN stays NaN."""
    from ares_assets.analyst import element_kernel

    return element_kernel.ratio(numerator, denominator, neutral)


def contrast(first: Array, second: Array) -> Array:
    """(first - second) / (first + second) of two amounts: -1 to 1, 0 where both are zero."""
    return ratio(first - second, first + second)
