"""Simulated flip markets with their hidden truth, for tests of regimes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ares_assets.market.bars import join_reference
from ares_assets.market.regimes import REGIMES
from ares_resources.exchanges.simulated import MarketRecipe, simulate
from ares_resources.exchanges.simulated.oracle import oracle_filter

NO_INTEREST = pd.DataFrame(
    {"timestamp": np.array([], np.int64), "open_interest": np.array([], np.float64)}
)


def flip_market(days: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Joined minutes, and the name of the true regime of each, (n,)."""
    market = simulate(MarketRecipe("flip"), seed=seed, minutes=days * 1440)
    frame = join_reference(market.bars(), market.funding(), NO_INTEREST, "1m")
    return frame, np.array(REGIMES, dtype=object)[market.regime]


def oracle_regimes(days: int, seed: int) -> np.ndarray:
    """The regime of each of the same minutes that is likeliest to one who knows the law, (n,)."""
    recipe = MarketRecipe("flip")
    market = simulate(recipe, seed=seed, minutes=days * 1440)
    belief = oracle_filter(recipe, market.bars(), market.funding()).probability
    return np.array(REGIMES, dtype=object)[belief.argmax(axis=1)]
