"""Which column of a foreign table is which, by its name.

Belongs here: the names that exporters use.  Does not belong here: the values.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from ares_resources.errors import BadInput

BINANCE_DUMP = (
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
    "quote_volume",
    "count",
    "taker_buy_volume",
    "taker_buy_quote_volume",
    "ignore",
)
_TIMES = (
    "open_time",
    "opentime",
    "unix",
    "unix_timestamp",
    "timestamp_ms",
    "timestamp",
    "ts",
    "time",
    "datetime",
    "date",
    "calc_time",
    "funding_time",
    "fundingtime",
    "__index_level_0__",
)
_PRICES = ("open", "high", "low", "close")
_VOLUMES = ("volume", "vol", "base_volume", "volume_base")
_TAKER_VOLUMES = (
    "taker_buy_volume",
    "taker_buy_base_volume",
    "taker_buy_base_asset_volume",
    "taker_buy_base",
    "taker_base_vol",
)
_SECOND_VOLUMES = ("quote_volume", "quote_asset_volume", "base_asset_volume")
_RATES = ("funding_rate", "fundingrate", "last_funding_rate")
_QUOTES = ("usdt", "usd", "usdc", "busd", "eur", "quote", "dai", "tusd", "fdusd")


@dataclass(frozen=True)
class Columns:
    """Positions of the columns that matter; ``notes`` say which were chosen by guess.

    ``kind`` is "bars" or "funding"; ``values`` are open, high, low, close and volume of bars,
    or the rate of funding.
    """

    kind: str
    time: int
    values: tuple[int, ...]
    taker_volume: int | None = None
    taker_share: int | None = None
    notes: tuple[str, ...] = ()
    volume_is_quote: bool = False

    @property
    def used(self) -> list[int]:
        """Every position that must be read, in the order time, values, taker's."""
        optional = [p for p in (self.taker_volume, self.taker_share) if p is not None]
        return [self.time, *self.values, *optional]


def choose_columns(header: Sequence[str]) -> Columns:
    """Find time, prices and volume, or time and funding rate, among the names of a table.

    Raises
    ------
    BadInput
        If one is missing; the message names what is there and what is needed.
    """
    return _chosen(tuple(header))


@lru_cache(maxsize=64)
def _chosen(header: tuple[str, ...]) -> Columns:
    names = [_plain(name) for name in header]
    time, rate = _first_of(names, _TIMES), _first_of(names, _RATES)
    prices = [_first_of(names, (name,)) for name in _PRICES]
    if time is not None and rate is not None and all(price is None for price in prices):
        return Columns("funding", time, (rate,))
    volume, is_quote, note = _volume(names)
    missing = [
        what
        for what, found in zip(("a time", *_PRICES, "volume"), (time, *prices, volume), strict=True)
        if found is None
    ]
    if time is None or volume is None or missing:
        raise BadInput(
            f"these are not bars: no column for {', '.join(missing)} among "
            f"{', '.join(header)[:200]}; needed: a time ({', '.join(_TIMES[:-1])}), "
            f"{', '.join(_PRICES)}, volume; or a time and a funding_rate"
        )
    values = (*(found for found in prices if found is not None), volume)
    taker, share = _first_of(names, _TAKER_VOLUMES), _first_of(names, ("taker_buy_share",))
    return Columns("bars", time, values, taker, share, note, is_quote)


def has_second_volume(header: Sequence[str]) -> bool:
    """Whether a table counts volume twice, as exchanges' dumps do."""
    return any(_plain(name) in _SECOND_VOLUMES for name in header)


def is_viewers_clock(header: Sequence[str]) -> bool:
    """Whether this is Binance's export from the browser, whose times are the viewer's own."""
    return [_plain(name) for name in header] == [
        "time",
        "contracts",
        "funding_interval",
        "funding_rate",
    ]


def _plain(name: str) -> str:
    return re.sub(r"[\s\-]+", "_", name.strip().strip("\"'").strip().lower())


def _first_of(names: Sequence[str], wanted: Sequence[str]) -> int | None:
    return next((names.index(name) for name in wanted if name in names), None)


def _volume(names: Sequence[str]) -> tuple[int | None, bool, tuple[str, ...]]:
    """Position of the volume, whether its name says the quote currency, and what was guessed."""
    exact = _first_of(names, _VOLUMES)
    if exact is not None:
        return exact, False, ()
    guesses = [p for p, name in enumerate(names) if name.startswith("volume")]
    base = [p for p in guesses if not names[p].rstrip(")").endswith(_QUOTES)]
    if not guesses:
        return None, False, ()
    chosen = (base or guesses)[0]
    return chosen, not base, (f"volume is taken from {names[chosen]}",)
