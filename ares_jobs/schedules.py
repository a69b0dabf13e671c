"""The schedule: every ``enhanced_training_interval``, train the symbols that have new bars.

Belongs here: which registered symbol is due, and the run requests.  Does not belong here: what
a training does, and files that are dropped (``sensors.py``).

The schedule ticks each minute and asks for a symbol's runs when none of them is unfinished, the
interval has passed since the latest began, and a bar has closed since the window of the last
training.  ``ARES_SCHEDULE_CONFIG`` may name a YAML file of settings: its interval, mode and
everything else then hold for scheduled trainings.
"""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from ares_assets.partitions import REGIMES, SYMBOLS, partition_tags
from ares_jobs.jobs import JOBS
from ares_jobs.training_window import check_window
from ares_resources.dagster_resources import AS_OF_TAG, CONFIG_TAG, MODE_TAG, OFFLINE_TAG
from ares_resources.errors import BadInput, ExchangeUnavailable
from ares_resources.home import Home
from ares_resources.settings import Settings, load_settings
from ares_resources.symbols import SymbolKey
from ares_resources.timeframes import grid_floor, timeframe_ms

CONFIG_VARIABLE = "ARES_SCHEDULE_CONFIG"
_SYMBOL_TAG = "dagster/partition/symbol"
_TICK_SECONDS = 60
_BUDGET_SECONDS = 40.0
_FIRST_LOOK_BARS = 500
# A look at the exchange happens inside a tick, which Dagster cuts off after a minute.
_BRIEFLY = {"request_timeout_seconds": 5.0, "deadline_seconds": 10.0, "max_retries": 1}


@dataclass(frozen=True)
class NewBars:
    """Bars that no training has seen: up to where, and whether the exchange has to be asked.

    ``as_of_ms`` is None where the exchange's own clock decides (SIM).
    """

    as_of_ms: int | None
    offline: bool


@dg.schedule(
    name="enhanced_training_schedule",
    cron_schedule="* * * * *",
    job=JOBS["full"],
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description=(
        "Trains every registered symbol that has new bars, each enhanced_training_interval "
        f"(3600 s). Settings of another file: {CONFIG_VARIABLE}. Stopped until you start it."
    ),
)
def enhanced_training_schedule(
    context: dg.ScheduleEvaluationContext,
) -> list[dg.RunRequest] | dg.SkipReason:
    """One tick: the run requests of the symbols that are due, or why there are none."""
    tree = _configured()
    settings, home = load_settings(tree), Home.find()
    check_window(settings)
    names = _rotated(context.instance.get_dynamic_partitions(SYMBOLS))
    now, deadline = context.scheduled_execution_time.timestamp(), time.monotonic() + _BUDGET_SECONDS
    requests, reasons = [], []
    for name in names:
        reason = _waits(context.instance, name, settings, now)
        if reason is None and time.monotonic() > deadline:
            reason = "left for the next minute"
        found = new_bars(name, settings, home) if reason is None else reason
        if isinstance(found, NewBars):
            requests += _requests(SymbolKey.parse(name), found, settings, tree, now)
        else:
            reasons.append(f"{name}: {found}")
    return requests or dg.SkipReason("; ".join(reasons) or "no symbol is registered")


def new_bars(
    name: str,
    settings: Settings,
    home: Home,
    *,
    after_ms: int | None = None,
    offline: bool = False,
) -> NewBars | str:
    """What is new of a symbol since its last training in the settings' mode, or why nothing is.

    ``after_ms`` takes the place of where that training ended.  The exchange is asked first,
    unless ``offline``; out of reach, the catalogue's own bars decide.
    """
    try:
        symbol = SymbolKey.parse(name)
    except BadInput as error:
        return str(error)
    trained_to = _trained_to(symbol, settings, home) if after_ms is None else after_ms
    asked = not offline or symbol.exchange == "SIM"
    try:
        end = _exchange_has(symbol, settings, home, trained_to) if asked else None
        missed = "its exchange has no newer bar" if asked else "offline: the catalogue has none"
    except (ExchangeUnavailable, BadInput) as error:
        end, missed = None, " ".join(str(error).split())
    if end is not None:
        return NewBars(None if symbol.exchange == "SIM" else end, offline=False)
    if symbol.exchange == "SIM":
        return f"no new bars ({missed})"
    held = _catalogue_end(symbol, settings, home)
    if held is not None and (trained_to is None or held > trained_to):
        return NewBars(held, offline=True)
    return f"no new bars ({missed})"


