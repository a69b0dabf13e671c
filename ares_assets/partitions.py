"""Symbol x regime: the one partitioning of all sixteen assets, and how a key is spelled.

Belongs here: the definition, parsing and validating of partition keys.
Does not belong here: which symbols are registered (the Dagster instance knows).
"""

from __future__ import annotations

import dagster as dg

from ares_resources.errors import BadInput
from ares_resources.symbols import SymbolKey

REGIMES = ("bull", "bear", "sideways")
SYMBOLS = "symbols"

symbol_partitions = dg.DynamicPartitionsDefinition(name=SYMBOLS)
regime_partitions = dg.StaticPartitionsDefinition(list(REGIMES))
# Dagster spells the key with its dimensions in alphabetical order: regime|symbol.
partitions = dg.MultiPartitionsDefinition(
    {"symbol": symbol_partitions, "regime": regime_partitions}
)


def check_regime(regime: str) -> str:
    """The regime, if it is one.

    Raises
    ------
    BadInput
        Naming the value and the allowed ones.
    """
    if regime not in REGIMES:
        raise BadInput(f"regime {regime!r} is not known; allowed: {', '.join(REGIMES)}")
    return regime


def parse_partition(key: str) -> tuple[str, SymbolKey]:
    """Read ``bull|ETHUSDT.SIM``; tags are not validated by Dagster, so this does.

    Raises
    ------
    BadInput
        If the key is not regime, bar, symbol, or either part is not allowed.
    """
    parts = key.split("|")
    if len(parts) != 2:
        raise BadInput(f"partition {key!r} is not REGIME|SYMBOL.EXCHANGE (bull|ETHUSDT.SIM)")
    return check_regime(parts[0]), SymbolKey.parse(parts[1])


def partition_key(regime: str, symbol: SymbolKey) -> str:
    """The inverse of :func:`parse_partition`."""
    return f"{regime}|{symbol}"


def partition_tags(regime: str, symbol: SymbolKey) -> dict[str, str]:
    """The three tags by which a run carries a partition."""
    return {
        "dagster/partition": partition_key(regime, symbol),
        "dagster/partition/regime": regime,
        "dagster/partition/symbol": str(symbol),
    }
