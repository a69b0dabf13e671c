"""Backtests that are never run twice.

Belongs here: results by data, parameters and engine version, in memory and on disk, and the
entry of every look into the trial ledger.  Does not belong here: running backtests
(``engine``), the files themselves (``entries``).
"""

from __future__ import annotations

import hashlib
import operator
import struct
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np

from ares_resources.backtesting.engine import Signals
from ares_resources.backtesting.entries import EntryFolder
from ares_resources.backtesting.ledger import Record, TrialLedger
from ares_resources.backtesting.market import MarketArrays
from ares_resources.backtesting.options import whole_number
from ares_resources.backtesting.results import ENGINE_VERSION, BacktestResult
from ares_resources.backtesting.strategy import StrategyParameters
from ares_resources.errors import BadInput
from ares_resources.hashing import arrays_fingerprint
from ares_resources.memory import register_cache

# total_return, sharpe, max_drawdown, turnover, trades, win_rate, bars, days
_ENTRY = struct.Struct("<ddddqdqq")
# The fields of StrategyParameters in their order.
_PARAMETERS = struct.Struct("<ddddqddqd")
in_order = operator.attrgetter(*StrategyParameters.__dataclass_fields__)

# Other processes see a use of a held result at most this late.
_SHARE_NS = 20_000_000

Parameters = StrategyParameters | Mapping[str, Any]
_Flat = tuple[float, ...]


class _Held:
    """A result in memory, with when it was used last and when other processes were told."""

    __slots__ = ("key", "result", "shared_ns", "used_ns")

    def __init__(self, key: bytes, result: BacktestResult, used_ns: int) -> None:
        self.key, self.result = key, result
        self.used_ns = self.shared_ns = used_ns