def _configured() -> dict[str, Any]:
    from ares_jobs.config_file import read_config

    given = os.environ.get(CONFIG_VARIABLE)
    return read_config(Path(given)) if given else {}


def _rotated(names: Any) -> list[str]:
    """Another symbol first each minute, so that slow exchanges starve nobody."""
    ordered = sorted(names)
    first = int(time.time() // _TICK_SECONDS) % max(1, len(ordered))
    return ordered[first:] + ordered[:first]


def _waits(instance: dg.DagsterInstance, name: str, settings: Settings, now: float) -> str | None:
    """Why a symbol's turn has not come; None if it has."""
    tags = {_SYMBOL_TAG: name}
    status = dg.DagsterRunStatus
    unfinished = [status.QUEUED, status.STARTING, status.STARTED, status.CANCELING]
    if instance.get_runs(dg.RunsFilter(tags=tags, statuses=unfinished), limit=1):
        return "still in training"
    latest = instance.get_run_records(dg.RunsFilter(tags=tags), limit=1)
    if not latest:
        return None
    interval = settings.enhanced_training_manager.enhanced_training_interval
    passed = now - latest[0].create_timestamp.timestamp()
    # Runs begin shortly after their tick: without half a tick's grace each would slip a minute.
    return None if passed >= interval - _TICK_SECONDS / 2 else f"trained {passed:.0f} s ago"


def _trained_to(symbol: SymbolKey, settings: Settings, home: Home) -> int | None:
    """Close of the last bar that the latest training of this mode collected, milliseconds."""
    from ares_resources.storage.artifacts import ArtifactStore, Place

    store = ArtifactStore(home.artifacts, home.runs)
    place = Place("market_data", symbol.folder, None)
    artifact = store.pointed(place, run_id=None, mode=settings.mode)
    if artifact is None or artifact.metadata.get("timeframe") != settings.data.timeframe:
        return None
    return int(artifact.metadata["window_end_ms"])


def _exchange_has(
    symbol: SymbolKey, settings: Settings, home: Home, after_ms: int | None
) -> int | None:
    """Where the exchange's closed bars end, if there are any from ``after_ms`` on."""
    from ares_resources.exchanges.registry import open_exchange

    step = timeframe_ms(settings.data.timeframe)
    data = settings.data.model_copy(update=_BRIEFLY)
    exchange = open_exchange(symbol.exchange, settings=data, home=home)
    exchange.check_symbol(symbol.instrument)
    end = grid_floor(exchange.now_ms(), step)
    start = end - _FIRST_LOOK_BARS * step if after_ms is None else after_ms
    if start >= end:
        return None
    pages = exchange.bars(symbol.instrument, settings.data.timeframe, start, end)
    return end if any(len(page) > 0 for page in pages) else None


def _catalogue_end(symbol: SymbolKey, settings: Settings, home: Home) -> int | None:
    from ares_resources.storage.catalogue import Catalogue, Series

    series = Series(symbol, "bars", settings.data.timeframe)
    coverage = Catalogue(home.catalogue).coverage(series)
    return None if coverage is None else coverage.last_ms + series.step_ms


def _requests(
    symbol: SymbolKey, found: NewBars, settings: Settings, tree: dict[str, Any], now: float
) -> list[dg.RunRequest]:
    from ares_resources.storage.frames import utc

    tags = {MODE_TAG: settings.mode, OFFLINE_TAG: "true" if found.offline else "false"}
    if found.as_of_ms is not None:
        tags[AS_OF_TAG] = utc(found.as_of_ms)
    if tree:
        tags[CONFIG_TAG] = json.dumps(tree, sort_keys=True)
    return [
        dg.RunRequest(
            run_key=f"{regime}|{symbol}|{int(now)}", tags={**tags, **partition_tags(regime, symbol)}
        )
        for regime in REGIMES
    ]
