"""The strategy that FreqAI is measured with: indicators after its own example, P(up) to trade on.

Belongs here: features, target, entries and exits, as FreqAI asks for them.  Does not belong
here: running it (``whole.py``).  freqtrade loads this file by itself, so it stands alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import talib.abstract as ta
from freqtrade.strategy import IStrategy
from pandas import DataFrame


class WholeStrategy(IStrategy):  # type: ignore[misc]
    """Twelve indicators a period and timeframe, the close ``label_period_candles`` later."""

    INTERFACE_VERSION = 3
    timeframe = "5m"
    minimal_roi = {"0": 100.0}  # noqa: RUF012
    stoploss = -0.99
    process_only_new_candles = True
    use_exit_signal = True
    startup_candle_count = 40
    can_short = False
    predicted: DataFrame | None = None

    def feature_engineering_expand_all(
        self, dataframe: DataFrame, period: int, metadata: dict[str, Any], **_: Any
    ) -> DataFrame:
        """Once for each period and timeframe."""
        typical = (dataframe["high"] + dataframe["low"] + dataframe["close"]) / 3
        middle = typical.rolling(period).mean()
        reach = 2.2 * typical.rolling(period).std()
        dataframe["%-rsi-period"] = ta.RSI(dataframe, timeperiod=period)
        dataframe["%-mfi-period"] = ta.MFI(dataframe, timeperiod=period)
        dataframe["%-adx-period"] = ta.ADX(dataframe, timeperiod=period)
        dataframe["%-cci-period"] = ta.CCI(dataframe, timeperiod=period)
        dataframe["%-natr-period"] = ta.NATR(dataframe, timeperiod=period)
        dataframe["%-sma-period"] = ta.SMA(dataframe, timeperiod=period) / dataframe["close"]
        dataframe["%-ema-period"] = ta.EMA(dataframe, timeperiod=period) / dataframe["close"]
        dataframe["%-width-period"] = 2 * reach / middle
        dataframe["%-lower-period"] = dataframe["close"] / (middle - reach)
        dataframe["%-roc-period"] = ta.ROC(dataframe, timeperiod=period)
        dataframe["%-volume-period"] = (
            dataframe["volume"] / dataframe["volume"].rolling(period).mean()
        )
        return dataframe

    def feature_engineering_expand_basic(
        self, dataframe: DataFrame, metadata: dict[str, Any], **_: Any
    ) -> DataFrame:
        """Once for each timeframe."""
        dataframe["%-change"] = dataframe["close"].pct_change()
        return dataframe

    def feature_engineering_standard(
        self, dataframe: DataFrame, metadata: dict[str, Any], **_: Any
    ) -> DataFrame:
        """Once."""
        dataframe["%-weekday"] = dataframe["date"].dt.dayofweek
        dataframe["%-hour"] = dataframe["date"].dt.hour
        return dataframe

    def set_freqai_targets(
        self, dataframe: DataFrame, metadata: dict[str, Any], **_: Any
    ) -> DataFrame:
        """Whether the close is higher so many candles later."""
        self.freqai.class_names = ["down", "up"]
        ahead = self.freqai_info["feature_parameters"]["label_period_candles"]
        later = dataframe["close"].shift(-ahead)
        direction = np.where(later > dataframe["close"], "up", "down").astype(object)
        # FreqAI leaves out rows without a label; its template calls a close not yet known "down".
        direction[later.isna()] = np.nan
        dataframe["&s-direction"] = direction
        return dataframe

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """FreqAI trains and predicts in here."""
        dataframe = self.freqai.start(dataframe, metadata, self)
        self.predicted = dataframe
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Long where up is likely."""
        likely = (dataframe["do_predict"] == 1) & (dataframe["up"] > 0.55)
        dataframe.loc[likely, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Out where it is not."""
        dataframe.loc[dataframe["up"] < 0.5, "exit_long"] = 1
        return dataframe
