"""Meta-labels: did acting on the analyst's signal pay, and would waiting have paid more?

Belongs here: turning out-of-fold probabilities into sides, outcomes net of latency, fees,
slippage and funding, and the two binary labels.  Does not belong here: the analyst's own
labels, features, models, and the loop itself (``meta_labels_kernel.py``).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ares_resources.errors import BadInput
from ares_resources.settings import CostSettings

PRICE_COLUMNS = ("open", "high", "low", "close")
PAYMENT_COLUMNS = ("funding_payment", "gap_payment")
LABEL_DTYPES: dict[str, str] = {
    "row": "int64",
    "t1_row": "int64",
    "side": "int64",
    "gross_return": "float64",
    "cost": "float64",
    "funding": "float64",
    "net_return": "float64",
    "take": "int64",
    "delayed_net_return": "float64",
    "wait": "int64",
    "adverse_excursion": "float64",
    "favourable_excursion": "float64",
    "holding_bars": "int64",
    "entry_row": "int64",
    "exit_row": "int64",
}


def side_cost(costs: CostSettings) -> float:
    """Fee plus slippage of one side, a fraction of the notional traded."""
    return (costs.fee_bp + costs.slippage_bp) * 1e-4


def side_of(probability: np.ndarray) -> np.ndarray:
    """+1 where the analyst's probability of a rise is at least 1/2, else -1; int64 (n,)."""
    return np.where(np.asarray(probability) >= 0.5, 1, -1).astype(np.int64)


def meta_labels(
    market_frame: pd.DataFrame,
    events: pd.DataFrame,
    probability: np.ndarray,
    *,
    upper_width: np.ndarray,
    lower_width: np.ndarray,
    horizon_bars: int,
    timeframe_ms: int,
    costs: CostSettings,
    delay_bars: int,
) -> pd.DataFrame:
    """What acting on each signal brought, and whether to take it or to wait.

    A signal is decided at the close of ``row``, filled at the open of ``row + latency_bars``
    and left at the first barrier (the adverse one where a bar touches both; a gap through a
    barrier fills at the open), at the latest at its deadline: the close of the bar that opens
    ``horizon_bars - 1`` bar lengths after the entry bar.  Where that bar is missing the
    position is left at the open of the next one, since nobody knew of the gap before.

    Parameters
    ----------
    market_frame
        Bars with ``timestamp, open, high, low, close, funding_payment``, and ``gap_payment``
        (without it nothing settled in a gap); missing bars absent.
    events
        ``row`` (strictly increasing) and ``t1_row`` of the analyst's events, (n_events,).
    probability
        The analyst's OUT-OF-FOLD probability of a rise, (n_events,); NaN where there is none.
    upper_width, lower_width
        Barriers above and below the entry price, fractions of it, (n_events,), positive.
    horizon_bars, timeframe_ms
        How long a position may be held, in bar lengths, and the length of one, milliseconds.
    delay_bars
        Bars that the alternative waits before it enters.
    costs
        Fees and slippage in basis points a side, latency in bars.

    Returns
    -------
    pandas.DataFrame
        One row an event with the columns of :data:`LABEL_DTYPES`.  Returns are fractions of
        the entry notional; ``net_return = gross_return - cost - funding``, where ``funding``
        is what was paid (longs pay positive rates).  A settlement inside the bar of a barrier
        exit counts only when it is against the position, one in a gap for what was held over it.
        ``t1_row`` is the last row that any
        of the labels looked at, the delayed variant's and the analyst's own included.
        ``attrs`` counts what was left out: ``dropped_without_probability`` and
        ``dropped_truncated`` (the longest holding would pass the end of the bars; judged by
        the window, not by the outcome, so that quick exits are not over-represented).

    Raises
    ------
    BadInput
        Misaligned inputs, unusable prices or widths, or a probability outside [0, 1].

    Source: Lopez de Prado, Advances in Financial Machine Learning, 3.6 (meta-labelling).
    """
    market = _market_arrays(market_frame)
    given = np.asarray(probability, dtype=np.float64)
    upper, lower = np.asarray(upper_width, float), np.asarray(lower_width, float)
    row = _checked_events(events, given, upper, lower, bars=len(market_frame))
    if horizon_bars < 1 or delay_bars < 1:
        raise BadInput(
            f"horizon_bars {horizon_bars} and delay_bars {delay_bars} must both be at least 1"
        )
    known = ~np.isnan(given)
    stamps = market_frame["timestamp"].to_numpy(np.int64)
    held_ms = (horizon_bars - 1) * timeframe_ms
    latest_entry = row + costs.latency_bars + delay_bars
    fits = latest_entry < stamps.size
    fits[fits] = stamps[latest_entry[fits]] + held_ms <= stamps[-1]
    keep = np.flatnonzero(known & fits)
    side = side_of(given[keep])
    frame = _label(
        market,
        stamps,
        row[keep],
        side,
        target_width=np.where(side > 0, upper[keep], lower[keep]),
        stop_width=np.where(side > 0, lower[keep], upper[keep]),
        held_ms=held_ms,
        costs=costs,
        delay_bars=delay_bars,
    )
    analyst_t1 = events["t1_row"].to_numpy(np.int64)[keep]
    frame["t1_row"] = np.maximum(frame["t1_row"].to_numpy(), analyst_t1)
    frame.attrs["dropped_without_probability"] = int((~known).sum())
    frame.attrs["dropped_truncated"] = int((known & ~fits).sum())
    return frame


