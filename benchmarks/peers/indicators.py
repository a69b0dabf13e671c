"""The base features by TA-Lib, pandas, polars, polars-talib, pandas-ta-classic and ta, with numpy.

Belongs here: each feature as somebody writes it who has that library and numpy.  Does not belong
here: Ares, measuring (``timing.py``).  What a library has no function for is TA-Lib's, and for the
two that are made upon pandas, its.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import talib
from scipy.special import ndtri

from benchmarks.peers.timing import Made, arrays, main

WARM = 10_000


class Oscillators:
    """What only libraries of indicators have; TA-Lib's."""

    rsi = staticmethod(lambda close: talib.RSI(close, 14))
    atr = staticmethod(lambda high, low, close: talib.ATR(high, low, close, 14))
    macd = staticmethod(lambda close: talib.MACD(close, 12, 26, 9)[2])
    flow = staticmethod(lambda high, low, close, volume: talib.MFI(high, low, close, volume, 14))

    @staticmethod
    def direction(high: np.ndarray, low: np.ndarray, close: np.ndarray) -> tuple[Any, Any]:
        """Average directional index, and the difference of its two sides."""
        plus, minus = talib.PLUS_DI(high, low, close, 14), talib.MINUS_DI(high, low, close, 14)
        return talib.ADX(high, low, close, 14), plus - minus


class TaLib(Oscillators):
    """Windows by TA-Lib's functions."""

    sum = staticmethod(lambda values, span: talib.SUM(values, span))
    max = staticmethod(lambda values, span: talib.MAX(values, span))
    min = staticmethod(lambda values, span: talib.MIN(values, span))
    mean = staticmethod(lambda values, span: talib.SMA(values, span))
    std = staticmethod(lambda values, span: talib.STDDEV(values, span))


class Pandas(Oscillators):
    """Windows by pandas' rolling."""

    sum = staticmethod(lambda values, span: pd.Series(values).rolling(span).sum().to_numpy())
    max = staticmethod(lambda values, span: pd.Series(values).rolling(span).max().to_numpy())
    min = staticmethod(lambda values, span: pd.Series(values).rolling(span).min().to_numpy())
    mean = staticmethod(lambda values, span: pd.Series(values).rolling(span).mean().to_numpy())
    std = staticmethod(lambda values, span: pd.Series(values).rolling(span).std(ddof=0).to_numpy())


def _polars(method: str, **options: Any) -> Callable[[np.ndarray, int], np.ndarray]:
    def window(values: np.ndarray, span: int) -> np.ndarray:
        import polars as pl

        rolled = getattr(pl.Series(values, nan_to_null=True), method)(span, **options)
        return rolled.to_numpy()

    return window


def _polars_talib(name: str) -> Callable[[np.ndarray, int], np.ndarray]:
    def window(values: np.ndarray, span: int) -> np.ndarray:
        import polars as pl
        import polars_talib as plta

        made = pl.DataFrame({"x": values}).select(getattr(plta, name)(pl.col("x"), timeperiod=span))
        return made.to_series().to_numpy()

    return window


class Polars(Oscillators):
    """Windows by polars' rolling."""

    sum = staticmethod(_polars("rolling_sum"))
    max = staticmethod(_polars("rolling_max"))
    min = staticmethod(_polars("rolling_min"))
    mean = staticmethod(_polars("rolling_mean"))
    std = staticmethod(_polars("rolling_std", ddof=0))


class PolarsTaLib(Oscillators):
    """Windows by TA-Lib's functions as polars expressions."""

    sum = staticmethod(_polars_talib("sum"))
    max = staticmethod(_polars_talib("max"))
    min = staticmethod(_polars_talib("min"))
    mean = staticmethod(_polars_talib("sma"))
    std = staticmethod(_polars_talib("stddev"))


def _pandas_ta(name: str, *columns: np.ndarray, **options: Any) -> Any:
    import pandas_ta_classic as library

    # By itself it hands the work to TA-Lib where that is installed.
    return getattr(library, name)(*map(pd.Series, columns), talib=False, **options)


