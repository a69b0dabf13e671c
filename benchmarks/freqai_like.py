"""A baseline after FreqAI's own example: its indicators, one split, no purging, no regimes.

Belongs here: our own plain reading of that recipe.  Does not belong here: any code of FreqAI,
and how it is judged (``benchmarks.real_bars``).

Read in freqtrade 2024.10 (commit c9ae5e1): ``templates/FreqaiExampleHybridStrategy.py``,
``config_examples/config_freqai.example.json``, ``freqai/data_kitchen.py`` and
``prediction_models/CatboostClassifier.py``.

The same: indicators (RSI, MFI, ADX, SMA, EMA, width and lower edge of Bollinger bands at 2.2
deviations of the typical price, rate of change, relative volume) over 10 and 20 candles of each
timeframe; change, price and volume; two shifted candles of each; weekday and hour; a row for
every candle, with overlapping labels; one split, 33 % for the test, in order (or shuffled, its
option), not purged; CatBoost with no parameter set but ``MultiClass``, its best iteration chosen
on the test part.

Other: candles of 5, 15 and 60 minutes (3, 15 and 60 there), which fit decisions every ten
minutes; the label is Ares' triple barrier, so that all are judged on one thing (there: the close
50 candles later); no correlated pair and no weights by recency (both off unless configured); no
removal of outliers and no scaling, which trees do not need; no retraining every few days.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import talib

from ares_assets.market.resampling import resample_bars
from ares_resources.timeframes import timeframe_ms
from benchmarks.training_sets import Fold

BASE = "5m"
TIMEFRAMES = (BASE, "15m", "1h")
PERIODS = (10, 20)
SHIFTS = 2
BAND_DEVIATIONS = 2.2
TEST_SHARE = 0.33
SEED = 1


@dataclass(frozen=True)
class Split:
    """Positions that train and that test, ascending."""

    train: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class FreqaiLike:
    """A trained model and its own test rows: labels and P(up), (m,) each."""

    model: Any
    test_labels: np.ndarray
    test_probability: np.ndarray
    fold: Fold
    trees: int

    def probability(self, features: pd.DataFrame) -> np.ndarray:
        """P(up), (n,)."""
        return _probability(self.model, features)


def candle_features(bars: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame]:
    """Features at the close of each 5-minute candle of a frame of minute bars.

    A slower candle joins from its close on; rows use bars up to their own close alone.

    Returns
    -------
    Closes, ms UTC, (n,); and the features, float32 (n, k).
    """
    columns = ["timestamp", "open", "high", "low", "close", "volume"]
    base = resample_bars(bars[columns], "1m", BASE)
    closes = base["timestamp"].to_numpy() + timeframe_ms(BASE)
    found: dict[str, np.ndarray] = {}
    for timeframe in TIMEFRAMES:
        candles = resample_bars(bars[columns], "1m", timeframe)
        known = candles["timestamp"].to_numpy() + timeframe_ms(timeframe)
        place = np.searchsorted(known, closes, side="right")
        for name, values in _indicators(candles):
            joined = np.concatenate([[np.nan], values])[place]
            for shift in range(SHIFTS + 1):
                found[f"{name}_{timeframe}_{shift}"] = _shifted(joined, shift)
    moment = pd.to_datetime(base["timestamp"], unit="ms", utc=True)
    found["weekday"] = moment.dt.dayofweek.to_numpy(float)
    found["hour"] = moment.dt.hour.to_numpy(float)
    return closes, pd.DataFrame(found).astype(np.float32)


def _indicators(candles: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    high, low, close, volume = (
        candles[name].to_numpy(float) for name in ("high", "low", "close", "volume")
    )
    typical = pd.Series((high + low + close) / 3)
    for period in PERIODS:
        yield f"rsi_{period}", talib.RSI(close, period)
        yield f"mfi_{period}", talib.MFI(high, low, close, volume, period)
        yield f"adx_{period}", talib.ADX(high, low, close, period)
        yield f"sma_{period}", talib.SMA(close, period)
        yield f"ema_{period}", talib.EMA(close, period)
        middle = typical.rolling(period).mean().to_numpy()
        reach = BAND_DEVIATIONS * typical.rolling(period).std().to_numpy()
        yield f"band_width_{period}", 2 * reach / middle
        yield f"over_lower_band_{period}", close / (middle - reach)
        yield f"rate_of_change_{period}", talib.ROC(close, period)
        mean_volume = pd.Series(volume).rolling(period).mean().to_numpy()
        yield f"relative_volume_{period}", _ratio(volume, mean_volume)
    yield "change", np.concatenate([[np.nan], close[1:] / close[:-1] - 1])
    yield "volume", volume
    yield "price", close


def _ratio(values: np.ndarray, over: np.ndarray) -> np.ndarray:
    return np.divide(values, over, out=np.full(len(values), np.nan), where=over > 0)


def _shifted(values: np.ndarray, rows: int) -> np.ndarray:
    return np.concatenate([np.full(rows, np.nan), values[: len(values) - rows]])


def split(rows: int, *, shuffle: bool) -> Split:
    """One split of so many rows in time order, by scikit-learn's own function."""
    from sklearn.model_selection import train_test_split

    state = SEED if shuffle else None
    train, test = train_test_split(
        np.arange(rows), test_size=TEST_SHARE, shuffle=shuffle, random_state=state
    )
    return Split(np.sort(train), np.sort(test))


def split_spans(parts: Split, events: pd.DataFrame) -> Fold:
    """Whole label windows of what trains and of what tests, as those of Ares are counted."""
    rows, ends = events["row"].to_numpy(), events["last_row"].to_numpy()
    return Fold((rows[parts.train], ends[parts.train]), (rows[parts.test], ends[parts.test]))


def train(
    features: pd.DataFrame, events: pd.DataFrame, *, shuffle: bool, threads: int
) -> FreqaiLike:
    """Split, fit, and keep what the recipe would say of itself.

    ``features`` and ``events`` (``row``, ``last_row``, ``label``) are aligned and in time order.
    Rows with a missing feature are left out, as there.
    """
    from catboost import CatBoostClassifier

    whole = features.notna().all(axis=1).to_numpy()
    features, events = features[whole].reset_index(drop=True), events[whole]
    labels = events["label"].to_numpy()
    parts = split(len(features), shuffle=shuffle)
    model = CatBoostClassifier(
        loss_function="MultiClass",
        random_seed=SEED,
        thread_count=threads,
        allow_writing_files=False,
        logging_level="Silent",
    )
    held = features.iloc[parts.test]
    model.fit(features.iloc[parts.train], labels[parts.train], eval_set=(held, labels[parts.test]))
    return FreqaiLike(
        model=model,
        test_labels=labels[parts.test],
        test_probability=_probability(model, held),
        fold=split_spans(parts, events),
        trees=int(model.tree_count_),
    )


def _probability(model: Any, features: pd.DataFrame) -> np.ndarray:
    return np.asarray(model.predict_proba(features), float)[:, 1]
