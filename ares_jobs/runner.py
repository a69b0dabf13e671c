"""Running partitions in this process: the command line and the training manager use it.

Belongs here: a training request, its tags, carrying it out by the jobs, reading the outcome.
Does not belong here: printing, options, and the async face.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ares_resources.errors import AresError, BadInput, ExchangeUnavailable, full_disk_told
from ares_resources.home import Home
from ares_resources.settings import Mode, Settings, left_out_timeframes, load_settings
from ares_resources.symbols import SymbolKey

if TYPE_CHECKING:
    from ares_assets.engine import Request
    from ares_resources.storage.artifacts import Artifact
    from ares_resources.workspace import Workspace


@dataclass(frozen=True)
class TrainingRequest:
    """What to train: a symbol's regimes, in a mode, at a point in time."""

    symbol: SymbolKey
    regimes: tuple[str, ...] = ("bull", "bear", "sideways")
    mode: Mode = "full"
    overrides: Mapping[str, Any] = field(default_factory=dict)
    as_of: str | None = None
    offline: bool = False


@dataclass(frozen=True)
class PartitionOutcome:
    """How one partition ended.

    ``status`` is as ``release_standing.standing`` tells it of the model now, ``skipped`` or
    ``failed``; ``reason`` says why in plain words, ``gate`` row by row; ``warnings`` are what the
    checks that stop nothing found.
    """

    partition: str
    status: str
    reason: str
    run_id: str | None
    reused: bool
    degraded: list[str]
    metrics: dict[str, Any]
    release: dict[str, Any] | None
    seconds: float = 0.0
    gate: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def request_tags(request: TrainingRequest) -> dict[str, str]:
    """The run tags that carry everything but the partition."""
    from ares_resources.dagster_resources import AS_OF_TAG, CONFIG_TAG, MODE_TAG, OFFLINE_TAG

    tags = {MODE_TAG: request.mode, OFFLINE_TAG: "true" if request.offline else "false"}
    if request.as_of is not None:
        tags[AS_OF_TAG] = request.as_of
    if request.overrides:
        tags[CONFIG_TAG] = json.dumps(request.overrides, sort_keys=True)
    return tags


def train(request: TrainingRequest, *, home: Home | None = None) -> list[PartitionOutcome]:
    """Train the regimes one after another, in this process.

    A partition whose every result is stored under its present key is not run again.

    Raises
    ------
    BadInput
        Before anything is written: a setting, symbol, exchange or point in time that
        cannot be used.
    StorageFull
        If the disk is too full even to note how a partition went.
    """
    from ares_resources.exchanges.restraints import one_run

    home = home or Home.find()
    with full_disk_told(home.full_disk), one_run():
        check_request(request, home)
        request = _pinned(request)
        home.create()
        _tell_left_out(request_settings(request))
        with _current(home):
            return [_train_partition(request, regime, home) for regime in request.regimes]


@contextlib.contextmanager
def _current(home: Home) -> Iterator[None]:
    """Let the jobs' resources find this home; they look it up when a run starts."""
    before = os.environ.get("ARES_HOME")
    os.environ["ARES_HOME"] = str(home.root)
    try:
        yield
    finally:
        if before is None:
            del os.environ["ARES_HOME"]
        else:
            os.environ["ARES_HOME"] = before


def check_request(request: TrainingRequest, home: Home) -> None:
    """Refuse what cannot work, touching nothing.

    Raises
    ------
    BadInput
        Naming the value and what is allowed.
    """
    from ares_assets.partitions import check_regime
    from ares_jobs.training_window import check_window

    for regime in request.regimes:
        check_regime(regime)
    settings = request_settings(request)
    check_window(settings)
    exchange = _exchange(request, settings, home)
    exchange.check_timeframe(settings.data.timeframe)
    if request.offline and request.symbol.exchange != "SIM":
        _check_catalogue(request.symbol, settings, home)
        return
    try:
        exchange.check_symbol(request.symbol.instrument)
    except ExchangeUnavailable as error:
        try:
            _check_catalogue(request.symbol, settings, home)
        except BadInput as nothing:
            raise ExchangeUnavailable(f"{error}; and {nothing}") from error


