"""The parameters of one backtest.

Belongs here: the point of the search, its checks, its form for the kernel.  Does not belong
here: what the parameters do (``kernel_reference``), their ranges (``search``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np

from ares_resources.errors import BadInput

_LARGEST_COUNT = 2**53
_COUNTS = ("time_stop_bars", "latency_bars")


@dataclass(frozen=True)
class StrategyParameters:
    """One point of the search of step 12.

    Parameters
    ----------
    enter_long, enter_short
        Probability at or above (below) which a long (short) is entered; the former must be
        larger.  ``inf`` and ``-inf`` switch a side off.
    stop_width, target_width
        Distance of stop and target from the entry bar's open, multiples of the ATR at the
        decision; ``inf`` switches it off.
    time_stop_bars
        Bars after which a position is closed at the close; the entry bar is the first.
    fee, slippage
        Fractions of notional (price) lost a side.
    latency_bars
        Rows from the decision bar to the bar at whose open the entry fills.
    size_multiple
        Factor on ``size``.
    """

    enter_long: float
    enter_short: float
    stop_width: float
    target_width: float
    time_stop_bars: int
    fee: float
    slippage: float
    latency_bars: int = 1
    size_multiple: float = 1.0

    def __post_init__(self) -> None:
        if not self.enter_long > self.enter_short:
            raise BadInput(
                f"enter_long {self.enter_long} must be above enter_short {self.enter_short}"
            )
        for name in ("stop_width", "target_width"):
            self._require(name, getattr(self, name) > 0, "above 0 (inf: none)")
        for name in _COUNTS:
            value = getattr(self, name)
            whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
            self._require(name, whole and 1 <= value <= _LARGEST_COUNT, "a whole number >= 1")
            object.__setattr__(self, name, int(value))
        for name in ("fee", "slippage"):
            self._require(name, 0 <= getattr(self, name) < 1, "in [0, 1)")
        self._require("size_multiple", 0 <= self.size_multiple < math.inf, "finite and >= 0")
        for field in fields(self):
            # One spelling of each number, so that equal parameters have equal keys.
            if field.name not in _COUNTS:
                object.__setattr__(self, field.name, float(getattr(self, field.name)))

    def _require(self, name: str, holds: bool, allowed: str) -> None:
        if not holds:
            raise BadInput(f"{name} {getattr(self, name)!r} must be {allowed}")


def parameter_matrix(parameters: Sequence[StrategyParameters]) -> np.ndarray:
    """float64 ``(sets, 9)``, columns in the order of the fields."""
    rows = np.array([astuple(one) for one in parameters], dtype=np.float64)
    return rows.reshape(len(parameters), len(fields(StrategyParameters)))
