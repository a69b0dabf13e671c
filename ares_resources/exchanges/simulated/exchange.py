"""The simulated exchange: markets of a known law behind the interface of a real one.

Belongs here: its clock, pages, timeframes and the memo of simulated minutes.  Does not belong
here: the law of the markets, and the truth about them (:mod:`.oracle`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from ares_resources.errors import BadInput
from ares_resources.exchanges.simulated.market import BAR_COLUMNS, simulate, wandering_interest
from ares_resources.exchanges.simulated.recipe import GENESIS_MS, MINUTE_MS
from ares_resources.exchanges.simulated.symbols import find_listing
from ares_resources.memory import register_cache
from ares_resources.timeframes import DAY_MS, grid_ceil, timeframe_ms

CLOCK_MS = 1_704_067_200_000  # 2024-01-01T00:00:00Z
EARLIEST_CLOCK_MS = GENESIS_MS + 30 * DAY_MS
LATEST_CLOCK_MS = 1_924_992_000_000  # 2031-01-01T00:00:00Z
PAGE_MS = 30 * DAY_MS
FUNDING_COLUMNS = ("timestamp", "funding_rate")


class SimulatedExchange:
    """SIM: every market of the recipe, as if read from an exchange at a fixed moment.

    Parameters
    ----------
    as_of_ms
        Where its clock stands, ms UTC; None: 2024-01-01T00:00:00Z.  History before it does not
        depend on it.

    Raises
    ------
    BadInput
        If the clock is not within 2021-01-31 and 2031-01-01.
    """

    name = "SIM"

    def __init__(self, as_of_ms: int | None = None) -> None:
        clock = CLOCK_MS if as_of_ms is None else int(as_of_ms)
        if not EARLIEST_CLOCK_MS <= clock <= LATEST_CLOCK_MS:
            raise BadInput(
                f"time {_spelled(clock)} as SIM's clock: allowed is "
                f"{_spelled(EARLIEST_CLOCK_MS)} to {_spelled(LATEST_CLOCK_MS)}"
            )
        self._clock = clock

    def now_ms(self) -> int:
        """The fixed clock, ms UTC."""
        return self._clock

    def check_symbol(self, instrument: str) -> None:
        """Raise BadInput, naming what is allowed, if the instrument is not traded here."""
        find_listing(instrument)

    def check_timeframe(self, timeframe: str) -> None:
        """Raise BadInput if bars of this length cannot be made of whole minutes."""
        if timeframe_ms(timeframe) % MINUTE_MS:
            raise BadInput(
                f"timeframe {timeframe!r} is not offered by SIM, whose bars are of whole minutes; "
                "allowed: 1m or slower"
            )

    def bars(
        self, instrument: str, timeframe: str, start_ms: int, end_ms: int
    ) -> Iterator[pd.DataFrame]:
        """Pages of 30 days of closed bars with ``start_ms <= timestamp < end_ms``, in order.

        Raises
        ------
        BadInput
            On an instrument or timeframe that is not known, before the first page.
        """
        self.check_timeframe(timeframe)
        step = timeframe_ms(timeframe)
        minutes = self._history(instrument).bars
        origin = grid_ceil(GENESIS_MS, step)
        minutes = tuple(column[(origin - GENESIS_MS) // MINUTE_MS :] for column in minutes)
        count = len(minutes[0]) // (step // MINUTE_MS)
        first = max(0, -((origin - start_ms) // step))
        last = min(count, -((origin - end_ms) // step))
        return _pages(minutes, step, first, last)

    def funding(self, instrument: str, start_ms: int, end_ms: int) -> pd.DataFrame:
        """Settlements with ``start_ms <= timestamp < end_ms``: ``timestamp``, ``funding_rate``."""
        timestamp, rate = self._history(instrument).funding
        first, last = np.searchsorted(timestamp, [start_ms, end_ms])
        columns = (timestamp[first:last].copy(), rate[first:last].copy())
        return pd.DataFrame(dict(zip(FUNDING_COLUMNS, columns, strict=True)))

    def open_interest(
        self, instrument: str, timeframe: str, start_ms: int, end_ms: int
    ) -> pd.DataFrame:
        """Of PLACEBO a random walk at the close of every hour; of the others nothing."""
        listing = find_listing(instrument)
        self.check_timeframe(timeframe)
        columns = {"timestamp": np.empty(0, np.int64), "open_interest": np.empty(0)}
        if listing.foreign is not None:
            timestamp, interest = self._history(instrument).open_interest
            first, last = np.searchsorted(timestamp, [start_ms, end_ms])
            columns = {
                "timestamp": timestamp[first:last].copy(),
                "open_interest": interest[first:last].copy(),
            }
        return pd.DataFrame(columns)

    def _history(self, instrument: str) -> _History:
        find_listing(instrument)
        return _published(instrument, (self._clock - GENESIS_MS) // MINUTE_MS)


class _History(NamedTuple):
    """Columns of what an instrument publishes, read-only; the truth is not kept."""

    bars: tuple[np.ndarray, ...]
    funding: tuple[np.ndarray, ...]
    open_interest: tuple[np.ndarray, ...]


@lru_cache(maxsize=4)
def _published(instrument: str, minutes: int) -> _History:
    listing = find_listing(instrument)
    market = simulate(listing.recipe, seed=listing.seed, minutes=minutes)
    interest: tuple[np.ndarray, ...] = ()
    if listing.foreign is not None:
        other = simulate(listing.foreign, seed=listing.foreign_seed, minutes=minutes)
        market = replace(
            market, taker_buy_share=other.taker_buy_share, funding_rate=other.funding_rate
        )
        interest = wandering_interest(other)
    bars = tuple(getattr(market, name) for name in BAR_COLUMNS)
    history = _History(bars, (market.funding_timestamp, market.funding_rate), interest)
    for array in itertools.chain(*history):
        array.setflags(write=False)
    return history


register_cache(_published.cache_clear)


def _pages(
    minutes: tuple[np.ndarray, ...], step: int, first: int, last: int
) -> Iterator[pd.DataFrame]:
    """Bars ``first`` to ``last`` (exclusive) of those in ``minutes``, 30 days at a time."""
    length = step // MINUTE_MS
    rows = PAGE_MS // step
    for begin in range(first, last, rows):
        end = min(begin + rows, last)
        part = [column[begin * length : end * length] for column in minutes]
        yield aggregate_minutes(part, length)


def aggregate_minutes(minutes: list[np.ndarray], length: int) -> pd.DataFrame:
    """Bars of ``length`` minutes each, from the columns of a whole number of them.

    Volume is summed and ``taker_buy_share`` weighted by it, so that share times volume adds up.
    """
    blocks = [column.reshape(-1, length) for column in minutes]
    timestamp, opens, high, low, close, volume, share = blocks
    total = volume.sum(axis=1)
    bought = share[:, 0] if length == 1 else (share * volume).sum(axis=1) / total
    columns = (
        timestamp[:, 0],
        opens[:, 0],
        high.max(axis=1),
        low.min(axis=1),
        close[:, -1],
        total,
        bought,
    )
    copies = (np.array(column) for column in columns)
    return pd.DataFrame(dict(zip(BAR_COLUMNS, copies, strict=True)))


def _spelled(moment_ms: int) -> str:
    try:
        moment = datetime.fromtimestamp(moment_ms / 1_000, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return f"{moment_ms} ms"
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