class CachedBacktester:
    """Backtests of one market and one signal, answered from the cache where they were run.

    Parameters
    ----------
    folder
        Where results rest; any number of processes and markets may share it.
    market, probability, size, management
        See :class:`ares_resources.backtesting.Signals`; hashed once, here.
    max_cache_size
        Entries kept, in the folder and in memory; the least recently used go first.  It bounds
        the folder for all who share it: whoever opens or writes it with a smaller number drops
        what is more, and says so.
    ledger, study
        Where each look is recorded: a computed result as ``complete``, one from the cache as
        ``cached``, one whose computing raised as ``failed``, one that was never finished as
        ``killed``.  A study must be named if there is a ledger.
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
        max_cache_size = whole_number("max_cache_size", max_cache_size, least=1)
        whole_number("threads", threads, least=1)
        if ledger is not None and not study:
            raise BadInput("a ledger needs the name of a study, not ''")
        self.signals = Signals(market, probability, size, management)
        self.data_fingerprint = market_fingerprint(self.signals)
        self.hits = self.misses = 0
        self._size = max_cache_size
        self._entries = (
            EntryFolder(folder, capacity=max_cache_size, payload_bytes=_ENTRY.size)
            if enabled
            else None
        )
        # Typed and flat: what is held here has been recorded in the ledger by this object.
        self._memory: OrderedDict[_Flat, _Held] = OrderedDict()
        self._ledger, self._study, self._threads = ledger, study, threads
        self._head = key_head(self.data_fingerprint)
        register_cache(self.clear_memory)

    @property
    def evictions(self) -> int:
        """Entries of the folder that this object removed."""
        return self._entries.evictions if self._entries else 0

    def generate_cache_key(self, parameters: Parameters) -> str:
        """The key of a result: data, parameters and engine version; the same everywhere."""
        return self._key(in_order(as_parameters(parameters))).hex()

    def evaluate(self, parameters: Parameters) -> BacktestResult:
        """One result, from the cache if it is there."""
        if type(parameters) is StrategyParameters:
            flat = in_order(parameters)
            memory = self._memory  # the memory watch may put an empty one in its place
            held = memory.get(flat)
            if held is not None:
                self.hits += 1
                memory.move_to_end(flat)
                held.used_ns = now = time.time_ns()
                if now - held.shared_ns > _SHARE_NS:
                    self._share(held)
                return held.result
            held = self._lookup(flat)
            if held is not None:
                self._record("cached", [held])
                self.hits += 1
                self._remember(flat, held)
                return held.result
        return self.evaluate_many([parameters])[0]

    def evaluate_many(self, parameters: Sequence[Parameters]) -> list[BacktestResult]:
        """Results in the order of the parameters; only those not in the cache are computed."""
        wanted = [in_order(as_parameters(one)) for one in parameters]
        memory = self._memory
        found = {flat: self._lookup(flat) for flat in dict.fromkeys(wanted)}
        cached = {flat: held for flat, held in found.items() if held is not None}
        missing = [flat for flat, held in found.items() if held is None]
        self._record("cached", [h for flat, h in cached.items() if flat not in memory])
        computed = self._compute(missing)
        self.misses += len(missing)
        self.hits += len(wanted) - len(missing)
        if self._entries is not None:
            for flat in found:
                self._remember(flat, cached.get(flat) or computed[flat])
        return [(cached.get(flat) or computed[flat]).result for flat in wanted]

    def clear_memory(self) -> None:
        """Forget what is held in memory (the folder keeps it); for the memory manager."""
        self._memory = OrderedDict()

    def statistics(self) -> dict[str, int]:
        """Hits, misses and evictions so far, for a step's metadata."""
        return {"hits": self.hits, "misses": self.misses, "evictions": self.evictions}

    def _key(self, flat: _Flat) -> bytes:
        return result_key(self._head, flat)

    def _lookup(self, flat: _Flat) -> _Held | None:
        held = self._memory.get(flat)
        if held is not None:
            held.used_ns = time.time_ns()
            if held.used_ns - held.shared_ns > _SHARE_NS:
                self._share(held)
            return held
        if self._entries is None:
            return None
        key = self._key(flat)
        payload = self._entries.read(key)
        if payload is None:
            return None
        return _Held(key, BacktestResult(*_ENTRY.unpack(payload)), time.time_ns())

    def _share(self, held: _Held) -> None:
        if self._entries is not None:
            self._entries.touch(held.key, held.used_ns)
        held.shared_ns = held.used_ns

    def _compute(self, missing: Sequence[_Flat]) -> dict[_Flat, _Held]:
        if not missing:
            return {}
        keys = [self._key(flat) for flat in missing]
        # Looked at from here on: whoever is killed before the result has looked all the same.
        self._record_unfinished("killed", keys)
        try:
            parameters = [StrategyParameters(*flat) for flat in missing]  # type: ignore[arg-type]
            results = self.signals.sweep(parameters, threads=self._threads).results()
        except Exception:
            self._record_unfinished("failed", keys)
            raise
        now = time.time_ns()
        made = [_Held(key, one, now) for key, one in zip(keys, results, strict=True)]
        self._record("complete", made)
        if self._entries is not None:
            uses = {h.key: h.used_ns for h in self._memory.values() if h.used_ns > h.shared_ns}
            self._entries.write_many(
                {held.key: _ENTRY.pack(*astuple(held.result)) for held in made}, uses
            )
        return dict(zip(missing, made, strict=True))

    def _remember(self, flat: _Flat, held: _Held) -> None:
        memory = self._memory
        memory[flat] = held
        memory.move_to_end(flat)
        while len(memory) > self._size:
            memory.popitem(last=False)

    def _record(self, state: str, looks: Sequence[_Held]) -> None:
        if self._ledger is None or not looks:
            return
        self._ledger.record(self._study, [ledger_entry(h.key, state, h.result) for h in looks])

    def _record_unfinished(self, state: str, keys: Sequence[bytes]) -> None:
        if self._ledger is not None:
            self._ledger.record(self._study, [(key.hex(), state, (), None) for key in keys])


def key_head(data_fingerprint: str) -> bytes:
    """What the keys of all results on the same data begin with."""
    return f"{ENGINE_VERSION}:{data_fingerprint}:".encode()


def result_key(head: bytes, flat: _Flat) -> bytes:
    """The key of a result, from the fields of its parameters in their order."""
    # A fixed layout after a fixed head: as collision-free as a nested key, and faster.
    # -0.0 equals 0.0 and has its key.
    return hashlib.sha256(head + _PARAMETERS.pack(*[value or 0 for value in flat])).digest()


def ledger_entry(key: bytes, state: str, result: BacktestResult) -> Record:
    """A result as the trial ledger takes it."""
    values = (result.sharpe, result.max_drawdown, result.turnover, float(result.trades))
    return key.hex(), state, values, result.sharpe


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
