"""Each base feature by its definition: one row, numpy on whole windows, TA-Lib, pandas.

Belongs here: the oracle of the feature table.  Does not belong here: how the table computes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import talib
from scipy.special import ndtri
from scipy.stats import linregress, skew

Row = Callable[[int], float]


def definitions(frame: pd.DataFrame) -> dict[str, Row]:
    """By name, the feature at a row past its warm-up of a frame of one-minute bars."""
    column = {name: frame[name].to_numpy(np.float64) for name in frame.columns}
    opens, high, low, close = (column[name] for name in ("open", "high", "low", "close"))
    volume, interest, funding = column["volume"], column["open_interest"], column["funding_rate"]
    logs = np.log(close)
    steps = np.diff(logs, prepend=logs[0])
    typical = (high + low + close) / 3
    reach, body = np.log(high / low), np.log(close / opens)
    range_true = talib.ATR(high, low, close, 14)
    flow = pd.Series(ndtri(np.clip(column["taker_buy_share"], 0.001, 0.999)))
    minutes = (frame["timestamp"].to_numpy() // 60_000 + 1).astype(np.float64)

    def last(values: np.ndarray, span: int, row: int) -> np.ndarray:
        return values[row - span + 1 : row + 1]

    def root_mean_square(span: int) -> Row:
        return lambda row: float(np.sqrt(np.mean(last(steps, span, row) ** 2)))

    def change(span: int) -> Row:
        return lambda row: logs[row] - logs[row - span]

    def z(values: np.ndarray, span: int) -> Row:
        return lambda row: (
            (values[row] - last(values, span, row).mean()) / last(values, span, row).std()
        )

    def place(span: int) -> Row:
        def at(row: int) -> float:
            lowest, highest = last(low, span, row).min(), last(high, span, row).max()
            return (close[row] - lowest) / (highest - lowest) - 0.5

        return at

    def vwap(span: int) -> Row:
        def at(row: int) -> float:
            price = np.average(last(typical, span, row), weights=last(volume, span, row))
            return (close[row] / price - 1) / (root_mean_square(span)(row) * np.sqrt(span))

        return at

    def illiquidity(row: int) -> float:
        single = np.abs(steps) / (volume * close)
        short, long = last(single, 60, row).mean(), last(single, 1440, row).mean()
        return (short - long) / (short + long)

    def volume_trend(row: int) -> float:
        short, long = last(volume, 60, row).mean(), last(volume, 1440, row).mean()
        return (short - long) / (short + long)

    def jumps(row: int) -> float:
        sizes = np.abs(steps)
        bipower = (last(sizes, 60, row) * sizes[row - 60 : row]).sum()
        return 1 - np.pi / 2 * bipower / (last(steps, 60, row) ** 2).sum()

    def garman_klass(row: int) -> float:
        variance = reach**2 / 2 - (2 * np.log(2) - 1) * body**2
        return np.sqrt(last(variance, 60, row).mean())

    def parkinson(row: int) -> float:
        mean = np.mean(last(reach, 60, row) ** 2)
        return np.sqrt(mean / (4 * np.log(2))) / root_mean_square(60)(row)

    def autocorrelation(row: int) -> float:
        return (last(steps, 60, row) * steps[row - 60 : row]).sum() / (
            last(steps, 60, row) ** 2
        ).sum()

    def line(row: int) -> object:
        return linregress(np.arange(60), last(logs, 60, row))

    found: dict[str, Row] = {f"return_{span}": change(span) for span in (1, 5, 15, 60, 240)}
    found |= {f"volatility_{span}": root_mean_square(span) for span in (30, 240, 1440)}
    found |= {f"range_position_{span}": place(span) for span in (60, 240)}
    found["vwap_distance_1440"] = vwap(1440)
    for halflife in (10, 30, 120):
        smooth = flow.ewm(halflife=halflife).mean().to_numpy()
        found[f"taker_flow_{halflife}"] = smooth.__getitem__
    directional = talib.PLUS_DI(high, low, close, 14) - talib.MINUS_DI(high, low, close, 14)
    return found | {
        "rsi_14": talib.RSI(close, 14).__getitem__,
        "adx_14": talib.ADX(high, low, close, 14).__getitem__,
        "di_difference_14": directional.__getitem__,
        "macd_histogram_atr": (talib.MACD(close, 12, 26, 9)[2] / range_true).__getitem__,
        "atr_share_14": (range_true / close).__getitem__,
        "money_flow_14": talib.MFI(high, low, close, 1e6 * volume, 14).__getitem__,
        "efficiency_60": lambda row: abs(change(60)(row)) / np.abs(last(steps, 60, row)).sum(),
        "trend_slope_60": lambda row: line(row).slope / root_mean_square(60)(row),  # type: ignore[attr-defined]
        "trend_fit_60": lambda row: line(row).rvalue ** 2,  # type: ignore[attr-defined]
        "bollinger_z_20": z(close, 20),
        "drawdown_1440": lambda row: close[row] / last(high, 1440, row).max() - 1,
        "recovery_1440": lambda row: close[row] / last(low, 1440, row).min() - 1,
        "return_autocorrelation_60": autocorrelation,
        "volatility_ratio": lambda row: root_mean_square(30)(row) / root_mean_square(240)(row),
        "garman_klass_60": garman_klass,
        "parkinson_ratio_60": parkinson,
        "jump_share_60": jumps,
        "return_skewness_240": lambda row: float(skew(last(steps, 240, row))),
        "candle_body": lambda row: (close[row] - opens[row]) / (high[row] - low[row]),
        "shadow_difference": lambda row: (
            (min(opens[row], close[row]) - low[row] - high[row] + max(opens[row], close[row]))
            / (high[row] - low[row])
        ),
        "volume_z_240": z(volume, 240),
        "volume_trend_60": volume_trend,
        "signed_volume_60": lambda row: (
            (np.sign(last(steps, 60, row)) * last(volume, 60, row)).sum()
            / last(volume, 60, row).sum()
        ),
        "volume_volatility_60": lambda row: float(
            np.corrcoef(np.abs(last(steps, 60, row)), last(volume, 60, row))[0, 1]
        ),
        "illiquidity_60": illiquidity,
        "taker_share": lambda row: column["taker_buy_share"][row] - 0.5,
        "funding_rate": funding.__getitem__,
        "funding_mean": lambda row: float(np.nanmean(last(funding, 1440, row))),
        "funding_z": lambda row: (
            (funding[row] - np.nanmean(last(funding, 4320, row)))
            / np.nanstd(last(funding, 4320, row))
        ),
        "open_interest_change_60": lambda row: np.log(interest[row] / interest[row - 60]),
        "open_interest_change_1440": lambda row: np.log(interest[row] / interest[row - 1440]),
        "open_interest_with_price_60": lambda row: (
            np.log(interest[row] / interest[row - 60]) * np.sign(change(60)(row))
        ),
        "hour_sine": lambda row: np.sin(2 * np.pi * minutes[row] / 1440),
        "hour_cosine": lambda row: np.cos(2 * np.pi * minutes[row] / 1440),
        # 1970-01-01 was a Thursday.
        "week_sine": lambda row: np.sin(2 * np.pi * (minutes[row] + 3 * 1440) / 10_080),
        "week_cosine": lambda row: np.cos(2 * np.pi * (minutes[row] + 3 * 1440) / 10_080),
    }
