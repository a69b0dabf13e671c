"""Does a bundle, loaded anew, decide as the model that was validated?

Belongs here: the comparison.  Does not belong here: loading files, and what follows from it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ares_assets.release.served_model import ServedModel

_COMPARED = (
    "row",
    "raw_probability",
    "probability",
    "side",
    "take_probability",
    "take",
    "wait",
    "size",
    "management",
    "prediction_set",
)


def reload_difference(
    files: Mapping[str, bytes],
    frame: pd.DataFrame,
    validated: pd.DataFrame,
    *,
    first_row: int,
    history_row: int,
) -> str | None:
    """The first decision that differs, in words; None where all are the same.

    Parameters
    ----------
    files
        The bundle, as it would be served.
    frame
        The market frame that the model was validated on: bars alone, so that regimes and
        features are made anew as well.
    validated
        The decisions of step 13.
    first_row, history_row
        The holdout's first row, and the one from which the model remembers its signals.
    """
    served = ServedModel.from_files(files)
    again = served.signals(frame, first_row=first_row, history_row=history_row)
    if len(again) != len(validated):
        return f"{len(again)} decisions instead of {len(validated)}"
    for name in _COMPARED:
        left, right = again[name].to_numpy(), validated[name].to_numpy()
        different = np.flatnonzero(left != right)
        if different.size:
            at = int(different[0])
            return f"{name} of decision {at}: {left[at]!r} instead of {right[at]!r}"
    return None
