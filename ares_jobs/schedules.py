"""The schedule: look every ``enhanced_training_interval``, train what has bars enough to judge on.

Belongs here: which registered symbol is due, and the run requests.  Does not belong here: what
a training does, what is new (``new_bars.py``), how far it must reach for another look
(``fresh_holdout.py``), and files that are dropped (``sensors.py``).

The schedule ticks each minute and asks for a symbol's runs when none of them is unfinished, the
interval has passed since the latest began, and a bar has closed since the window of the last
training; of its regimes those whose holdout is fresh by ``retrain.fresh_holdout_share``.
``ARES_SCHEDULE_CONFIG`` may name a YAML file of settings: its interval, mode, share and everything
else then hold for scheduled trainings.
"""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from ares_assets.partitions import REGIMES, SYMBOLS, partition_tags
from ares_jobs.fresh_holdout import in_words, waits_for
from ares_jobs.jobs import JOBS
from ares_jobs.new_bars import NewBars, new_bars
from ares_jobs.training_window import check_window
from ares_resources.dagster_resources import AS_OF_TAG, CONFIG_TAG, MODE_TAG, OFFLINE_TAG
from ares_resources.errors import BadInput
from ares_resources.home import Home
from ares_resources.settings import Settings, load_settings
from ares_resources.symbols import SymbolKey

CONFIG_VARIABLE = "ARES_SCHEDULE_CONFIG"
_SYMBOL_TAG = "dagster/partition/symbol"
_TICK_SECONDS = 60
_BUDGET_SECONDS = 40.0


@dataclass(frozen=True)
class Due:
    """A symbol whose ``regimes`` may be trained now; ``waiting`` says from when on others may."""

    symbol: SymbolKey
    found: NewBars
    regimes: list[str]
    waiting: dict[str, int]


@dg.schedule(
    name="enhanced_training_schedule",
    cron_schedule="* * * * *",
    job=JOBS["full"],
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description=(
        "Looks each enhanced_training_interval (3600 s) and trains every registered symbol and "
        "regime whose bars reach a tenth of a holdout past its last one "
        "(retrain.fresh_holdout_share). "
        f"Settings of another file: {CONFIG_VARIABLE}. Stopped until you start it."
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
        due = _due(name, settings, home, now) if reason is None else reason
        if isinstance(due, Due):
            requests += _requests(due, settings, tree, now)
        if told := _told(due):
            reasons.append(f"{name}: {told}")
    for line in reasons if requests else ():
        context.log.info(line)
    return requests or dg.SkipReason("; ".join(reasons) or "no symbol is registered")


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


def _due(name: str, settings: Settings, home: Home, now: float) -> Due | str:
    """The regimes of a symbol that are due, with their new bars, or why none is.

    ``now`` is in seconds since 1970.
    """
    try:
        symbol = SymbolKey.parse(name)
    except BadInput as error:
        return str(error)
    waits = waits_for(symbol, settings, home)
    # No exchange has bars of the future, so for days none need be asked; SIM's clock is its own.
    if len(waits) == len(REGIMES) and symbol.exchange != "SIM" and now * 1000 < min(waits.values()):
        return in_words(waits)
    found = new_bars(name, settings, home)
    if isinstance(found, str):
        return found
    waiting = {regime: end for regime, end in waits.items() if end > found.end_ms}
    regimes = [regime for regime in REGIMES if regime not in waiting]
    return Due(symbol, found, regimes, waiting) if regimes else in_words(waiting)


def _told(due: Due | str) -> str:
    """Why a symbol, or some of its regimes, are not trained now; empty if all are."""
    if isinstance(due, str):
        return due
    return in_words(due.waiting) if due.waiting else ""


def _requests(
    due: Due, settings: Settings, tree: dict[str, Any], now: float
) -> list[dg.RunRequest]:
    from ares_resources.storage.frames import utc

    symbol, found = due.symbol, due.found
    tags = {MODE_TAG: settings.mode, OFFLINE_TAG: "true" if found.offline else "false"}
    if found.as_of_ms is not None:
        tags[AS_OF_TAG] = utc(found.as_of_ms)
    if tree:
        tags[CONFIG_TAG] = json.dumps(tree, sort_keys=True)
    return [
        dg.RunRequest(
            run_key=f"{regime}|{symbol}|{int(now)}", tags={**tags, **partition_tags(regime, symbol)}
        )
        for regime in due.regimes
    ]
