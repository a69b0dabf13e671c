"""What a regime algorithm is, and what all of them share.

Belongs here: the interface, the names of regimes, the check of rows to fit on, and what several
algorithms would otherwise repeat.  Does not belong here: any algorithm.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ares_resources.errors import BadInput
from ares_resources.settings import RegimeSettings

REGIMES = ("bull", "bear", "sideways")
PROBABILITY_COLUMNS = ("p_bull", "p_bear", "p_sideways")
STATES = len(REGIMES)
Triple = tuple[float, float, float]  # one number a state


class RegimeModel(Protocol):
    """A fitted algorithm.  It is plain numbers, so it can be stored as JSON."""

    @property
    def algorithm(self) -> str:
        """Name of the algorithm that fitted it."""
        ...

    def probabilities(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Filtered probability of each regime at each bar's close, shape (n, 3).

        Row i uses bars 0..i only.  Columns :data:`PROBABILITY_COLUMNS`; rows sum to 1; no NaN.
        """
        ...

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form; the registry's ``load_model`` reads it back to an equal model."""
        ...


class RegimeAlgorithm(Protocol):
    """Learns a :class:`RegimeModel` from past bars."""

    name: str

    def fewest_bars(self, settings: RegimeSettings) -> int:
        """Bars without which :meth:`fit` refuses."""
        ...

    def fit(
        self,
        frame: pd.DataFrame,
        *,
        fit_rows: NDArray[np.bool_] | NDArray[np.int64] | slice,
        timeframe_ms: int,
        settings: RegimeSettings,
        seed: int,
    ) -> RegimeModel:
        """Fit on ``fit_rows`` of a market frame; earlier rows only warm averages up.

        Rows after the last of ``fit_rows`` are never read.
        """
        ...


class OnVolatility:
    """What the algorithms that tell regimes apart by volatility need: 20 of its half-lives."""

    def fewest_bars(self, settings: RegimeSettings) -> int:
        """See :class:`RegimeAlgorithm`."""
        return int(20 * settings.volatility_halflife_bars) + 1


def rows_to_fit(
    frame: pd.DataFrame,
    fit_rows: NDArray[np.bool_] | NDArray[np.int64] | slice,
    *,
    least: int,
) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """The frame up to the last row to fit on, and the rows as ascending numbers.

    Raises
    ------
    BadInput
        If there are fewer than ``least`` rows.
    """
    rows = np.sort(np.arange(len(frame))[fit_rows])
    if len(rows) < least:
        raise BadInput(f"regimes: {len(rows)} bars to fit on; at least {least} are needed")
    return frame.iloc[: rows[-1] + 1], rows


def as_frame(probabilities: NDArray[np.float64]) -> pd.DataFrame:
    """The (n, 3) array, ordered like :data:`REGIMES`, as a frame."""
    return pd.DataFrame(probabilities, columns=list(PROBABILITY_COLUMNS))


def triple(values: NDArray[np.float64]) -> Triple:
    """The array of three as plain floats, which JSON can hold."""
    first, second, third = (float(value) for value in values)
    return first, second, third
