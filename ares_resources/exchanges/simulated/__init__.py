"""The embedded simulated exchange: markets whose law, hidden regimes and best forecast are known.

Belongs here: :mod:`.recipe` (constants), :mod:`.market` (a path), :mod:`.symbols` (which market
is which), :mod:`.exchange` (the interface) and :mod:`.oracle` (the truth).  Does not belong here:
anything that learns.
"""

from ares_resources.exchanges.simulated.exchange import SimulatedExchange
from ares_resources.exchanges.simulated.market import SimulatedMarket, simulate
from ares_resources.exchanges.simulated.recipe import MarketRecipe

__all__ = ["MarketRecipe", "SimulatedExchange", "SimulatedMarket", "simulate"]
