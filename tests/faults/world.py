"""A random little history and what is asked of it, for a seed.

Belongs here: what is true.  Does not belong here: faults (``scripts.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from fakes.fake_binance import FakeBinance, klines_of, made_up_bars

from ares_resources.symbols import SymbolKey
from ares_resources.timeframes import DAY_MS, HOUR_MS, grid_floor, timeframe_ms

SPOT, SWAP = SymbolKey("ETHUSDT", "BINANCE"), SymbolKey("ETH/USDT:USDT", "BINANCE")
_NEW_YEAR = 1_672_531_200_000  # 2023-01-01, a month's first day: months are separate files
_LISTED_LATE = 0.2


@dataclass(frozen=True)
class World:
    """One history; ``page_bars`` is the most that this exchange sends in one answer."""

    seed: int

    @cached_property
    def _random(self) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence([self.seed, 1]))

    @cached_property
    def timeframe(self) -> str:
        return str(self._random.choice(["1m", "1m", "5m", "1h", "8h"]))

    @cached_property
    def step_ms(self) -> int:
        return timeframe_ms(self.timeframe)

    @cached_property
    def symbol(self) -> SymbolKey:
        return SWAP if self._random.random() < 0.5 else SPOT

    @property
    def market(self) -> str:
        return "linear" if self.symbol == SWAP else "spot"

    @cached_property
    def count(self) -> int:
        """Bars of the window."""
        return int(self._random.integers(30, 900))

    @cached_property
    def page_bars(self) -> int:
        return max(5, self.count // int(self._random.integers(1, 15)))

    @cached_property
    def start_ms(self) -> int:
        """The window often lies across the turn of a month."""
        before = int(self._random.integers(0, self.count + 1))
        return grid_floor(_NEW_YEAR - before * self.step_ms, self.step_ms)

    @property
    def end_ms(self) -> int:
        return self.start_ms + self.count * self.step_ms

    @cached_property
    def bars(self) -> pd.DataFrame:
        """All that ever traded: real gaps, and some listed late; a little past the window."""
        whole = made_up_bars(self.start_ms, self.count + 20, self.timeframe, self.seed + 1)
        there = np.ones(len(whole), dtype=bool)
        for _ in range(int(self._random.integers(0, 4))):
            first = int(self._random.integers(1, self.count + 1))
            there[first : first + int(self._random.integers(1, 40))] = False
        if self._random.random() < _LISTED_LATE:
            there[: int(self._random.integers(1, max(2, self.count // 2)))] = False
        there[self.count - 1] = True  # something is there to be found at all
        return whole[there].reset_index(drop=True)

    @cached_property
    def funding(self) -> pd.DataFrame:
        """Settlements off their mark by some milliseconds; at times one never happened."""
        every = int(self._random.choice([1, 4, 8])) * HOUR_MS
        first = -(-self.start_ms // every) * every
        stamps = np.arange(first, self.end_ms + DAY_MS, every, dtype="int64")
        stamps += self._random.integers(0, 6, len(stamps))
        if len(stamps) > 12 and self._random.random() < 0.3:
            stamps = np.delete(stamps, int(self._random.integers(4, len(stamps) - 4)))
        rates = np.round(self._random.normal(1e-4, 1e-4, len(stamps)), 8)
        return pd.DataFrame({"timestamp": stamps, "funding_rate": rates})

    @cached_property
    def open_interest(self) -> pd.DataFrame:
        """Where the window is short enough for Binance still to have it, and not always."""
        if self.timeframe not in ("1m", "5m") or self._random.random() < 0.5:
            return pd.DataFrame({"timestamp": np.empty(0, "int64"), "open_interest": []})
        stamps = np.arange(self.start_ms, self.end_ms + DAY_MS, 300_000, dtype="int64")
        values = np.round(self._random.uniform(1e4, 2e4, len(stamps)), 3)
        return pd.DataFrame({"timestamp": stamps, "open_interest": values})

    def exchange(self) -> FakeBinance:
        """A faultless exchange with this history; it is not a server here."""
        fake = FakeBinance(now_ms=self.end_ms)
        rows = klines_of(self.bars, self.timeframe)
        fake.add_klines(self.market, "ETHUSDT", self.timeframe, rows)
        if self.symbol == SWAP:
            fake.add_funding("ETHUSDT", self.funding)
            fake.add_open_interest("ETHUSDT", self.open_interest)
        return fake
