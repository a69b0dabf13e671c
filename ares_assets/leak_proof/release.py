"""The released model: loaded anew it decides as it was validated, and never by later bars.

Belongs here: proofs on the bundle and its signals.  Does not belong here: what the model was
trained on (``future.py``, ``folds.py``).
"""

from __future__ import annotations

from ares_assets.stored import Stored

_SIGNAL_ROWS = 2


def bundle_reloads_identically(stored: Stored) -> tuple[bool, str]:
    """The released files, loaded anew, decide as the validated model did."""
    from ares_assets.release.verification import reload_difference

    walk, frame = stored["walk_forward_report"].load(), stored["market_data"].load()
    difference = reload_difference(
        stored["model_release"].load(),
        frame,
        walk["decisions.parquet"],
        **_where(stored),
    )
    if difference is not None:
        return False, difference
    return True, f"{len(walk['decisions.parquet'])} decisions are the same"


def signals_see_no_future(stored: Stored) -> tuple[bool, str]:
    """The bundle's signals before a row are the validated ones, whatever bars follow.

    Regimes, features, calibration, tactician and size are all made anew, as in serving.
    Catches a signal that waits for, or is sized by, a later bar.
    """
    from ares_assets.leak_proof.differences import first_difference, other_rows
    from ares_assets.leak_proof.other_future import drawn_rows, other_bars
    from ares_assets.release.served_model import ServedModel

    market, where = stored["market_data"], _where(stored)
    frame, kept = market.load(), stored["walk_forward_report"].load()["decisions.parquet"]
    if kept.empty:
        return True, "the validated model took no decision in the holdout"
    served = ServedModel.from_files(stored["model_release"].load())
    rows = drawn_rows(market.sha256, kept["row"].to_numpy() + 1, _SIGNAL_ROWS)
    for other in other_bars(frame, rows):
        again = served.signals(other.frame, **where)
        now, then = (p[p["row"] < other.row].reset_index(drop=True) for p in (again, kept))
        fault = other_rows(now["row"].to_numpy(), then["row"].to_numpy())
        fault = fault or first_difference(now, then, then["row"].to_numpy())
        if fault is not None:
            return False, f"{other.words} change the signals: {fault}"
    words = f"{len(kept)} signals stay the same when the bars from rows {rows} of {len(frame)} on"
    return True, f"{words} are cut or replaced"


def _where(stored: Stored) -> dict[str, int]:
    metadata = stored["walk_forward_report"].metadata
    return {name: metadata[name] for name in ("first_row", "history_row")}
