"""Bars whose future is not what it was: cut away, or replaced by another one.

Belongs here: making such frames, and drawing the rows from which on the future differs.
Does not belong here: what is recomputed on them.

Another future is the stronger test: code that asks whether there is a later bar behaves on a
cut frame as it would live, and reads the future only where there is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

_LEAST_STEP = 1e-4  # Log return; of bars whose price never moves, so that the new ones do.
_SHARE_SEED = 0x5EED


@dataclass(frozen=True)
class OtherBars:
    """A frame that is the market's before ``row`` and is not from there on."""

    row: int
    frame: pd.DataFrame
    cut: bool

    @property
    def words(self) -> str:
        return f"bars cut at row {self.row}" if self.cut else f"other bars from row {self.row} on"


def other_bars(frame: pd.DataFrame, rows: list[int]) -> Iterator[OtherBars]:
    """For each row: the bars before it alone, and the same with another future."""
    for row in rows:
        yield OtherBars(row, frame.iloc[:row], cut=True)
        yield OtherBars(row, replaced_from(frame, row, seed=row), cut=False)


def drawn_rows(content: str, candidates: np.ndarray, count: int) -> list[int]:
    """``count`` of the candidates, one from each stretch of them, ascending.

    They are drawn, not chosen, but the same ones for the same ``content`` (a hexadecimal hash
    of the bars), so that a check of the same result says the same.
    """
    stream = np.random.default_rng(int(content[:12], 16))
    stretches = np.array_split(np.unique(candidates), count)
    return [int(stream.choice(part)) for part in stretches if part.size]


def replaced_from(frame: pd.DataFrame, row: int, *, seed: int) -> pd.DataFrame:
    """The same frame, but from ``row`` on a market that never was.

    The closes go on from the last true one as a martingale, with the volatility of the past
    times a random factor; opens, highs and lows, volume, taker share, funding and open
    interest are drawn anew.  Times stay, and so do columns that hold no value at all.

    Parameters
    ----------
    frame
        Market frame of n rows.
    row
        First row that differs, 1..n.
    """
    later = len(frame) - row
    draws = np.random.default_rng(np.random.SeedSequence([_SHARE_SEED, seed]))
    changed = frame.copy()
    if not later:
        return changed
    new = _prices(frame["close"].to_numpy()[:row], later, draws)
    past = frame["volume"].to_numpy()[:row]
    new["volume"] = draws.exponential(max(float(past.mean()), 1.0) * draws.uniform(0.5, 2.0), later)
    new["taker_buy_share"] = draws.uniform(0.0, 1.0, later)
    new["funding_rate"] = 1e-4 * draws.standard_normal(later)
    new["open_interest"] = 1e6 * np.exp(np.cumsum(1e-3 * draws.standard_normal(later)))
    for name in ("funding_payment", "gap_payment"):
        if name in frame:
            paid = frame[name].to_numpy()[row:] != 0
            new[name] = np.where(paid, 1e-4 * draws.standard_normal(later), 0.0)
    for name, values in new.items():
        if name in frame and frame[name].notna().any():
            whole = frame[name].to_numpy(np.float64, copy=True)
            whole[row:] = values
            changed[name] = whole
    return changed


def _prices(past: np.ndarray, later: int, draws: np.random.Generator) -> dict[str, np.ndarray]:
    moved = np.diff(np.log(past[-10_000:])) if len(past) > 1 else np.zeros(1)
    step = max(float(moved.std()), _LEAST_STEP) * draws.uniform(0.5, 2.0)
    close = past[-1] * np.exp(np.cumsum(step * draws.standard_normal(later) - step**2 / 2))
    opens = np.concatenate([past[-1:], close[:-1]]) * np.exp(
        0.1 * step * draws.standard_normal(later)
    )
    reach = np.exp(0.5 * step * np.abs(draws.standard_normal((2, later))))
    return {
        "open": opens,
        "high": np.maximum(opens, close) * reach[0],
        "low": np.minimum(opens, close) / reach[1],
        "close": close,
    }
