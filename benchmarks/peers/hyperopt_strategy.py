"""The strategy that freqtrade's hyperopt searches: a known probability, a stop and a target.

Belongs here: signal and searched parameters, as freqtrade asks for them.  Does not belong here:
their ranges and running it (``hyperopt.py``).  freqtrade loads this file by itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from freqtrade.optimize.space import SKDecimal
from freqtrade.strategy import DecimalParameter, IStrategy
from pandas import DataFrame, read_feather

from benchmarks.peers.hyperopt import FEE, SPACE


class HyperoptStrategy(IStrategy):  # type: ignore[misc]
    """Long where the probability reaches the threshold; out at the stop or the target."""

    INTERFACE_VERSION = 3
    timeframe = "5m"
    minimal_roi = {"0": 0.02}  # noqa: RUF012
    stoploss = -0.02
    process_only_new_candles = True
    use_exit_signal = False
    startup_candle_count = 0
    can_short = False
    threshold = DecimalParameter(*SPACE["threshold"], default=0.95, decimals=4, space="buy")

    class HyperOpt:
        """Spaces in place of freqtrade's own: one stop, and one target for any age of a trade."""

        @staticmethod
        def stoploss_space() -> list[Any]:
            """Shares of the entry price, negative."""
            low, high = SPACE["stop"]
            return [SKDecimal(-high, -low, decimals=4, name="stoploss")]

        @staticmethod
        def roi_space() -> list[Any]:
            """Shares of the entry price."""
            return [SKDecimal(*SPACE["target"], decimals=4, name="target")]

        @staticmethod
        def generate_roi_table(params: dict[str, Any]) -> dict[int, float]:
            """The profit after both fees at the target's price, which is how freqtrade counts."""
            return {0: (1 + params["target"]) * (1 - FEE) / (1 + FEE) - 1}

    @property
    def protections(self) -> list[dict[str, Any]]:
        """A signal at the candle of an exit counts for nothing, where protections are on."""
        return [{"method": "CooldownPeriod", "stop_duration_candles": 1}]

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """The probability of each candle, read."""
        known = read_feather(Path(self.config["user_data_dir"]) / "probability.feather")
        return dataframe.merge(known, on="date", how="left")

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Long where it reaches the threshold."""
        dataframe.loc[dataframe["probability"] >= self.threshold.value, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """By stop and target alone."""
        return dataframe
