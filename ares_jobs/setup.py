"""Creating the homes once, before several processes use them.

Belongs here: what ``ares init`` does.  Does not belong here: installing packages.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ares_resources.home import Home
from ares_resources.storage.atomic import file_lock
from ares_resources.symbols import SymbolKey

if TYPE_CHECKING:
    import dagster as dg


@dataclass(frozen=True)
class Initialised:
    """What stands after initialising."""

    home: str
    dagster: str
    symbols: list[str]


def initialise(home: Home, symbols: list[str]) -> Initialised:
    """Create Ares' folders, Dagster's and MLflow's schemas, and register symbols.

    Several processes using an empty home at once leave half-made schemas; this opens it
    once, under a lock.

    Raises
    ------
    BadInput
        If a symbol key is not usable; nothing is made then.
    """
    keys = [SymbolKey.parse(text) for text in symbols]
    for key in keys:
        _check_known(key, home)
    home.create()
    with file_lock(home.locks / "init.lock"):
        registered = _open_dagster(home, keys)
        _open_mlflow(home)
    return Initialised(str(home.root), str(home.dagster), registered)


def _check_known(key: SymbolKey, home: Home) -> None:
    """Refuse a key that no training could use; an exchange's own list is not asked for here."""
    from ares_resources.exchanges.registry import SIMULATED, check_exchange, open_exchange
    from ares_resources.settings import DataSettings
    from ares_resources.storage.catalogue import Catalogue

    check_exchange(key.exchange, from_files=key in Catalogue(home.catalogue).symbols())
    if key.exchange == SIMULATED:
        open_exchange(SIMULATED, settings=DataSettings()).check_symbol(key.instrument)


@contextlib.contextmanager
def dagster_instance(home: Home) -> Iterator[dg.DagsterInstance]:
    """The home's Dagster instance, its schemas made under a lock if they are not there yet."""
    import dagster as dg

    from ares_assets.partitions import SYMBOLS
    from ares_jobs.kept_connections import keep_connections

    with contextlib.ExitStack() as stack:
        with file_lock(home.locks / "dagster.lock"):
            instance = dg.DagsterInstance.from_config(str(home.dagster))
            stack.enter_context(keep_connections(instance))
            instance.get_runs(limit=1)
            instance.all_instigator_state()
            instance.get_dynamic_partitions(SYMBOLS)
        stack.enter_context(instance)
        yield instance


def _open_dagster(home: Home, keys: list[SymbolKey]) -> list[str]:
    from ares_assets.partitions import SYMBOLS

    with dagster_instance(home) as instance:
        if keys:
            instance.add_dynamic_partitions(SYMBOLS, [str(key) for key in keys])
        return sorted(instance.get_dynamic_partitions(SYMBOLS))


def _open_mlflow(home: Home) -> None:
    from ares_resources.settings import load_settings
    from ares_resources.tracking import prepare_database

    prepare_database(home, load_settings().tracking.experiment)
