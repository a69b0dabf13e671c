"""Events and triple-barrier labels.

Belongs here: when a decision is taken, the volatility that scales its barriers, and its
label with the bar at which it is known.  Does not belong here: weights of overlapping labels,
costs (the tactician's), and the choice of rows by regime or role.

Source: López de Prado, Advances in Financial Machine Learning (2018), chapter 3.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ares_resources.errors import BadInput
from ares_resources.timeframes import grid_offset_ms

LABEL_COLUMNS = ("row", "t1_row", "label", "barrier", "gross_return")
BARRIERS = ("upper", "lower", "vertical")
_LOSSES = ("truncated", "no_volatility", "no_bar_in_horizon")


def volatility(close: NDArray[np.float64], halflife_bars: float) -> NDArray[np.float64]:
    """Exponentially weighted standard deviation of log returns, per bar; past bars only.

    A return over a gap of missing bars counts as one return.  NaN for the first half-life
    (and at least three bars), where the estimate would rest on too little.

    Parameters
    ----------
    close
        Closes, shape (n,), above 0.
    halflife_bars
        Half-life of the weights, bars.
    """
    returns = pd.Series(np.log(np.asarray(close, dtype=np.float64))).diff()
    needed = max(3, int(np.ceil(halflife_bars)))
    return returns.ewm(halflife=halflife_bars, min_periods=needed).std().to_numpy()


def sample_events(
    timestamps: NDArray[np.int64],
    rows: NDArray[np.int64],
    *,
    every_bars: int,
    timeframe_ms: int,
) -> NDArray[np.int64]:
    """Those of ``rows`` at whose close a decision is taken: every k-th bar of absolute time.

    A bar is chosen when its close is a whole multiple of ``every_bars`` bars on the grid, so
    the choice depends neither on where the window starts nor on other rows, and falls
    together with the closes of slower timeframes.  A chosen bar that is missing is not
    replaced by a neighbour.

    Returns
    -------
    Ascending rows, int64.
    """
    chosen = np.sort(np.asarray(rows, dtype=np.int64))
    closes = np.asarray(timestamps, dtype=np.int64)[chosen] + timeframe_ms
    since = closes - grid_offset_ms(timeframe_ms)
    return chosen[since % (every_bars * timeframe_ms) == 0]


def triple_barrier(
    market_frame: pd.DataFrame,
    event_rows: NDArray[np.int64],
    *,
    horizon_bars: int,
    upper_width: float,
    lower_width: float,
    volatility: NDArray[np.float64],
    timeframe_ms: int,
) -> pd.DataFrame:
    """Label each event by what a long position taken after it would have met first.

    The decision falls at the close of ``row``; entry is at the OPEN of the next bar present
    (one bar of latency).  Barriers stand at ``entry * (1 +/- width * volatility[row] *
    sqrt(horizon_bars))``.  A bar that opens beyond a barrier fills at its open; a bar that
    touches both has met the lower, adverse one.  The vertical barrier is the close of the bar
    that opens ``horizon_bars`` timeframes after ``row`` opened, so the horizon is counted in time
    also where bars are missing; where that bar itself is missing, it is the open of the first one
    after, as nobody could leave before.  Its label is the sign of the return (1 when above 0).

    Events without a label are left out; :func:`unlabelled` counts them by reason.  An event
    whose horizon passes the end of the data is left out even when a barrier was already
    touched: else only the quick ones among the last events would be kept.

    Parameters
    ----------
    market_frame
        Market frame of n rows.
    event_rows
        Rows of decisions, shape (m,).
    upper_width, lower_width
        Multiples of the horizon's expected volatility, above 0.
    volatility
        Standard deviation of one bar's log return, per row of the market frame, shape (n,).

    Returns
    -------
    Frame with ``row`` (int64), ``t1_row`` (int64, at whose close the label is known),
    ``label`` (int64, 1 or 0), ``barrier`` (one of :data:`BARRIERS`) and ``gross_return``
    (fraction of the entry price), in the order of ``event_rows``.

    Raises
    ------
    BadInput
        If a width or the horizon is not above 0, or a row is outside the frame.
    """
    rows = np.asarray(event_rows, dtype=np.int64)
    outcome, last_row, gross = _outcomes(
        market_frame,
        rows,
        horizon_bars=horizon_bars,
        widths=(upper_width, lower_width),
        volatility=volatility,
        timeframe_ms=timeframe_ms,
    )
    known = outcome < len(BARRIERS)
    outcome, gross = outcome[known], gross[known]
    label = np.where(outcome == 2, gross > 0, outcome == 0).astype(np.int64)
    barrier = np.array(BARRIERS, dtype=object)[outcome]
    columns = (rows[known], last_row[known], label, barrier, gross)
    return pd.DataFrame(dict(zip(LABEL_COLUMNS, columns, strict=True)))


def unlabelled(
    market_frame: pd.DataFrame,
    event_rows: NDArray[np.int64],
    *,
    horizon_bars: int,
    volatility: NDArray[np.float64],
    timeframe_ms: int,
) -> dict[str, int]:
    """How many events :func:`triple_barrier` leaves out, by reason (each event once)."""
    timestamp = market_frame["timestamp"].to_numpy()
    rows = np.asarray(event_rows, dtype=np.int64)
    _check_rows(rows, len(timestamp))
    deadline = timestamp[rows] + horizon_bars * timeframe_ms
    truncated = deadline > (timestamp[-1] if len(timestamp) else 0)
    flat = ~truncated & ~(np.asarray(volatility)[rows] > 0)
    following = timestamp[np.minimum(rows + 1, len(timestamp) - 1)]
    empty = ~truncated & ~flat & (following > deadline)
    counts = (int(part.sum()) for part in (truncated, flat, empty))
    return dict(zip(_LOSSES, counts, strict=True))


def _outcomes(
    market_frame: pd.DataFrame,
    rows: NDArray[np.int64],
    *,
    horizon_bars: int,
    widths: tuple[float, float],
    volatility: NDArray[np.float64],
    timeframe_ms: int,
) -> tuple[NDArray[np.int8], NDArray[np.int64], NDArray[np.float64]]:
    from ares_assets.analyst.labels_kernel import walk_barriers

    _check_rows(rows, len(market_frame))
    for name, value in (
        ("horizon_bars", horizon_bars),
        ("upper_width", widths[0]),
        ("lower_width", widths[1]),
    ):
        if not value > 0:
            raise BadInput(f"{name} = {value!r} must be above 0")
    opens, high, low, close = (
        np.ascontiguousarray(market_frame[name].to_numpy())
        for name in ("open", "high", "low", "close")
    )
    expected = np.asarray(volatility, dtype=np.float64)[rows] * np.sqrt(float(horizon_bars))
    return walk_barriers(
        market_frame["timestamp"].to_numpy(),
        opens,
        high,
        low,
        close,
        rows,
        widths[0] * expected,
        widths[1] * expected,
        horizon_bars * timeframe_ms,
    )


def _check_rows(rows: NDArray[np.int64], n: int) -> None:
    if len(rows) and not (rows.min() >= 0 and rows.max() < n):
        raise BadInput(f"event rows {rows.min()}..{rows.max()} must lie within 0..{n - 1}")
