"""Shares of the regimes in each role of time, on bars from a file, without and with a baseline.

Belongs here: what cannot be scored, since real bars have no true regimes, but can be looked at:
whether each regime occurs where a model is fitted and where it is judged.  Does not belong here:
scores against the truth (``benchmarks.regimes``).

    python -m benchmarks.regime_shares bars.parquet --as-of 2024-01-01
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from ares_assets.market.classification import classify
from ares_assets.market.regimes import REGIMES
from ares_assets.market.regimes.registry import ALGORITHM_NAMES
from ares_resources.settings import RegimeSettings
from ares_resources.timeframes import DAY_MS, timeframe_ms
from benchmarks.regime_scores import switches_per_30_days

ROLES = {"development": (0.0, 0.7), "calibration": (0.7, 0.8), "holdout": (0.8, 1.0)}
HEAD = "| algorithm | baseline | development | calibration | holdout | switches in 30 days |"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.regime_shares")
    parser.add_argument("bars", help="Parquet file with timestamp, open, high, low, close")
    parser.add_argument("--as-of", required=True, help="end of the bars that are used, UTC")
    parser.add_argument("--lookback-days", type=int, default=365)
    parser.add_argument("--timeframe", default="1m")
    chosen = parser.parse_args(arguments)
    end = int(pd.Timestamp(chosen.as_of, tz="UTC").value // 10**6)
    frame = _bars(chosen.bars, end - chosen.lookback_days * DAY_MS, end)
    print(HEAD + "\n" + "|---" * 6 + "|")
    for name in ALGORITHM_NAMES:
        for halflife in (0.0, RegimeSettings().baseline_halflife_bars):
            print(_line(name, halflife, frame, chosen.timeframe), flush=True)
    return 0


def _bars(path: str, start_ms: int, end_ms: int) -> pd.DataFrame:
    bars = pd.read_parquet(path)
    if not pd.api.types.is_integer_dtype(bars["timestamp"]):
        bars["timestamp"] = bars["timestamp"].astype("datetime64[ms, UTC]").astype("int64")
    inside = (bars["timestamp"] >= start_ms) & (bars["timestamp"] < end_ms)
    return bars[inside].reset_index(drop=True)


def _line(name: str, halflife: float, frame: pd.DataFrame, timeframe: str) -> str:
    settings = RegimeSettings(algorithm=name, baseline_halflife_bars=halflife)  # type: ignore[arg-type]
    rows = np.arange(int(ROLES["development"][1] * len(frame)))
    decided, model = classify(frame, fit_rows=rows, timeframe=timeframe, settings=settings, seed=1)
    regime = decided["regime"].to_numpy()
    shares = []
    for first, last in ROLES.values():
        part = regime[int(first * len(frame)) : int(last * len(frame))]
        shares.append(" / ".join(f"{(part == state).mean():.0%}" for state in REGIMES))
    states = np.select([regime == state for state in REGIMES], range(3))
    switches = switches_per_30_days(states, DAY_MS // timeframe_ms(timeframe))
    used = "yes" if model["baseline"][0] else "no"
    return "| " + " | ".join([name, used, *shares, f"{switches:.0f}"]) + " |"


if __name__ == "__main__":
    raise SystemExit(main())
