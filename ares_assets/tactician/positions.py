"""Managing an open position: hold, reduce or exit as time passes and the signal changes.

Belongs here: the rule, its hysteresis, and what following it would have brought.  Does not
belong here: entries, barriers and sizes.

The rule.  After k of H bars, staying is expected to add

    change = side * (2 p - 1) * move * (1 - k / H)

to the net return compared with leaving now: p is the analyst's latest probability of a rise,
``move`` the typical absolute return over H bars, and a drift over H bars is earned evenly.
The exit itself costs the same now or later, so it does not enter.  With c the cost of one
side: the position is halved when change <= 0, closed for good when change <= -c (so that
leaving is worth a possible return), and a halved one is restored only when change >= +c.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from ares_assets.tactician.meta_labels import side_cost
from ares_assets.tactician.utility import PairedGain, paired_gain
from ares_resources.errors import BadInput
from ares_resources.settings import CostSettings

HOLD, REDUCE, EXIT = "hold", "reduce", "exit"
SHARES = {HOLD: 1.0, REDUCE: 0.5, EXIT: 0.0}


@dataclass(frozen=True)
class PositionManagement:
    """Whether managing positions is part of the tactician, and on what evidence."""

    kept: bool
    gain: PairedGain
    reason: str

    def to_json(self) -> dict[str, object]:
        """Plain values for metadata and the release."""
        return asdict(self)


def expected_change(
    side: np.ndarray,
    probability: np.ndarray,
    move: np.ndarray,
    elapsed_bars: np.ndarray,
    *,
    horizon_bars: int,
) -> np.ndarray:
    """What staying adds to the expected net return compared with leaving now, (n,)."""
    remaining = np.clip(1.0 - np.asarray(elapsed_bars, float) / horizon_bars, 0.0, 1.0)
    return side * (2.0 * np.asarray(probability) - 1.0) * move * remaining


def next_signal(current: str, change: float, *, cost: float) -> str:
    """The rule of this module for one position at one decision."""
    if current == EXIT or change <= -cost:
        return EXIT
    if current == REDUCE:
        return HOLD if change >= cost and change > 0.0 else REDUCE
    return REDUCE if change <= 0.0 else HOLD


def position_signals(
    labels: pd.DataFrame,
    probability: np.ndarray,
    move: np.ndarray,
    *,
    horizon_bars: int,
    costs: CostSettings,
) -> pd.DataFrame:
    """The rule applied at every decision inside every position.

    Parameters
    ----------
    labels
        ``side, entry_row, exit_row`` of the positions, (n_positions, ...).
    probability
        The analyst's probability of a rise at each bar's close, NaN where it gave none,
        (n_rows,).
    move
        Typical absolute return over the horizon at each position's decision, (n_positions,).

    Returns
    -------
    pandas.DataFrame
        ``position`` (its number), ``row`` (of the decision), ``elapsed_bars``,
        ``expected_change`` (fraction) and ``signal``; in order of position and row, ending
        with an exit or the last decision whose order could fill before the position ends.
    """
    if np.shape(move) != (len(labels),):
        raise BadInput(f"move has shape {np.shape(move)}; there are {len(labels)} positions")
    decided = np.flatnonzero(~np.isnan(probability))
    entry = labels["entry_row"].to_numpy(np.int64)
    last = labels["exit_row"].to_numpy(np.int64) - costs.latency_bars
    begin = np.searchsorted(decided, entry, side="left")
    count = np.maximum(np.searchsorted(decided, last, side="right") - begin, 0)
    position = np.repeat(np.arange(len(labels)), count)
    offset = np.arange(position.size) - np.repeat(np.cumsum(count) - count, count)
    row = decided[begin[position] + offset]
    elapsed = row - entry[position] + 1
    side = labels["side"].to_numpy(np.int64)[position]
    change = expected_change(
        side, probability[row], np.asarray(move)[position], elapsed, horizon_bars=horizon_bars
    )
    frame = pd.DataFrame(
        {"position": position, "row": row, "elapsed_bars": elapsed, "expected_change": change}
    )
    return _walk(frame, cost=side_cost(costs))


def _walk(frame: pd.DataFrame, *, cost: float) -> pd.DataFrame:
    signals: list[str] = []
    open_rows: list[bool] = []
    previous, current = -1, HOLD
    for position, change in zip(
        frame["position"].tolist(), frame["expected_change"].tolist(), strict=True
    ):
        if position != previous:
            previous, current = position, HOLD
        open_rows.append(current != EXIT)
        current = next_signal(current, change, cost=cost)
        signals.append(current)
    frame["signal"] = pd.Series(signals, dtype=object)
    return frame[np.array(open_rows, dtype=bool)].reset_index(drop=True)


def managed_returns(
    market_frame: pd.DataFrame,
    labels: pd.DataFrame,
    signals: pd.DataFrame,
    *,
    costs: CostSettings,
) -> np.ndarray:
    """Net return of each position when its signals are followed, (n_positions,).

    Orders fill at the open ``latency_bars`` after the decision; every change of size pays one
    side's cost on what is traded.  Without signals this is exactly ``net_return``.
    """
    price = market_frame["open"].to_numpy(np.float64)
    paid_before = np.concatenate(([0.0], np.cumsum(market_frame["funding_payment"].to_numpy())))
    net = labels["net_return"].to_numpy(np.float64).copy()
    entry = labels["entry_row"].to_numpy(np.int64)
    side = labels["side"].to_numpy(np.float64)
    funding = labels["funding"].to_numpy(np.float64)
    exit_ratio = 1.0 + side * labels["gross_return"].to_numpy(np.float64)
    position = signals["position"].to_numpy(np.int64)
    fill = signals["row"].to_numpy(np.int64) + costs.latency_bars
    share = signals["signal"].map(SHARES).to_numpy(np.float64)
    first = np.concatenate(([True], np.diff(position) != 0))[: position.size]
    given_up = np.where(first, 1.0, np.concatenate(([1.0], share[:-1]))[: share.size]) - share
    ratio = price[fill] / price[entry[position]]
    s, end = side[position], exit_ratio[position]
    unpaid = funding[position] - s * (paid_before[fill] - paid_before[entry[position]])
    trading = side_cost(costs) * (np.abs(given_up) * ratio - given_up * end)
    np.add.at(net, position, given_up * (s * (ratio - end) + unpaid) - trading)
    return net


def judge_management(
    labels: pd.DataFrame, managed: np.ndarray, *, taken: np.ndarray, confidence: float
) -> PositionManagement:
    """Keep the rule only where it raised net returns of the taken signals, paired, on time.

    ``managed`` (n,) comes from :func:`managed_returns` on out-of-fold probabilities; signals
    not ``taken`` count as 0 either way.
    """
    plain = labels["net_return"].to_numpy(np.float64)
    gain = paired_gain(labels, np.where(taken, managed, 0.0), np.where(taken, plain, 0.0))
    kept = gain.mean > 0.0 and gain.p_value <= 1.0 - confidence
    shown = f"gain {gain.mean:.2e} a signal, p = {gain.p_value:.3f}"
    return PositionManagement(kept, gain, shown if kept else f"hold to the barriers: {shown}")
