"""Regimes: bull, bear or sideways, per bar, with probabilities.

One file per algorithm over the interface of :mod:`.base`; :mod:`.hysteresis` turns
probabilities into decisions.  Does not belong here: rows, events, anything of a step.
"""

from ares_assets.market.regimes.base import PROBABILITY_COLUMNS, REGIMES
from ares_assets.market.regimes.hysteresis import decide
from ares_assets.market.regimes.registry import get_algorithm, load_model

__all__ = ["PROBABILITY_COLUMNS", "REGIMES", "decide", "get_algorithm", "load_model"]
