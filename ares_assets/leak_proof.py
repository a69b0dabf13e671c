"""Proofs, on the stored results of a run, that no step saw what it may not see.

Belongs here: the bodies of the leak checks, as functions of artifacts: what was found, and
whether it is as it must be.  Does not belong here: Dagster (``checks.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ares_assets.stored import Stored
from ares_resources.storage.artifacts import Artifact

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_CUTS = 2
_REGIME_CUTS = 4


def cut_rows(market_data: Artifact, first: int, rows: int, cuts: int = _CUTS) -> list[int]:
    """Rows at which the future is cut away: drawn, not chosen, but the same for the same data."""
    import numpy as np

    stream = np.random.default_rng(int(market_data.sha256[:12], 16))
    return sorted(int(row) for row in stream.integers(first, rows, size=cuts))


def regimes_see_no_future(stored: Stored) -> tuple[bool, str]:
    """Regimes of truncated bars equal the truncated regimes."""
    from ares_assets.market.classification import decode

    frame = stored["market_data"].load()
    bundle = stored["market_regimes"].load()
    kept = bundle["regimes.parquet"]
    cuts = cut_rows(stored["market_data"], len(frame) // 2, len(frame), _REGIME_CUTS)
    for cut in cuts:
        again = decode(frame.iloc[:cut], bundle["model.json"], stored.settings.regimes)
        different = _first_difference(again, kept.iloc[:cut])
        if different is not None:
            return False, f"bars cut at row {cut} change the regimes: {different}"
    return True, f"equal at the cuts {cuts} of {len(frame)} rows"


def features_see_no_future(stored: Stored) -> tuple[bool, str]:
    """Features of truncated bars equal the stored ones at every event before the cut."""
    from ares_assets.analyst.features import compute_features
    from ares_assets.market.regimes.base import PROBABILITY_COLUMNS

    market, dataset = stored["market_data"], stored["analyst_dataset"].load()
    frame, events = market.load(), dataset["events.parquet"]
    rows = events["row"].to_numpy()
    cuts = cut_rows(market, int(rows[len(rows) // 2]) + 1, int(rows[-1]) + 1)
    for cut in cuts:
        before = rows < cut
        again = compute_features(
            frame.iloc[:cut],
            timeframe=market.metadata["timeframe"],
            settings=stored.settings.features,
        )
        kept = dataset["features.parquet"][before].drop(columns=list(PROBABILITY_COLUMNS))
        different = _first_difference(again.iloc[rows[before]][kept.columns], kept)
        if different is not None:
            return False, f"bars cut at row {cut} change the features: {different}"
    return True, f"equal at the cuts {cuts} of {len(frame)} rows"


def holdout_is_unseen(stored: Stored) -> tuple[bool, str]:
    """Every label of a role is known before the next role begins."""
    from ares_assets.market.roles import first_row, roles_of

    market, events = stored["market_data"], stored["analyst_dataset"].load()["events.parquet"]
    settings = stored.settings
    roles = roles_of(market.load(), market.metadata, settings.window, settings.labels.horizon_bars)
    for role, following in (("development", "calibration"), ("calibration", "holdout")):
        last = events.loc[events["role"] == role, "t1_row"].max()
        if last >= first_row(roles, following):
            return False, f"a {role} label ends at row {last}, inside {following}"
    others = sorted(set(events["role"]) - {"development", "calibration"})
    if others:
        return False, f"events of {others} are in the training data"
    return True, f"{len(events)} labels end before the role after theirs begins"


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
    """The bundle's signals on truncated bars equal the validated ones before the cut."""
    from ares_assets.release.served_model import ServedModel

    frame, where = stored["market_data"].load(), _where(stored)
    kept = stored["walk_forward_report"].load()["decisions.parquet"]
    served = ServedModel.from_files(stored["model_release"].load())
    cuts = cut_rows(stored["market_data"], where["first_row"] + 1, len(frame))
    for cut in cuts:
        before = kept[kept["row"] < cut].reset_index(drop=True)
        again = served.signals(frame.iloc[:cut], **where)
        if len(again) != len(before):
            return False, f"bars cut at row {cut}: {len(again)} signals instead of {len(before)}"
        different = _first_difference(again, before)
        if different is not None:
            return False, f"bars cut at row {cut} change the signals: {different}"
    return True, f"equal at the cuts {cuts} of {len(frame)} rows"


def _where(stored: Stored) -> dict[str, int]:
    metadata = stored["walk_forward_report"].metadata
    return {name: metadata[name] for name in ("first_row", "history_row")}


def _first_difference(again: pd.DataFrame, kept: pd.DataFrame) -> str | None:
    """The first value that differs, in words; NaN equals NaN."""
    import numpy as np

    for name in kept.columns:
        left, right = again[name].to_numpy(), kept[name].to_numpy()
        unequal = np.flatnonzero(~_same(left, right))
        if unequal.size:
            row = int(unequal[0])
            return f"column {name!r}, row {row}: {left[row]!r} instead of {right[row]!r}"
    return None


def _same(left: np.ndarray, right: np.ndarray) -> Any:
    import numpy as np

    if left.dtype.kind == "f":
        return (left == right) | (np.isnan(left) & np.isnan(right))
    return np.asarray(left == right)