def _label(
    market: tuple[np.ndarray, ...],
    stamps: np.ndarray,
    row: np.ndarray,
    side: np.ndarray,
    *,
    target_width: np.ndarray,
    stop_width: np.ndarray,
    held_ms: int,
    costs: CostSettings,
    delay_bars: int,
) -> pd.DataFrame:
    from ares_assets.tactician.meta_labels_kernel import act_on_signals

    bars = (market[0], market[1], market[2], market[3], market[4], market[5])
    rate = side_cost(costs)

    def act(entry: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        deadline = stamps[entry] + held_ms
        last = np.searchsorted(stamps, deadline, side="left")
        at_open = stamps[last] > deadline
        return act_on_signals(*bars, entry, side, target_width, stop_width, last, at_open, rate)

    entry_row = row + costs.latency_bars
    money, rows = act(entry_row)
    later_money, later_rows = act(entry_row + delay_bars)
    net = money[:, 0] - money[:, 1] - money[:, 2]
    delayed = later_money[:, 0] - later_money[:, 1] - later_money[:, 2]
    columns = {
        "row": row,
        "t1_row": np.maximum(rows[:, 0], later_rows[:, 0]),
        "side": side,
        "gross_return": money[:, 0],
        "cost": money[:, 1],
        "funding": money[:, 2],
        "net_return": net,
        "take": net > 0.0,
        "delayed_net_return": delayed,
        "wait": delayed > net,
        "adverse_excursion": money[:, 3],
        "favourable_excursion": money[:, 4],
        "holding_bars": rows[:, 1],
        "entry_row": entry_row,
        "exit_row": rows[:, 0],
    }
    return pd.DataFrame(columns).astype(LABEL_DTYPES)


def _market_arrays(market_frame: pd.DataFrame) -> tuple[np.ndarray, ...]:
    arrays = []
    if "gap_payment" not in market_frame.columns:
        market_frame = market_frame.assign(gap_payment=0.0)
    for name in (*PRICE_COLUMNS, *PAYMENT_COLUMNS):
        if name not in market_frame.columns:
            raise BadInput(f"market frame lacks the column {name!r}")
        values = np.ascontiguousarray(market_frame[name].to_numpy(np.float64))
        bad = ~np.isfinite(values) if name in PAYMENT_COLUMNS else ~(values > 0.0)
        bad |= np.isinf(values)
        if bad.any():
            first = int(np.argmax(bad))
            allowed = "finite" if name in PAYMENT_COLUMNS else "positive and finite"
            raise BadInput(f"{name} at row {first} is {values[first]!r}; it must be {allowed}")
        arrays.append(values)
    return tuple(arrays)


def _checked_events(
    events: pd.DataFrame,
    probability: np.ndarray,
    upper: np.ndarray,
    lower: np.ndarray,
    *,
    bars: int,
) -> np.ndarray:
    for name in ("row", "t1_row"):
        if name not in events.columns:
            raise BadInput(f"events lack the column {name!r}")
    row = events["row"].to_numpy(np.int64)
    for label, values in (("probability", probability), ("upper", upper), ("lower", lower)):
        if values.shape != row.shape:
            raise BadInput(f"{label} has shape {values.shape}; the events have {row.shape}")
    if row.size and (row[0] < 0 or row[-1] >= bars or np.any(np.diff(row) <= 0)):
        raise BadInput(f"event rows must increase strictly within 0..{bars - 1}")
    outside = (probability < 0.0) | (probability > 1.0)
    if outside.any():
        raise BadInput(f"probability {float(probability[outside][0])!r} is outside [0, 1]")
    known = ~np.isnan(probability)
    for label, values in (("upper", upper), ("lower", lower)):
        bad = known & ~(np.isfinite(values) & (values > 0.0))
        if bad.any():
            at = int(np.argmax(bad))
            raise BadInput(
                f"{label} width of the event at row {int(row[at])} is {float(values[at])!r}; "
                "it must be positive and finite"
            )
    return row