def _tell_left_out(settings: Settings) -> None:
    """Say which default timeframes the bars cannot give; what was asked for is refused."""
    from ares_resources import progress

    for setting, reasons in left_out_timeframes(settings).items():
        told = "; ".join(f"{name} {why}" for name, why in reasons.items())
        progress.current().noted(f"{setting}: left out of the defaults: {told}")


def request_settings(request: TrainingRequest) -> Settings:
    """The settings that a request leads to."""
    return load_settings(request.overrides, mode=request.mode)


def _exchange(request: TrainingRequest, settings: Settings, home: Home) -> Any:
    from ares_resources.dagster_resources import parse_time
    from ares_resources.exchanges.registry import open_exchange

    as_of_ms = None if request.as_of is None else parse_time(request.as_of)
    return open_exchange(
        request.symbol.exchange,
        settings=settings.data,
        as_of_ms=as_of_ms,
        offline=request.offline,
        home=home,
    )


def _check_catalogue(symbol: SymbolKey, settings: Settings, home: Home) -> None:
    from ares_resources.storage.catalogue import Catalogue, Series

    series = Series(symbol, "bars", settings.data.timeframe)
    if not home.catalogue.is_dir() or Catalogue(home.catalogue).coverage(series) is None:
        raise BadInput(
            f"no {settings.data.timeframe} bars of {symbol} in the catalogue; bring some: "
            f"ares ingest FILE --symbol {symbol.instrument} --exchange {symbol.exchange}"
        )


def _pinned(request: TrainingRequest) -> TrainingRequest:
    """Fix the point in time of an online request, so that its regimes share their bars."""
    if request.as_of is not None or request.offline or request.symbol.exchange == "SIM":
        return request
    from dataclasses import replace
    from datetime import UTC, datetime

    from ares_resources.timeframes import grid_floor, timeframe_ms

    step = timeframe_ms(request_settings(request).data.timeframe)
    moment = grid_floor(int(time.time() * 1000), step)
    text = datetime.fromtimestamp(moment / 1000, UTC).isoformat().replace("+00:00", "Z")
    return replace(request, as_of=text)


def _train_partition(request: TrainingRequest, regime: str, home: Home) -> PartitionOutcome:
    from ares_assets.plan import latest_results, stored_results
    from ares_resources.workspace import Workspace

    started = time.perf_counter()
    workspace = Workspace(home)
    found = stored_results(engine_request(request, regime, "planned"), workspace)
    if found is not None:
        # Asked for again, they are the latest of their mode again, for status and notebooks.
        for artifact in found.values():
            workspace.store.point(artifact, run_id=None, mode=request.mode)
        return _outcome(request, regime, found, workspace, None, time.perf_counter() - started)
    run_id, problem = _execute_job(request, regime, home)
    results = latest_results(engine_request(request, regime, run_id), workspace)
    seconds = time.perf_counter() - started
    if problem is not None:
        return _failed(request, regime, run_id, problem, seconds)
    return _outcome(request, regime, results, workspace, run_id, seconds)


def engine_request(request: TrainingRequest, regime: str, run_id: str) -> Request:
    """The engine's form of one regime of the request."""
    from ares_assets.engine import Request
    from ares_resources.dagster_resources import parse_time

    return Request(
        symbol=request.symbol,
        regime=regime,
        settings=request_settings(request),
        as_of_ms=None if request.as_of is None else parse_time(request.as_of),
        offline=request.offline,
        run_id=run_id,
    )


