"""What the tests of exchanges share: a fake Binance with a history, and ways to it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from fakes.fake_binance import klines_of, made_up_bars

from ares_resources.exchanges.ccxt_exchange import CcxtExchange

MINUTE = 60_000
START = 1_700_000_040_000
BARS = made_up_bars(START, 2510)
NOW = START + 2500 * MINUTE + 5_000  # bar 2500 is forming; the later ones are not there yet
CLOSED = BARS.iloc[:2500]
FUNDING = pd.DataFrame(
    {"timestamp": START + np.arange(6) * 28_800_000 + 3, "funding_rate": np.arange(6) * 1e-5}
)
PERPETUAL = "ETH/USDT:USDT"
KLINES = klines_of(BARS, "1m")


def all_bars(exchange: CcxtExchange, instrument: str = "ETHUSDT", end: int = NOW) -> pd.DataFrame:
    """Every page from the start of the history, joined."""
    return pd.concat(exchange.bars(instrument, "1m", START, end), ignore_index=True)


def assert_same(frame: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Equal, the taker's share up to the rounding of its way over volumes."""
    prices = list(expected.columns[:6])
    pd.testing.assert_frame_equal(frame[prices], expected[prices].reset_index(drop=True))
    np.testing.assert_allclose(frame["taker_buy_share"], expected["taker_buy_share"], rtol=1e-12)
