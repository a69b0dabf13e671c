"""Managing an open position: hold, reduce or exit as the analyst changes its mind.

Belongs here: the rule, its signals, and what following them would have brought.  Does not
belong here: entries, barriers and sizes, and carrying the orders out (the backtest's kernel).

The rule.  At a decision the analyst expects, over the horizon that begins there, the move

    expected = (2 p - 1) * move

with p its probability of a rise and ``move`` the volatility over the horizon.  Around nothing
expected lies a no-trade band as wide as one side's cost c.  A position that the expectation is
against by c or more is halved; by 2 c, a whole round trip, it is closed.  Orders only ever make
a position smaller: to restore a half would cost a round trip of its own.  The rule asks neither
when the position was opened nor at what price, so a signal is a fact about a moment: it fits
every open position of its side, and no later bar can change it.

Source of the band: Davis and Norman (1990), Portfolio selection with transaction costs (that
proportional costs leave a region in which the best trade is none).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from ares_assets.tactician.utility import PairedGain, paired_gain
from ares_resources.errors import BadInput

HOLD = "hold"
CODES = {HOLD: 0, "reduce_long": -1, "exit_long": -2, "reduce_short": 1, "exit_short": 2}
REDUCE, EXIT = 1, 2
KEPT_WHEN_REDUCED = 0.5


@dataclass(frozen=True)
class PositionManagement:
    """Whether managing positions is part of the tactician, and on what evidence."""

    kept: bool
    gain: PairedGain
    reason: str

    def to_json(self) -> dict[str, object]:
        """Plain values for metadata and the release."""
        return asdict(self)


def management_signals(probability: np.ndarray, move: np.ndarray, *, band: float) -> np.ndarray:
    """What each decision tells open positions, int8 (n,), the codes of :data:`CODES`.

    Parameters
    ----------
    probability
        The analyst's probability of a rise, (n,); NaN says nothing.
    move
        Volatility of the return over the horizon, a fraction, (n,); NaN says nothing.
    band
        Cost of one side, a fraction of the notional, 0 or more.
    """
    if not band >= 0.0:
        raise BadInput(f"band {band!r} must be 0 or more")
    expected = (2.0 * np.asarray(probability, np.float64) - 1.0) * np.asarray(move, np.float64)
    size = np.nan_to_num(np.abs(expected), nan=0.0)
    level = np.where(size >= 2.0 * band, EXIT, np.where(size >= band, REDUCE, 0))
    # Without costs the band is a point, and nothing expected still orders nothing.
    return np.where(size > 0.0, np.sign(expected) * level, 0).astype(np.int8)


def signal_names(codes: np.ndarray) -> np.ndarray:
    """Names of :data:`CODES` for codes, object (n,)."""
    names = {code: name for name, code in CODES.items()}
    return np.array([names[int(code)] for code in codes], dtype=object)


def signal_codes(names: np.ndarray) -> np.ndarray:
    """The inverse of :func:`signal_names`, int8 (n,).

    Raises
    ------
    BadInput
        A name is not one of :data:`CODES`.
    """
    unknown = sorted({str(name) for name in names} - set(CODES))
    if unknown:
        raise BadInput(f"management signal {unknown[0]!r}; allowed: {', '.join(CODES)}")
    return np.array([CODES[str(name)] for name in names], dtype=np.int8)


def managed_returns(
    market_frame: pd.DataFrame,
    labels: pd.DataFrame,
    signals: np.ndarray,
    *,
    cost: float,
    latency_bars: int,
) -> np.ndarray:
    """Net return of each labelled position when the signals are followed, (n_positions,).

    An order fills at the open ``latency_bars`` rows after its signal, if the position is still
    open then, and pays ``cost`` on what it sells.  Where no signal is against a position this
    is exactly its ``net_return``.

    Parameters
    ----------
    market_frame
        ``open`` and ``funding_payment`` of the bars, and ``gap_payment`` if there is any,
        (n_rows, ...).
    labels
        Meta-labels, (n_positions, ...).
    signals
        Codes at each bar's close, 0 where nothing is decided, int8 (n_rows,).
    cost
        Cost of one side, a fraction of the notional traded.
    """
    price = market_frame["open"].to_numpy(np.float64)
    settled = _settled_until(market_frame)
    entry = labels["entry_row"].to_numpy(np.int64)
    last = labels["exit_row"].to_numpy(np.int64)
    side = labels["side"].to_numpy(np.float64)
    end = 1.0 + side * labels["gross_return"].to_numpy(np.float64)
    net = labels["net_return"].to_numpy(np.float64).copy()
    reduced = _fills(signals, labels, REDUCE, latency_bars)
    closed = _fills(signals, labels, EXIT, latency_bars)
    halved = reduced < np.minimum(closed, last + 1)
    share = np.where(halved, KEPT_WHEN_REDUCED, 1.0)
    for fill, given_up, happens in (
        (reduced, 1.0 - share, halved),
        (closed, share, closed <= last),
    ):
        at = np.where(happens, fill, entry)
        ratio = price[at] / price[entry]
        unpaid = labels["funding"].to_numpy() - side * (settled[at] - settled[entry])
        gain = side * (ratio - end) + unpaid - cost * (ratio - end)
        net += np.where(happens, given_up * gain, 0.0)
    return net


def _settled_until(market_frame: pd.DataFrame) -> np.ndarray:
    """All payments up to each row's open, (n_rows,), the gap before it included.

    The difference of two rows is what a position pays that enters and leaves at their opens.
    """
    payment = market_frame["funding_payment"].to_numpy()
    settled = np.concatenate(([0.0], np.cumsum(payment)))[: len(payment)]
    if "gap_payment" in market_frame.columns:
        settled += np.cumsum(market_frame["gap_payment"].to_numpy())
    return settled


def _fills(signals: np.ndarray, labels: pd.DataFrame, level: int, latency_bars: int) -> np.ndarray:
    """Row at whose open each position's first order of a level fills; far away if none does."""
    never = np.iinfo(np.int64).max // 2
    entry = labels["entry_row"].to_numpy(np.int64)
    last = labels["exit_row"].to_numpy(np.int64)
    side = labels["side"].to_numpy(np.int64)
    found = np.full(len(labels), never)
    for direction in (-1, 1):
        rows = np.flatnonzero(-direction * signals.astype(np.int64) >= level)
        next_row = np.append(rows, never)[np.searchsorted(rows, entry, side="left")]
        here = (side == direction) & (next_row + latency_bars <= last)
        found[here] = next_row[here] + latency_bars
    return found


def judge_management(
    labels: pd.DataFrame, managed: np.ndarray, *, taken: np.ndarray, confidence: float
) -> PositionManagement:
    """Keep the rule only where it raised net returns of the taken signals, paired.

    ``managed`` (n,) comes from :func:`managed_returns` on out-of-fold probabilities; signals
    not ``taken`` count as 0 either way.
    """
    plain = labels["net_return"].to_numpy(np.float64)
    gain = paired_gain(labels, np.where(taken, managed, 0.0), np.where(taken, plain, 0.0))
    kept = gain.mean > 0.0 and gain.p_value <= 1.0 - confidence
    shown = f"gain {gain.mean:.2e} a signal, p = {gain.p_value:.3f}"
    if not taken.any():
        return PositionManagement(False, gain, "hold to the barriers: no signal is taken")
    return PositionManagement(kept, gain, shown if kept else f"hold to the barriers: {shown}")