def _execute_job(request: TrainingRequest, regime: str, home: Home) -> tuple[str, str | None]:
    """Run the mode's job; returns the run's id, and what failed, if anything did."""
    from ares_assets.partitions import SYMBOLS, partition_tags
    from ares_jobs.dagster_noise import without_false_alarms
    from ares_jobs.definitions import defs
    from ares_jobs.jobs import JOBS
    from ares_jobs.run_endings import problem_of, was_interrupted
    from ares_jobs.setup import dagster_instance

    with dagster_instance(home) as instance, without_false_alarms():
        instance.add_dynamic_partitions(SYMBOLS, [str(request.symbol)])
        job = defs.resolve_job_def(JOBS[request.mode].name)
        result = job.execute_in_process(
            instance=instance,
            tags={**request_tags(request), **partition_tags(regime, request.symbol)},
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
        )
        if was_interrupted(result.all_events):
            raise KeyboardInterrupt
        if result.success:
            return result.run_id, None
        return result.run_id, problem_of(result.all_events, home.full_disk())


def _outcome(
    request: TrainingRequest,
    regime: str,
    results: Mapping[str, Artifact],
    workspace: Workspace,
    run_id: str | None,
    seconds: float,
) -> PartitionOutcome:
    partition = f"{regime}|{request.symbol}"
    if not results:
        raise AresError(f"{partition}: the run left no results behind")
    last = list(results.values())[-1]
    release = None if last.skipped is not None else _release(request, regime, results, workspace)
    status, reason = _standing(request, regime, last, workspace)
    return PartitionOutcome(
        partition=partition,
        status=status,
        reason=reason,
        run_id=run_id,
        reused=run_id is None,
        degraded=last.degraded,
        metrics={
            f"{name}/{k}": v
            for name, a in results.items()
            for k, v in a.metadata.items()
            if k != "picture"
        },
        release=release,
        seconds=round(seconds, 1),
        gate=_gate(results),
        warnings=_warnings(request, regime, results, workspace),
    )


def _warnings(
    request: TrainingRequest,
    regime: str,
    results: Mapping[str, Artifact],
    workspace: Workspace,
) -> list[str]:
    """What the checks that stop nothing say of these results; freshness has its own reason."""
    from ares_assets.check_list import CHECKS
    from ares_assets.stored import Stored

    stored = Stored(results)
    stored.request, stored.workspace = engine_request(request, regime, ""), workspace
    told = []
    for check in CHECKS:
        artifact = results.get(check.asset)
        if check.blocking or check.name == "bars_are_fresh" or artifact is None:
            continue
        if artifact.skipped is None:
            finding = check.body(stored)
            told += [] if finding.passed else [f"{check.name}: {finding.words}"]
    return told


def _standing(
    request: TrainingRequest, regime: str, last: Artifact, workspace: Workspace
) -> tuple[str, str]:
    from ares_assets.release_standing import standing
    from ares_resources.storage.releases import ReleaseStore

    if last.skipped is not None:
        return "skipped", last.skipped
    return standing(ReleaseStore(workspace.home.releases, request.symbol.folder, regime), last)


def _release(
    request: TrainingRequest, regime: str, results: Mapping[str, Artifact], workspace: Workspace
) -> dict[str, Any]:
    """Where the bundle stands; what a run left undone after its checks had passed is done now.

    That is a promotion that was cut off, or a bundle that the registry did not take.
    """
    from ares_assets.engine import Work
    from ares_assets.passed_checks import hindrance
    from ares_assets.releasing import held_back, release
    from ares_assets.step16_saving import SPEC

    artifact = results[SPEC.name]
    asked = engine_request(request, regime, "planned")
    work = Work(SPEC, asked, workspace)
    hindered = hindrance(workspace.home, results, asked.settings)
    done = release(work, artifact) if hindered is None else held_back(work, artifact, hindered)
    return {**artifact.metadata, **done}


def _gate(results: Mapping[str, Artifact]) -> list[dict[str, Any]]:
    """The release gate's table, where the run came that far."""
    tested = results.get("ab_test_report")
    if tested is None or tested.skipped is not None:
        return []
    rows: list[dict[str, Any]] = tested.load()["gate"]
    return rows


def _failed(
    request: TrainingRequest, regime: str, run_id: str, problem: str, seconds: float
) -> PartitionOutcome:
    partition = f"{regime}|{request.symbol}"
    return PartitionOutcome(
        partition, "failed", problem, run_id, False, [], {}, None, round(seconds, 1)
    )