class PandasTa(Pandas):
    """Oscillators, means and deviations by pandas-ta-classic's own code."""

    mean = staticmethod(lambda values, span: _pandas_ta("sma", values, length=span).to_numpy())
    std = staticmethod(
        lambda values, span: _pandas_ta("stdev", values, length=span, ddof=0).to_numpy()
    )
    rsi = staticmethod(lambda close: _pandas_ta("rsi", close, length=14).to_numpy())
    atr = staticmethod(lambda *bars: _pandas_ta("atr", *bars, length=14).to_numpy())
    macd = staticmethod(lambda close: _pandas_ta("macd", close).iloc[:, 1].to_numpy())
    flow = staticmethod(lambda *bars: _pandas_ta("mfi", *bars, length=14).to_numpy())

    @staticmethod
    def direction(high: np.ndarray, low: np.ndarray, close: np.ndarray) -> tuple[Any, Any]:
        """One table of index and both sides."""
        found = _pandas_ta("adx", high, low, close, length=14)
        return found.iloc[:, 0].to_numpy(), (found.iloc[:, 1] - found.iloc[:, 2]).to_numpy()


def _ta(place: str, name: str, told: str, *columns: np.ndarray, **options: Any) -> Any:
    import importlib

    made = getattr(importlib.import_module(f"ta.{place}"), name)
    return getattr(made(*map(pd.Series, columns), **options), told)().to_numpy()


class Ta(Pandas):
    """Oscillators and means by ta."""

    mean = staticmethod(
        lambda values, span: _ta("trend", "SMAIndicator", "sma_indicator", values, window=span)
    )
    rsi = staticmethod(lambda close: _ta("momentum", "RSIIndicator", "rsi", close))
    atr = staticmethod(
        lambda *bars: _ta("volatility", "AverageTrueRange", "average_true_range", *bars)
    )
    macd = staticmethod(lambda close: _ta("trend", "MACD", "macd_diff", close))
    flow = staticmethod(lambda *bars: _ta("volume", "MFIIndicator", "money_flow_index", *bars))

    @staticmethod
    def direction(high: np.ndarray, low: np.ndarray, close: np.ndarray) -> tuple[Any, Any]:
        """One object for index and both sides."""
        from ta.trend import ADXIndicator

        found = ADXIndicator(pd.Series(high), pd.Series(low), pd.Series(close))
        return found.adx().to_numpy(), (found.adx_pos() - found.adx_neg()).to_numpy()


