"""Creating the homes once, before several processes use them.

Belongs here: what ``ares init`` does.  Does not belong here: installing packages.
"""

from __future__ import annotations

from dataclasses import dataclass

from ares_resources.home import Home
from ares_resources.storage.atomic import file_lock
from ares_resources.symbols import SymbolKey


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
    home.create()
    with file_lock(home.locks / "init.lock"):
        registered = _open_dagster(home, keys)
        _open_mlflow(home)
    return Initialised(str(home.root), str(home.dagster), registered)


def _open_dagster(home: Home, keys: list[SymbolKey]) -> list[str]:
    import dagster as dg

    from ares_assets.partitions import SYMBOLS

    with dg.DagsterInstance.from_config(str(home.dagster)) as instance:
        instance.get_runs(limit=1)
        instance.all_instigator_state()
        if keys:
            instance.add_dynamic_partitions(SYMBOLS, [str(key) for key in keys])
        return sorted(instance.get_dynamic_partitions(SYMBOLS))


def _open_mlflow(home: Home) -> None:
    from ares_resources.settings import load_settings
    from ares_resources.tracking import prepare_database

    prepare_database(home, load_settings().tracking.experiment)
