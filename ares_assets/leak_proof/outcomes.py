"""What a tactician learns from, under another future: nothing before it may change.

Belongs here: step 8's features, outcomes, targets and weights.  Does not belong here: the
analyst's side (``future.py``), and folds (``folds.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ares_assets.stored import Stored

if TYPE_CHECKING:
    import pandas as pd

    from ares_assets.leak_proof.differences import Pair
    from ares_assets.leak_proof.other_future import OtherBars

_SIGNAL_ROWS, _OUTCOME_ROWS = 2, 6
# Of signals whose outcome is known; of those decided; and of all, as only times may count.
_OUTCOMES = (
    *("side", "gross_return", "cost", "funding", "net_return", "take", "wait", "t1_row"),
    *("delayed_net_return", "adverse_excursion", "favourable_excursion", "holding_bars"),
    *("entry_row", "exit_row", "size_target"),
)
_DECIDED = ("probability", "move", "annual_volatility", "management")
_TIMED = ("settled_row", "weight")


def tactician_sees_no_future(stored: Stored) -> tuple[bool, str]:
    """What a tactician reads at a signal, and outcomes known by a row, need no bar after it.

    The signals themselves are the analyst's out-of-fold ones, which ``votes.py`` proves.
    Neither may a signal's weight depend on any outcome, nor an outcome on that of another signal.
    Catches a slower timeframe's bar that is joined before it closed, outcomes of earlier
    signals that count before they are settled, and outcomes that look past their end.
    """
    from ares_assets.leak_proof.differences import unchanged
    from ares_assets.leak_proof.evidence import role_ends
    from ares_assets.leak_proof.other_future import drawn_rows, other_bars

    content = stored["market_data"].sha256
    labels = stored["tactician_dataset"].load()["labels.parquet"]
    bars = stored["market_data"].load().iloc[: role_ends(stored)["development"]]
    decided = drawn_rows(content, labels["row"].to_numpy() + 1, _SIGNAL_ROWS)
    ended = drawn_rows(content, labels["t1_row"].to_numpy() + 1, _OUTCOME_ROWS)
    for rows, changed in ((decided, _changed_signals), (ended, _changed_outcomes)):
        for other in other_bars(bars, rows):
            fault = changed(stored, labels, other)
            if fault is not None:
                return False, f"{other.words} change what a tactician knows: {fault}"
    return True, unchanged(f"{len(labels)} signals", sorted({*decided, *ended}), len(bars))


def _changed_signals(stored: Stored, labels: pd.DataFrame, other: OtherBars) -> str | None:
    import numpy as np

    from ares_assets.leak_proof.differences import first_difference
    from ares_assets.leak_proof.evidence import signal_features_again

    dataset = stored["tactician_dataset"].load()
    rows, features = signal_features_again(stored, other.frame)
    held: np.ndarray = labels["row"].to_numpy()
    before = held[held < other.row]
    for timeframe, made in features.items():
        again = made.iloc[np.searchsorted(rows, before)]
        kept = dataset[f"features-{timeframe}.parquet"].iloc[: before.size]
        fault = first_difference(again, kept, before)
        if fault is not None:
            return f"features at {timeframe}: {fault}"
    return None


def _changed_outcomes(stored: Stored, labels: pd.DataFrame, other: OtherBars) -> str | None:
    from ares_assets.leak_proof.differences import known_before, unlike
    from ares_assets.leak_proof.evidence import outcomes_again

    again = outcomes_again(stored, other.frame)
    if other.cut:
        # Where bars end, a signal has no outcome before the longest holding has passed; the
        # missing ones neither weigh on the others nor manage their positions.
        there = labels[labels["row"].isin(again["row"])]
        return (
            unlike(*known_before(again, there, other.row), _OUTCOMES)
            or unlike(*_decided_before(again, there, other.row), _DECIDED)
            or unlike(again, there, ["settled_row"])
        )
    return (
        unlike(*known_before(again, labels, other.row), [*_OUTCOMES, "managed_return"])
        or unlike(*_decided_before(again, labels, other.row), _DECIDED)
        or unlike(again, labels, _TIMED)
    )


def _decided_before(again: pd.DataFrame, kept: pd.DataFrame, row: int) -> Pair:
    return again[again["row"] < row], kept[kept["row"] < row]