def by_library(frame: pd.DataFrame, by: Any) -> dict[str, np.ndarray]:
    """Each base feature as somebody writes it who has that library and numpy."""
    column = {name: frame[name].to_numpy(np.float64) for name in frame.columns}
    opens, high, low, close = (column[name] for name in ("open", "high", "low", "close"))
    volume, interest = column["volume"], column["open_interest"]
    logs = np.log(close)

    def change(values: np.ndarray, span: int) -> np.ndarray:
        out = np.full(len(values), np.nan)
        out[span:] = values[span:] - values[:-span]
        return out

    steps = np.diff(logs, prepend=logs[0])
    returns = {span: change(logs, span) for span in (1, 5, 15, 60, 240)}
    squares, sizes = steps * steps, np.abs(steps)
    square = {span: by.sum(squares, span) for span in (30, 60, 240, 1440)}
    moved = {span: np.sqrt(total / span) for span, total in square.items()}
    last = np.concatenate([[0.0], steps[:-1]])
    reach, body = np.log(high / low), np.log(close / opens)
    typical = (high + low + close) / 3
    atr, extent = by.atr(high, low, close), high - low
    top = {span: by.max(high, span) for span in (60, 240, 1440)}
    bottom = {span: by.min(low, span) for span in (60, 240, 1440)}
    traded = {span: by.sum(volume, span) for span in (60, 1440)}
    vwap = by.sum(volume * typical, 1440) / traded[1440]
    illiquid = sizes / (volume * close)
    thin = {span: by.mean(illiquid, span) for span in (60, 1440)}
    skew_mean, cube = returns[240] / 240, by.sum(squares * steps, 240) / 240
    variance = square[240] / 240 - skew_mean**2
    slope = talib.LINEARREG_SLOPE(logs, 60)
    spread = talib.VAR(logs, 60) if by is TaLib else by.std(logs, 60) ** 2
    size_mean, volume_mean = by.mean(sizes, 60), traded[60] / 60
    covariance = by.mean(sizes * volume, 60) - size_mean * volume_mean
    spreads = (square[60] / 60 - size_mean**2) * (by.mean(volume**2, 60) - volume_mean**2)
    flow = pd.Series(ndtri(np.clip(column["taker_buy_share"], 0.001, 0.999)))
    funding = pd.Series(column["funding_rate"])
    day, days = funding.rolling(1440, min_periods=1), funding.rolling(4320, min_periods=1)
    open_logs = np.log(interest)
    angle = frame["timestamp"].to_numpy() + 60_000
    turn = 2 * np.pi * (angle % 86_400_000) / 86_400_000
    week = 2 * np.pi * ((angle - 4 * 86_400_000) % 604_800_000) / 604_800_000
    trending, direction = by.direction(high, low, close)
    opened = change(open_logs, 60)
    found = {f"return_{span}": values for span, values in returns.items()}
    found |= {f"volatility_{span}": moved[span] for span in (30, 240, 1440)}
    found |= {
        f"range_position_{span}": (close - bottom[span]) / (top[span] - bottom[span]) - 0.5
        for span in (60, 240)
    }
    found |= {
        f"taker_flow_{halflife}": flow.ewm(halflife=halflife).mean().to_numpy()
        for halflife in (10, 30, 120)
    }
    return found | {
        "rsi_14": by.rsi(close),
        "adx_14": trending,
        "di_difference_14": direction,
        "macd_histogram_atr": by.macd(close) / atr,
        "efficiency_60": np.abs(returns[60]) / by.sum(sizes, 60),
        "trend_slope_60": slope / moved[60],
        "trend_fit_60": slope**2 * ((60**2 - 1) / 12) / spread,
        "bollinger_z_20": (close - by.mean(close, 20)) / by.std(close, 20),
        "drawdown_1440": close / top[1440] - 1,
        "recovery_1440": close / bottom[1440] - 1,
        "return_autocorrelation_60": by.sum(steps * last, 60) / square[60],
        "atr_share_14": atr / close,
        "volatility_ratio": moved[30] / moved[240],
        "garman_klass_60": np.sqrt(by.mean(reach**2 / 2 - (2 * np.log(2) - 1) * body**2, 60)),
        "parkinson_ratio_60": np.sqrt(by.mean(reach**2, 60) / (4 * np.log(2))) / moved[60],
        "jump_share_60": 1 - np.pi / 2 * by.sum(np.abs(steps * last), 60) / square[60],
        "return_skewness_240": (cube - 3 * skew_mean * variance - skew_mean**3) / variance**1.5,
        "candle_body": (close - opens) / extent,
        "shadow_difference": (np.minimum(opens, close) + np.maximum(opens, close) - low - high)
        / extent,
        "volume_z_240": (volume - by.mean(volume, 240)) / by.std(volume, 240),
        "volume_trend_60": (traded[60] / 60 - traded[1440] / 1440)
        / (traded[60] / 60 + traded[1440] / 1440),
        "signed_volume_60": by.sum(np.sign(steps) * volume, 60) / traded[60],
        "vwap_distance_1440": (close / vwap - 1) / (moved[1440] * np.sqrt(1440)),
        "money_flow_14": by.flow(high, low, close, volume),
        "volume_volatility_60": covariance / np.sqrt(spreads),
        "illiquidity_60": (thin[60] - thin[1440]) / (thin[60] + thin[1440]),
        "taker_share": column["taker_buy_share"] - 0.5,
        "funding_rate": column["funding_rate"],
        "funding_mean": day.mean().to_numpy(),
        "funding_z": ((funding - days.mean()) / days.std(ddof=0)).to_numpy(),
        "open_interest_change_60": opened,
        "open_interest_change_1440": change(open_logs, 1440),
        "open_interest_with_price_60": opened * np.sign(returns[60]),
        "hour_sine": np.sin(turn),
        "hour_cosine": np.cos(turn),
        "week_sine": np.sin(week),
        "week_cosine": np.cos(week),
    }


def told(features: Mapping[str, np.ndarray]) -> Mapping[str, Any]:
    """Every feature at 200 rows past the longest warm-up."""
    rows = np.linspace(WARM, len(next(iter(features.values()))) - 1, 200).astype(int)
    found = {name: np.asarray(values, float)[rows] for name, values in features.items()}
    return {"values": {name: each.tolist() for name, each in found.items()}}


def _program(by: Any) -> Callable[[Path, dict[str, Any]], Made]:
    def program(folder: Path, options: dict[str, Any]) -> Made:
        frame = pd.DataFrame(arrays(folder))
        if not options.get("warmups", 1):
            by_library(frame.iloc[:WARM], by)  # so that its modules are imported before the time
        return lambda: by_library(frame, by), told

    return program


if __name__ == "__main__":
    main(
        {
            "TA-Lib": _program(TaLib),
            "pandas": _program(Pandas),
            "polars": _program(Polars),
            "polars-talib": _program(PolarsTaLib),
            "pandas-ta-classic": _program(PandasTa),
            "ta": _program(Ta),
        }
    )
