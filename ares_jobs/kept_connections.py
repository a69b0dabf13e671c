"""Dagster's SQLite storage with connections that stay open while this process trains.

Belongs here: how this process talks to the databases of Dagster's home.  Does not belong here:
what is stored there, and the processes of ``ares ui``, which talk to them as Dagster does.

Dagster opens a connection for each of the some three thousand things that a run writes or asks.
Each time SQLAlchemy makes an engine anew, and closing the only connection to a database in WAL
mode copies the log back, flushes it twice and removes it: most of what a small run cost beside
its steps.  Here each database keeps one connection.

Its commits are not flushed one by one either (``synchronous=NORMAL``): in WAL mode that cannot
damage a database and a killed process loses nothing; if the machine itself stops, the last
events of the run may be gone from the UI.  What was trained does not depend on them: artifacts
and their pointers are flushed by themselves (``ares_resources/storage/atomic.py``), and a run
that is asked for again finds them.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg

TIMEOUT_SECONDS = 30
# Runs, the index of events, the events of the run at hand and those of no run.
MOST_DATABASES = 4


def keep_connections(instance: dg.DagsterInstance) -> contextlib.ExitStack:
    """Let an instance over SQLite keep its connections; closing the stack closes them."""
    from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
    from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage

    engines, stack = _Engines(), contextlib.ExitStack()
    stack.callback(engines.close)
    events, runs = instance.event_log_storage, instance.run_storage
    if isinstance(events, SqliteEventLogStorage):
        _keep_events(events, engines)
    if isinstance(runs, SqliteRunStorage):
        _keep_runs(runs, engines)
    return stack


class _Engines:
    """One engine a database, the least recently used closed when there are too many."""

    def __init__(self) -> None:
        self._engines: dict[str, Any] = {}
        self._lock = threading.Lock()

    def of(self, address: str) -> Any:
        """The engine of this address; connections that it gives out are used again."""
        with self._lock:
            engine = self._engines.pop(address, None) or _engine(address)
            self._engines[address] = engine
            while len(self._engines) > MOST_DATABASES:
                self._engines.pop(next(iter(self._engines))).dispose()
            return engine

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            while self._engines:
                self._engines.popitem()[1].dispose()


def _engine(address: str) -> Any:
    from sqlalchemy import create_engine, event
    from sqlalchemy.pool import QueuePool

    options = {"timeout": TIMEOUT_SECONDS, "check_same_thread": False}
    engine = create_engine(address, poolclass=QueuePool, connect_args=options)
    event.listen(engine, "connect", _relax)
    return engine


def _relax(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA synchronous=NORMAL")


def _keep_events(events: Any, engines: _Engines) -> None:
    """As its ``_connect`` does it, but for the engine."""

    @contextlib.contextmanager
    def connect(shard: str) -> Iterator[Any]:
        with events._db_lock:
            engine = engines.of(events.conn_string_for_shard(shard))
            if shard not in events._initialized_dbs:
                events._initdb(engine)
                events._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    events._connect = connect
    events.has_table = _remembering(events.has_table)


def _remembering(has_table: Callable[[str], bool]) -> Callable[[str], bool]:
    """Ask for a table until it is there; Dagster asks again for each event it writes."""
    there: set[str] = set()

    def remembered(name: str) -> bool:
        if name not in there and has_table(name):
            there.add(name)
        return name in there

    return remembered


def _keep_runs(runs: Any, engines: _Engines) -> None:
    @contextlib.contextmanager
    def connect() -> Iterator[Any]:
        with engines.of(runs._conn_string).connect() as connection, connection.begin():
            yield connection

    runs.connect = connect
