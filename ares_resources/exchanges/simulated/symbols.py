"""Which instrument of the simulated exchange is which market.

Belongs here: the list of markets, their recipes, and the spelling of instruments.  Does not
belong here: what a recipe means, and the clock.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ares_resources.errors import BadInput
from ares_resources.exchanges.simulated.recipe import CONSISTENT, FLIP, NOTHING, MarketRecipe

DRIFT_BREAK_MS = 1_700_006_400_000  # 2023-11-15T00:00:00Z

# Each with as many independent paths as there are seeds.  THIN has a true edge that is smaller
# than usual costs.  PLACEBO has the prices of NULL, and publishes the order flow, the funding and
# the open interest of another market beside them: features with structure and nothing to say.
LABORATORY = {
    "FLIP": MarketRecipe("flip", signal=FLIP),
    "CONSISTENT": MarketRecipe("consistent", signal=CONSISTENT),
    "NULL": MarketRecipe("null", signal=NOTHING, daily_drift=(0.0, 0.0, 0.0)),
    "DRIFT": MarketRecipe("drift", signal=FLIP, break_ms=DRIFT_BREAK_MS),
    "THIN": MarketRecipe("thin", signal=CONSISTENT, edge=0.25, daily_drift=(0.0, 0.0, 0.0)),
    "PLACEBO": MarketRecipe("placebo", signal=NOTHING, daily_drift=(0.0, 0.0, 0.0)),
}
FOREIGN = {"PLACEBO": LABORATORY["CONSISTENT"]}
# Paths of one seed share their draws, so what is published of another market is of another seed.
FOREIGN_SEED = 1_000_000
# Markets to try the product on: the same law with six tenths of the edge, one path each.  The
# seeds were chosen for a plausible price path with every regime in the last thirty days'
# development and holdout, and for nothing else: no result was looked at.
REALISTIC = {
    "ETHUSDT": (MarketRecipe("ether", signal=FLIP, edge=0.6, initial_price=730.0), 14),
    "BTCUSDT": (MarketRecipe("bitcoin", signal=CONSISTENT, edge=0.6, initial_price=29_000.0), 53),
}
DEFAULT_SEED = 0

_LABORATORY = re.compile(rf"({'|'.join(LABORATORY)})([1-9][0-9]{{0,5}})?USDT")
ALLOWED = (
    f"{', '.join(REALISTIC)}, {', '.join(f'{name}USDT' for name in LABORATORY)}, "
    f"the last {len(LABORATORY)} also with a seed from 1 to 999999 before USDT (FLIP7USDT)"
)


@dataclass(frozen=True)
class Listing:
    """One instrument: the law of its market and the seed of its path.

    ``foreign``: law of another market, whose taker-buy share, funding and open interest are
    published in place of its own; its seed is ``foreign_seed``.
    """

    instrument: str
    recipe: MarketRecipe
    seed: int
    foreign: MarketRecipe | None = None

    @property
    def foreign_seed(self) -> int:
        """Another path than that of any listing."""
        return self.seed + FOREIGN_SEED


def find_listing(instrument: str) -> Listing:
    """The market behind an instrument's name.

    Raises
    ------
    BadInput
        If no market has that name; the message lists those that are allowed.
    """
    if instrument in REALISTIC:
        recipe, seed = REALISTIC[instrument]
        return Listing(instrument, recipe, seed)
    match = _LABORATORY.fullmatch(instrument)
    if match is None:
        raise BadInput(f"symbol {instrument[:60]!r} is not traded on SIM; allowed: {ALLOWED}")
    name, seed = match[1], int(match[2] or DEFAULT_SEED)
    return Listing(instrument, LABORATORY[name], seed, FOREIGN.get(name))
