"""How good a series of bars is: what is missing, what cannot be true, how old its end is.

Belongs here: figures of a valid bars frame, and which of them pass what is tolerated.  Does
not belong here: the form of a frame (``bars.py``), repairing anything, Dagster.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ares_resources.settings import CheckSettings
from ares_resources.storage.frames import JUMP_LOG_RETURN, first_fault, recurring_jumps, utc
from ares_resources.storage.gap_ledger import gaps_between, ledger_frame
from ares_resources.timeframes import DAY_MS

_HOUR_MS = 3_600_000
_LEDGER_ROWS = 50
# A price is back where it was when it came back by nine tenths of its jump.
_CAME_BACK = 0.1


def gap_figures(timestamps: NDArray[np.int64], step_ms: int) -> dict[str, Any]:
    """What is missing between the first and the last bar.

    Parameters
    ----------
    timestamps
        Bar opens, ms UTC, ascending, shape (n,), n >= 1.
    step_ms
        Length of a bar, ms.

    Returns
    -------
    ``bars``, ``missing_bars``, ``missing_share`` (of the bars there should be), ``gaps``,
    ``longest_gap_bars``, ``longest_gap_hours``, ``longest_gap_start_ms`` (None without a gap)
    and ``ledger``, the 50 longest gaps in the order of time.
    """
    ledger = ledger_frame(gaps_between(timestamps, step_ms), step_ms)
    missing = int(ledger["missing_bars"].sum())
    longest = int(ledger["missing_bars"].max()) if len(ledger) else 0
    kept = ledger.nlargest(_LEDGER_ROWS, "missing_bars").sort_values("start_ms")
    worst = int(ledger["start_ms"].iloc[ledger["missing_bars"].argmax()]) if len(ledger) else None
    return {
        "bars": len(timestamps),
        "missing_bars": missing,
        "missing_share": missing / (len(timestamps) + missing),
        "gaps": len(ledger),
        "longest_gap_bars": longest,
        "longest_gap_hours": longest * step_ms / _HOUR_MS,
        "longest_gap_start_ms": worst,
        "ledger": kept.to_dict("records"),
    }


def gap_faults(figures: dict[str, Any], tolerated: CheckSettings) -> list[str]:
    """Which figures of :func:`gap_figures` pass what is tolerated, each in words."""
    faults = []
    if figures["missing_share"] > tolerated.maximum_missing_share:
        faults.append(
            f"{figures['missing_share']:.2%} of the bars are missing "
            f"(checks.maximum_missing_share: {tolerated.maximum_missing_share:.2%})"
        )
    # A gap of one bar is the least there can be, also where a bar is a day.
    longest = figures["longest_gap_hours"]
    if longest > tolerated.maximum_gap_hours and figures["longest_gap_bars"] > 1:
        faults.append(
            f"a gap of {longest:.1f} hours from {utc(figures['longest_gap_start_ms'])} "
            f"(checks.maximum_gap_hours: {tolerated.maximum_gap_hours:g})"
        )
    return faults


def plausibility_figures(frame: pd.DataFrame, step_ms: int, end_ms: int) -> dict[str, Any]:
    """What a market hardly does: jumps, prices that come straight back, stretches without life.

    Parameters
    ----------
    frame
        Valid bars, n >= 1 rows.
    step_ms, end_ms
        Length of a bar and the close of the last one that may be there, ms.

    Returns
    -------
    ``impossible``: the first row that cannot be true, in words, or "".  ``largest_move``: of
    neighbouring closes, fraction.  ``jumps``: bars that leap by a log return above 0.5, where
    such recur, with ``first_jump_ms``.  ``spikes``: closes that leap so far and are back one
    bar later, with ``first_spike_ms``.  ``zero_volume_share``.  ``longest_flat_hours``: longest
    stretch of bars that all stand at one price, with ``longest_flat_start_ms``.  ``never_moves``:
    whether that stretch is the whole frame.
    """
    stamps, close = frame["timestamp"].to_numpy(), frame["close"].to_numpy()
    fault = first_fault(frame, "bars", step_ms=step_ms, now_ms=end_ms - DAY_MS - step_ms)
    jumps, first_jump = recurring_jumps(frame, step_ms)
    spikes = _spikes(close)
    flat_bars, flat_row = _longest_flat(frame)
    move = float(np.abs(np.expm1(np.diff(np.log(close)))).max()) if len(close) > 1 else 0.0
    return {
        "impossible": "" if fault is None else str(fault),
        "largest_move": move,
        "jumps": jumps,
        "first_jump_ms": first_jump if jumps else None,
        "spikes": len(spikes),
        "first_spike_ms": int(stamps[spikes[0]]) if len(spikes) else None,
        "zero_volume_share": float((frame["volume"].to_numpy() == 0).mean()),
        "longest_flat_hours": flat_bars * step_ms / _HOUR_MS,
        "longest_flat_start_ms": int(stamps[flat_row]) if flat_bars else None,
        "never_moves": never_moves(frame),
    }


def plausibility_faults(figures: dict[str, Any], tolerated: CheckSettings) -> list[str]:
    """Which figures of :func:`plausibility_figures` pass what is tolerated, each in words.

    Stand-stills and bars without a trade are faults among bars that move, for a model would be
    trained on them.  Where no bar moves none can be: step 2 skips the partition, and says why.
    """
    faults = []
    if figures["impossible"]:
        faults.append(figures["impossible"])
    if figures["jumps"]:
        faults.append(
            "bars that leap by more than 65 % up or 39 % down, as those of a test network or of "
            f"two mixed series do: {figures['jumps']}, the first at {utc(figures['first_jump_ms'])}"
        )
    if figures["spikes"] > tolerated.maximum_price_spikes:
        faults.append(
            f"leaps of the price that the next bar undoes: {figures['spikes']}, the first at "
            f"{utc(figures['first_spike_ms'])} "
            f"(checks.maximum_price_spikes: {tolerated.maximum_price_spikes})"
        )
    if figures["never_moves"]:
        return faults
    if figures["zero_volume_share"] > tolerated.maximum_zero_volume_share:
        faults.append(
            f"nothing was traded in {figures['zero_volume_share']:.1%} of the bars "
            f"(checks.maximum_zero_volume_share: {tolerated.maximum_zero_volume_share:.0%})"
        )
    if figures["longest_flat_hours"] > tolerated.maximum_flat_hours:
        faults.append(
            f"the price stands still for {figures['longest_flat_hours']:.1f} hours from "
            f"{utc(figures['longest_flat_start_ms'])} "
            f"(checks.maximum_flat_hours: {tolerated.maximum_flat_hours:g})"
        )
    return faults


def never_moves(frame: pd.DataFrame) -> bool:
    """Whether every bar, n >= 2, stands at one and the same price."""
    return len(frame) > 1 and bool(frame["high"].max() == frame["low"].min())


def _spikes(close: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rows whose close leaps by more than ``JUMP_LOG_RETURN`` and is undone by the next one."""
    returns = np.diff(np.log(close))
    there, back = returns[:-1], returns[1:]
    undone = np.abs(there + back) < _CAME_BACK * np.abs(there)
    return np.flatnonzero((np.abs(there) > JUMP_LOG_RETURN) & undone) + 1


def _longest_flat(frame: pd.DataFrame) -> tuple[int, int]:
    """Length of the longest run of bars at one single price, and its first row; (0, 0) if none.

    One bar without a range is no stretch: the next one must stand at the same price.
    """
    high, low = frame["high"].to_numpy(), frame["low"].to_numpy()
    still = (high == low)[1:] & (high == low)[:-1] & (high[1:] == high[:-1])
    edges = np.flatnonzero(np.diff(np.concatenate([[False], still, [False]]).astype(np.int8)))
    if not len(edges):
        return 0, 0
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    longest = int(lengths.argmax())
    return int(lengths[longest]) + 1, int(starts[longest])
