"""Backtests that are never run twice.

Belongs here: results by data, parameters and engine version, in memory and on disk, and the
entry of every look into the trial ledger.  Does not belong here: running backtests
(``engine``), the files themselves (``entries``).
"""

from __future__ import annotations

import hashlib
import operator
import struct
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np

from ares_resources.backtesting.engine import Signals
from ares_resources.backtesting.entries import EntryFolder
from ares_resources.backtesting.ledger import TrialLedger
from ares_resources.backtesting.market import MarketArrays
from ares_resources.backtesting.results import ENGINE_VERSION, BacktestResult
from ares_resources.backtesting.strategy import StrategyParameters
from ares_resources.errors import BadInput
from ares_resources.hashing import arrays_fingerprint

# total_return, sharpe, max_drawdown, turnover, trades, win_rate, bars, days
_ENTRY = struct.Struct("<ddddqdqq")
# The fields of StrategyParameters in their order.
_PARAMETERS = struct.Struct("<ddddqddqd")
_in_order = operator.attrgetter(*StrategyParameters.__dataclass_fields__)

Parameters = StrategyParameters | Mapping[str, Any]


class CachedBacktester:
    """Backtests of one market and one signal, answered from the cache where they were run.

    Parameters
    ----------
    folder
        Where results rest; any number of processes and markets may share it.
    market, probability, size, management
        See :class:`ares_resources.backtesting.Signals`; hashed once, here.
    max_cache_size
        Entries kept, in the folder and in memory; the least recently used go first.
    ledger, study
        Where each look is recorded: a computed result as ``complete``, one from the cache as
        ``cached``.  A study must be named if there is a ledger.
    threads
        Cores for what has to be computed; results do not depend on it.
    enabled
        False computes everything and stores nothing.

    Raises
    ------
    BadInput
        If the market or signals are unusable, or the size is below 1.
    """

    def __init__(
        self,
        folder: Path,
        *,
        market: MarketArrays,
        probability: np.ndarray,
        size: np.ndarray,
        max_cache_size: int,
        ledger: TrialLedger | None = None,
        study: str = "",
        threads: int = 2,
        enabled: bool = True,
        management: np.ndarray | None = None,
    ) -> None:
        if max_cache_size < 1:
            raise BadInput(f"max_cache_size {max_cache_size} must be at least 1")
        if ledger is not None and not study:
            raise BadInput("a ledger needs the name of a study, not ''")
        self.signals = Signals(market, probability, size, management)
        self.data_fingerprint = market_fingerprint(self.signals)
        self.hits = self.misses = 0
        self._size = max_cache_size
        self._entries = EntryFolder(folder, capacity=max_cache_size) if enabled else None
        self._memory: OrderedDict[str, BacktestResult] = OrderedDict()
        self._ledger, self._study, self._threads = ledger, study, threads

    @property
    def evictions(self) -> int:
        """Entries of the folder that this object removed."""
        return self._entries.evictions if self._entries else 0

    def generate_cache_key(self, parameters: Parameters) -> str:
        """The key of a result: data, parameters and engine version; the same everywhere."""
        # A fixed layout after a fixed head: as collision-free as a nested key, and faster.
        numbers = _PARAMETERS.pack(*_in_order(as_parameters(parameters)))
        head = f"{ENGINE_VERSION}:{self.data_fingerprint}:".encode()
        return hashlib.sha256(head + numbers).hexdigest()

    def evaluate(self, parameters: Parameters) -> BacktestResult:
        """One result, from the cache if it is there."""
        return self.evaluate_many([parameters])[0]

    def evaluate_many(self, parameters: Sequence[Parameters]) -> list[BacktestResult]:
        """Results in the order of the parameters; only those not in the cache are computed."""
        wanted = [as_parameters(one) for one in parameters]
        known = {one: self._lookup(one) for one in dict.fromkeys(wanted)}
        missing = [one for one, result in known.items() if result is None]
        results = self._compute(missing)
        self.misses += len(missing)
        self.hits += len(wanted) - len(missing)
        self._record(known, results)
        found = {**{one: result for one, result in known.items() if result}, **results}
        return [found[one] for one in wanted]

    def clear_memory(self) -> None:
        """Forget what is held in memory (the folder keeps it); for the memory manager."""
        self._memory.clear()

    def statistics(self) -> dict[str, int]:
        """Hits, misses and evictions so far, for a step's metadata."""
        return {"hits": self.hits, "misses": self.misses, "evictions": self.evictions}

    def _lookup(self, parameters: StrategyParameters) -> BacktestResult | None:
        if self._entries is None:
            return None
        key = self.generate_cache_key(parameters)
        result = self._memory.get(key)
        if result is not None:
            self._entries.touch(key)
        else:
            payload = self._entries.read(key)
            if payload is None or len(payload) != _ENTRY.size:
                return None
            result = BacktestResult(*_ENTRY.unpack(payload))
        self._remember(key, result)
        return result

    def _compute(
        self, missing: Sequence[StrategyParameters]
    ) -> dict[StrategyParameters, BacktestResult]:
        if not missing:
            return {}
        sweep = self.signals.sweep(missing, threads=self._threads)
        results = dict(zip(missing, sweep.results(), strict=True))
        if self._entries is not None:
            for parameters, result in results.items():
                key = self.generate_cache_key(parameters)
                self._entries.write(key, _ENTRY.pack(*astuple(result)))
                self._remember(key, result)
            self._entries.settle()
        return results

    def _remember(self, key: str, result: BacktestResult) -> None:
        self._memory[key] = result
        self._memory.move_to_end(key)
        while len(self._memory) > self._size:
            self._memory.popitem(last=False)

    def _record(
        self,
        known: Mapping[StrategyParameters, BacktestResult | None],
        computed: Mapping[StrategyParameters, BacktestResult],
    ) -> None:
        if self._ledger is None:
            return
        entries = []
        for parameters, cached in known.items():
            result = cached or computed[parameters]
            values = (result.sharpe, result.max_drawdown, result.turnover, float(result.trades))
            state = "cached" if cached else "complete"
            entries.append((self.generate_cache_key(parameters), state, values, result.sharpe))
        self._ledger.record(self._study, entries)


def as_parameters(parameters: Parameters) -> StrategyParameters:
    """Parameters given as a mapping by the names of the fields.

    Raises
    ------
    BadInput
        For a missing or unknown name, or a value that is not allowed.
    """
    if isinstance(parameters, StrategyParameters):
        return parameters
    try:
        return StrategyParameters(**parameters)
    except TypeError as error:
        names = ", ".join(StrategyParameters.__dataclass_fields__)
        raise BadInput(f"strategy parameters {dict(parameters)}: {error}; known: {names}") from None


def market_fingerprint(signals: Signals) -> str:
    """Fingerprint of bars, probability, size and management together."""
    columns = {"probability": signals.probability, "size": signals.size}
    if signals.management is not None:
        columns["management"] = signals.management
    own = arrays_fingerprint(columns)
    return f"{signals.market.fingerprint}{own}"
