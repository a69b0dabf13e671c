"""Where the time of a training goes: each moment is charged to one account, the innermost.

Belongs here: timing the product's own functions from outside, without changing them.  Does not
belong here: which trainings are measured, and tables (``benchmarks.whole``).

Only the main thread is charged: a step that waits for its own threads waits inside the step.
"""

from __future__ import annotations

import functools
import importlib._bootstrap as bootstrap  # type: ignore[import-not-found]
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

STEPS, CHECKS = "steps", "checks"
IMPORTS, SQLITE, DAGSTER = "imports", "Dagster's SQLite", "Dagster"
STORE = "artifacts, bars, trials"
TRACKING, OWN = "MLflow", "the rest of Ares"
COMPUTE = (STEPS, CHECKS)
ACCOUNTS = (STEPS, CHECKS, IMPORTS, STORE, SQLITE, DAGSTER, TRACKING, OWN)


class Accounts:
    """Seconds and calls by account; a call inside another is taken off the outer one."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.processor: dict[str, float] = defaultdict(float)
        self.calls: dict[str, int] = defaultdict(int)
        self.parts: dict[str, float] = defaultdict(float)
        self._open: list[str] = []
        self._since = (0.0, 0.0)
        self._thread = threading.get_ident()

    def clear(self) -> None:
        """Begin anew."""
        for each in (self.seconds, self.processor, self.calls, self.parts):
            each.clear()  # type: ignore[attr-defined]

    def charged(self, function: Callable[..., Any], account: str, part: str = "") -> Any:
        """The function, its time charged to the account (and, whole, to the part of it)."""

        @functools.wraps(function)
        def timed(*arguments: Any, **named: Any) -> Any:
            if threading.get_ident() != self._thread:
                return function(*arguments, **named)
            begun = self._enter(account)
            try:
                return function(*arguments, **named)
            finally:
                self._leave(account, part, begun)

        return timed

    def charge(self, owner: Any, names: Iterable[str], account: str) -> None:
        """Replace functions of a class or module by timed ones."""
        for name in names:
            setattr(owner, name, self.charged(getattr(owner, name), account))

    def _enter(self, account: str) -> float:
        if self._open:
            self._settle(self._open[-1])
        self._since = (time.perf_counter(), time.process_time())
        self._open.append(account)
        return self._since[0]

    def _leave(self, account: str, part: str, begun: float) -> None:
        self._settle(self._open.pop())
        self._since = (time.perf_counter(), time.process_time())
        self.calls[account] += 1
        if part:
            self.parts[part] += self._since[0] - begun

    def _settle(self, account: str) -> None:
        self.seconds[account] += time.perf_counter() - self._since[0]
        self.processor[account] += time.process_time() - self._since[1]


def open_accounts() -> Accounts:
    """Accounts that the product's functions are charged to from now on, in this process."""
    accounts = Accounts()
    # Called for a module that is not loaded yet, and for no other.
    bootstrap._find_and_load = accounts.charged(bootstrap._find_and_load, IMPORTS)
    _charge_the_graph(accounts)
    _charge_storage(accounts)
    _charge_dagster(accounts)
    _charge_tracking(accounts)
    return accounts


def _charge_the_graph(accounts: Accounts) -> None:
    from ares_assets.check_list import CHECKS as CHECK_SPECS
    from ares_assets.steps import STEPS as STEP_SPECS

    for step in STEP_SPECS:
        timed = accounts.charged(step.function, STEPS, step.name)
        object.__setattr__(step, "function", timed)
    for check in CHECK_SPECS:
        timed = accounts.charged(check.body, CHECKS, f"check {check.name}")
        object.__setattr__(check, "body", timed)


def _charge_storage(accounts: Accounts) -> None:
    from ares_resources.storage import atomic, frame_cache, lossless_parquet, parquet_reading
    from ares_resources.storage.artifacts import Artifact, ArtifactStore
    from ares_resources.storage.catalogue import Catalogue
    from ares_resources.storage.gap_looks import GapLooks
    from ares_resources.storage.releases import ReleaseStore

    accounts.charge(Artifact, ("load", "verify"), STORE)
    for store in (ArtifactStore, Catalogue, GapLooks, ReleaseStore):
        accounts.charge(store, _methods(store), STORE)
    accounts.charge(lossless_parquet, ("write_table", "write_rows"), STORE)
    accounts.charge(parquet_reading, ("read_table", "read_rows", "read_frame"), STORE)
    cache = ("_longest", "_write_segment", "_write_manifest", "_bound")
    accounts.charge(frame_cache, cache, STORE)
    # Below all that others import by name, so that it is charged whoever calls.
    accounts.charge(atomic, ("_fsync", "write_with"), STORE)
    _charge_trials(accounts)


def _charge_trials(accounts: Accounts) -> None:
    """The ledger of trials, the cache of backtests, the journal of a search, and all locks."""
    import filelock

    from ares_resources.backtesting import ledger_held
    from ares_resources.backtesting.entries import EntryFolder
    from ares_resources.backtesting.ledger import TrialLedger
    from ares_resources.backtesting.search_journal import SearchJournal

    for store in (TrialLedger, EntryFolder, SearchJournal):
        accounts.charge(store, ("__init__", *_methods(store)), STORE)
    accounts.charge(EntryFolder, ("__len__",), STORE)
    accounts.charge(ledger_held._Idle, ("__init__", "close"), STORE)
    # What is told is how long a lock was waited for; its holder's work is somebody else's.
    accounts.charge(filelock.FileLock, ("acquire", "release"), STORE)


def _charge_dagster(accounts: Accounts) -> None:
    import dagster as dg
    from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
    from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
    from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import (
        SqliteScheduleStorage,
    )

    for storage in (SqliteEventLogStorage, SqliteRunStorage, SqliteScheduleStorage):
        accounts.charge(storage, _methods(storage), SQLITE)
    accounts.charge(dg.JobDefinition, ("execute_in_process",), DAGSTER)
    accounts.charge(dg.DagsterInstance, ("dispose",), DAGSTER)
    timed = accounts.charged(dg.DagsterInstance.from_config, DAGSTER)
    dg.DagsterInstance.from_config = staticmethod(timed)  # type: ignore[method-assign]


def _charge_tracking(accounts: Accounts) -> None:
    from ares_resources import tracking

    accounts.charge(tracking.Tracker, ("log_step", "log_parameters", "end"), TRACKING)
    accounts.charge(tracking, ("_start", "prepare_database", "register", "move_alias"), TRACKING)


def _methods(owner: type) -> list[str]:
    """Public methods, neither properties nor class methods nor context managers."""
    return [
        name
        for name, value in vars(owner).items()
        if not name.startswith("_")
        and callable(value)
        and not isinstance(value, type)
        and not hasattr(value, "__wrapped__")
    ]
