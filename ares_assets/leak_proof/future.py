"""The future is cut away, and replaced by another one: nothing before it may change.

Belongs here: regimes, features, labels, weights.  Does not belong here: what the tactician
learns from (``outcomes.py``), the released model (``release.py``), and how bars get another
future (``other_future.py``).

The row from which on the bars differ is drawn right behind an event (its decision bar, or the
bar at which its label is known), since code that reads one bar ahead gives itself away nowhere
else.  A leak that shows on few rows only may pass a run; ``tests/leaks`` tries many rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ares_assets.stored import Stored

if TYPE_CHECKING:
    import pandas as pd


_FEATURE_ROWS = 2
_REGIME_ROWS = 3
_LABEL_ROWS = {"development": 5, "calibration": 3}
_LABELS = ("timestamp", "t1_row", "label", "barrier", "gross_return", "volatility")
# Of all events: only times may count.
_BY_TIME = ("last_row", "uniqueness")


def regimes_see_no_future(stored: Stored) -> tuple[bool, str]:
    """Regimes and their probabilities before a row are the same without the bars after it.

    Catches smoothing (probabilities that use both sides), and names that hindsight corrects.
    """
    import numpy as np

    from ares_assets.leak_proof.differences import first_difference, unchanged
    from ares_assets.leak_proof.evidence import regimes_again
    from ares_assets.leak_proof.other_future import drawn_rows, other_bars

    market = stored["market_data"]
    frame, kept = market.load(), stored["market_regimes"].load()["regimes.parquet"]
    candidates = np.arange(len(frame) // 4, len(frame))
    rows = drawn_rows(market.sha256, candidates, _REGIME_ROWS)
    for other in other_bars(frame, rows):
        again, before = regimes_again(stored, other.frame), kept.iloc[: other.row]
        different = first_difference(again.iloc[: other.row], before, np.arange(other.row))
        if different is not None:
            return False, f"{other.words} change the regimes: {different}"
    return True, unchanged("regimes", rows, len(frame))


def features_see_no_future(stored: Stored) -> tuple[bool, str]:
    """Features of every event before a row are the same without the bars after it.

    Catches later bars in a feature, centred windows, scaling by all bars, and a slower
    timeframe's bar that is joined before it closed.
    """
    from ares_assets.leak_proof.differences import first_difference, unchanged
    from ares_assets.leak_proof.evidence import events_of, features_again
    from ares_assets.leak_proof.other_future import drawn_rows, other_bars

    market = stored["market_data"]
    frame, event_rows = market.load(), events_of(stored)["row"].to_numpy()
    kept = stored["analyst_dataset"].load()["features.parquet"]
    rows = drawn_rows(market.sha256, event_rows + 1, _FEATURE_ROWS)
    for other in other_bars(frame, rows):
        before = event_rows < other.row
        again = features_again(stored, other.frame)
        different = first_difference(
            again.iloc[event_rows[before]], kept[before], event_rows[before]
        )
        if different is not None:
            return False, f"{other.words} change the features: {different}"
    return True, unchanged(f"{len(kept.columns)} features", rows, len(frame))


def labels_see_no_future(stored: Stored) -> tuple[bool, str]:
    """Labels that are known by a row, and what they weigh, do not depend on the bars after it.

    First each role is labelled anew from its own bars: weights that were scaled by later roles
    are not the same, and every decision must be there whose horizon has passed, since leaving
    some out by how they ended is a look ahead, too.  Then the bars differ from the row on after
    some event's label is known: every event known before it keeps label, end, barrier, return,
    volatility, and no other becomes known, and EVERY event keeps its weight, since times are the
    same; where the bars are cut away, exactly the events stay whose horizon had passed.  Catches
    labels that look past their own end, and weights that depend on how labels ended.
    """
    from ares_assets.leak_proof.differences import unchanged
    from ares_assets.leak_proof.evidence import events_of, relabelled, role_ends

    market, events = stored["market_data"], events_of(stored)
    frame, tried = market.load(), list[int]()
    for role, end in role_ends(stored).items():
        kept = events[events["role"] == role].reset_index(drop=True)
        if kept.empty:
            continue
        bars = frame.iloc[:end]
        fault = _left_out(stored, role, bars, len(kept))
        if fault is None:
            fault = _made_otherwise(relabelled(stored, role, bars), kept)
        if fault is None:
            fault = _changed_labels(stored, role, bars, kept, tried)
        if fault is not None:
            return False, f"{role}: {fault}"
    return True, unchanged(f"{len(events)} labels and weights", tried, len(frame))


def _left_out(stored: Stored, role: str, bars: pd.DataFrame, held: int) -> str | None:
    from ares_assets.leak_proof.evidence import labelled_count

    expected = labelled_count(stored, role, bars)
    if held == expected:
        return None
    return f"{held} events, but {expected} decisions have a label by the end of their role's bars"


def _made_otherwise(again: pd.DataFrame, kept: pd.DataFrame) -> str | None:
    from ares_assets.leak_proof.differences import first_difference, other_rows

    rows = kept["row"].to_numpy()
    fault = other_rows(again["row"].to_numpy(), rows)
    if fault is None:
        fault = first_difference(again, kept, rows, [*_LABELS, *_BY_TIME])
    return fault and f"labelled from the role's bars alone, the events are others: {fault}"


def _changed_labels(
    stored: Stored, role: str, bars: pd.DataFrame, kept: pd.DataFrame, tried: list[int]
) -> str | None:
    from ares_assets.leak_proof.differences import known_before, unlike
    from ares_assets.leak_proof.evidence import relabelled
    from ares_assets.leak_proof.other_future import drawn_rows, other_bars

    candidates = kept["t1_row"].to_numpy() + 1
    rows = drawn_rows(stored["market_data"].sha256, candidates, _LABEL_ROWS[role])
    tried += rows
    for other in other_bars(bars, rows):
        again = relabelled(stored, role, other.frame)
        if other.cut:
            fault = _cut_labels(stored, bars, kept, again, other.row)
        else:
            fault = unlike(*known_before(again, kept, other.row), _LABELS)
            fault = fault or _weighed_otherwise(stored, again, kept)
        if fault is not None:
            return f"{other.words} change what was known before: {fault}"
    return None


def _weighed_otherwise(stored: Stored, again: pd.DataFrame, kept: pd.DataFrame) -> str | None:
    """Weights under another future with the same times: of all events, before and after.

    They may depend on when labels are at work, never on how they ended.
    """
    from ares_assets.leak_proof.differences import first_difference

    unlike = sorted(set(kept["timestamp"]) ^ set(again["timestamp"]))
    if unlike:
        # Where a price stood still there is no label, and labels weigh on their neighbours.
        kept, again = _over_before(stored, unlike[0], kept, again)
    return first_difference(again, kept, kept["row"].to_numpy(), _BY_TIME)


def _over_before(stored: Stored, timestamp: int, *parts: pd.DataFrame) -> list[pd.DataFrame]:
    """The events whose window is over before one that is decided at this time is at work."""
    from ares_resources.timeframes import timeframe_ms

    step = timeframe_ms(stored["market_data"].metadata["timeframe"])
    latest = timestamp - stored.settings.labels.horizon_bars * step
    return [part[part["timestamp"] <= latest] for part in parts]


def _cut_labels(
    stored: Stored, bars: pd.DataFrame, kept: pd.DataFrame, again: pd.DataFrame, cut: int
) -> str | None:
    """Where bars end, exactly the events whose horizon has passed are labelled, as before."""
    from ares_assets.leak_proof.differences import unlike
    from ares_resources.timeframes import timeframe_ms

    step = timeframe_ms(stored["market_data"].metadata["timeframe"])
    stamps, horizon = bars["timestamp"].to_numpy(), stored.settings.labels.horizon_bars
    passed = kept["timestamp"].to_numpy() + horizon * step <= stamps[cut - 1]
    fault = unlike(again, kept[passed], [*_LABELS, "last_row"])
    if fault is not None or passed.all():
        return fault
    # A window that is over before the first lost event is entered overlaps none that is lost.
    first = int(kept["timestamp"].to_numpy()[~passed][0])
    then, now = _over_before(stored, first, kept[passed], again)
    return unlike(now, then, ["uniqueness"])
