"""From an instrument's name, in the spellings that people use, to one of ccxt's markets.

Belongs here: matching names, nearest names, and which kinds of market must be loaded.  Does
not belong here: requests.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

from ares_resources.errors import BadInput

Market = dict[str, Any]

_NEAREST = 4


def find_market(markets: Mapping[str, Market], instrument: str, exchange: str) -> Market:
    """The market that ``BTC/USDT:USDT``, ``ETH/USDT`` or ``ETHUSDT`` means.

    The exchange's own identifiers count too, in either case.  Where a name fits several
    kinds of market, spot comes first, then perpetuals.

    Raises
    ------
    BadInput
        If none fits; the message has the nearest names.
    """
    if instrument in markets:
        return markets[instrument]
    wanted = _plain(instrument)
    fitting = [market for market in markets.values() if wanted in _names(market)]
    if fitting and ":" not in instrument:
        return min(fitting, key=lambda market: (_rank(market), market["symbol"]))
    raise BadInput(
        f"symbol {instrument!r} is not traded on {exchange}; nearest: "
        f"{', '.join(_nearest(markets, instrument)) or 'none'}"
    )


def binance_market_types(instrument: str) -> list[str]:
    """Which of Binance's market lists can hold the instrument; each costs a large request."""
    base, colon, settle = instrument.partition(":")
    if not colon:
        return ["spot"]
    return ["linear"] if base.endswith(f"/{settle.partition('-')[0]}") else ["linear", "inverse"]


def _names(market: Market) -> set[str]:
    pair = f"{market['base']}{market['quote']}"
    plain_pair = pair if not market.get("expiry") and not market.get("option") else ""
    return {_plain(str(market["id"])), _plain(str(market["symbol"])), _plain(plain_pair)}


def _plain(name: str) -> str:
    return re.sub(r"[/\-_]", "", name.upper())


def _rank(market: Market) -> int:
    return 0 if market.get("spot") else 1 if market.get("swap") and market.get("linear") else 2


def _nearest(markets: Mapping[str, Market], instrument: str) -> list[str]:
    names = {_plain(str(symbol)): str(symbol) for symbol in sorted(markets)}
    near = difflib.get_close_matches(_plain(instrument), names, n=_NEAREST, cutoff=0.4)
    return [names[name] for name in near]
