"""How a step is carried out: its key, its memory of earlier results, its outcome.

Belongs here: what all sixteen steps share, without Dagster.  Does not belong here: what
any step computes, and Dagster's decorators (``step.py``).

A step's key is a hash of everything its result depends on: code and library versions, the
settings it declares, seed, partition and the content of its inputs.  A result that stands
under the key is never computed again; a result under another key is never mistaken for it.
"""

from __future__ import annotations

import hashlib
import json
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from ares_resources import progress
from ares_resources.blas import one_blas_thread
from ares_resources.errors import AresError, PartitionSkipped
from ares_resources.provenance import code_fingerprint
from ares_resources.settings import Settings
from ares_resources.storage.artifacts import Artifact, Place
from ares_resources.storage.atomic import file_lock
from ares_resources.storage.codecs import Kind
from ares_resources.symbols import SymbolKey

if TYPE_CHECKING:
    from ares_resources.workspace import Workspace


@dataclass(frozen=True)
class Request:
    """What a run was asked for: one partition, its settings and its point in time."""

    symbol: SymbolKey
    regime: str
    settings: Settings
    as_of_ms: int | None
    offline: bool
    run_id: str

    @property
    def partition(self) -> str:
        return f"{self.regime}|{self.symbol}"


@dataclass(frozen=True)
class Result:
    """What a step function returns: the value, its key numbers and any fallback it took.

    ``cost`` takes what differs between equal runs, such as seconds or whether a cache was used:
    it is shown, but enters no hash and no later step's key, as ``metadata`` does.
    """

    value: Any
    metadata: Mapping[str, Any] = field(default_factory=dict)
    degraded: tuple[str, ...] = ()
    cost: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StepSpec:
    """One of the sixteen steps, as data.

    ``uses`` names the attributes of Settings that the step may read; reading any other is
    an error, so that the key cannot miss one.  ``shared`` steps ignore the regime.
    ``fingerprint`` names state outside the artifacts (the catalogue, the trial ledger, the
    champion) that the result depends on; it runs before the key is made.  ``after`` runs once
    the result stands, found or computed, must be safe to repeat, and returns further figures.
    ``once_passed`` is as ``after``, but runs only when all blocking checks of this result and of
    all that it was made from have passed: what others act on belongs there.
    """

    number: int
    name: str
    title: str
    description: str
    group: str
    kind: Kind
    inputs: tuple[str, ...]
    uses: tuple[str, ...]
    function: Callable[..., Result]
    shared: bool = False
    fingerprint: Callable[[Work, Mapping[str, Artifact]], str] | None = None
    after: Callable[[Work, Artifact], Mapping[str, Any]] | None = None
    once_passed: Callable[[Work, Artifact], Mapping[str, Any]] | None = None


class SettingsView:
    """The settings that a step declared, and no others."""

    def __init__(self, settings: Settings, names: tuple[str, ...]) -> None:
        self._settings = settings
        self._names = (*names, "seed", "threads")

    def __getattr__(self, name: str) -> Any:
        if name not in self._names:
            raise AresError(f"this step reads settings.{name} but does not declare it in `uses`")
        return getattr(self._settings, name)

    def canonical(self) -> dict[str, Any]:
        """JSON-able values of everything declared."""
        values = {name: getattr(self._settings, name) for name in sorted(self._names)}
        return {k: v.model_dump() if isinstance(v, BaseModel) else v for k, v in values.items()}


@dataclass(frozen=True)
class Work:
    """What a step function gets besides its inputs.

    ``outside`` is what the step's ``fingerprint`` found, as it found it; ``tracking_run_id``
    the MLflow run beside this one, if there is one.
    """

    spec: StepSpec
    request: Request
    workspace: Workspace
    outside: str = ""
    tracking_run_id: str | None = None

    @property
    def settings(self) -> SettingsView:
        return SettingsView(self.request.settings, self.spec.uses)

    @property
    def seed(self) -> int:
        """A seed of this step and partition alone, derived from the root seed."""
        regime = "shared" if self.spec.shared else self.request.regime
        name = f"{self.spec.name}/{self.request.symbol}/{regime}"
        return (self.request.settings.seed * 1_000_003 + zlib.crc32(name.encode())) % 2**31

    @property
    def place(self) -> Place:
        return place_of(self.spec, self.request)

    @property
    def memory(self) -> Any:
        return self.workspace.memory(self.request.settings)

    def advanced(self, what: str, done: int, total: int) -> None:
        """Tell whoever watches."""
        progress.current().advanced(what, done, total)


def place_of(spec: StepSpec, request: Request) -> Place:
    """Where the step's artifacts of this partition stand."""
    return Place(spec.name, request.symbol.folder, None if spec.shared else request.regime)


def step_key(work: Work, inputs: Mapping[str, Artifact]) -> str:
    """The name of the result: 32 hexadecimal digits."""
    parts = {
        "step": work.spec.name,
        "code": code_fingerprint(),
        "settings": work.settings.canonical(),
        "symbol": str(work.request.symbol),
        "regime": None if work.spec.shared else work.request.regime,
        # Steps read their inputs' figures too: one frame can stand for two windows.
        "inputs": {name: [a.sha256, a.metadata] for name, a in sorted(inputs.items())},
        "degraded": sorted({reason for a in inputs.values() for reason in a.degraded}),
        "outside": work.outside,
    }
    text = json.dumps(parts, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def outside_state(work: Work, inputs: Mapping[str, Artifact]) -> str:
    """The step's fingerprint of state beyond its inputs; empty where it has none."""
    return work.spec.fingerprint(work, inputs) if work.spec.fingerprint else ""


def execute(work: Work, inputs: Mapping[str, Artifact]) -> tuple[Artifact, bool]:
    """Carry out one step, or find its result.

    Returns
    -------
    The artifact, and whether it was found rather than computed.  A skipped partition gives
    an artifact whose ``skipped`` holds the reason.
    """
    spec, listener = work.spec, progress.current()
    listener.step_started(spec.number, spec.title, work.request.partition)
    outcome = "failed"
    try:
        with file_lock(_lock_path(work), _LOCK_SECONDS):
            work = replace(work, outside=outside_state(work, inputs))
            key = step_key(work, inputs)
            artifact = work.workspace.store.find_intact(work.place, key)
            reused = artifact is not None
            if artifact is None:
                artifact = _compute(work, key, inputs)
        work.workspace.store.point(artifact, run_id=work.request.run_id, mode=_mode(work))
        outcome = "skipped" if artifact.skipped else "reused" if reused else "done"
        return artifact, reused
    finally:
        listener.step_ended(spec.number, spec.title, work.request.partition, outcome)


def _compute(work: Work, key: str, inputs: Mapping[str, Artifact]) -> Artifact:
    inherited = [reason for artifact in inputs.values() for reason in artifact.degraded]
    started = time.perf_counter()
    with work.memory.watching(work.spec.name), one_blas_thread():
        try:
            result, skipped = work.spec.function(work, **inputs), None
        except PartitionSkipped as reason:
            result, skipped = Result(None, {"skipped": str(reason)}), str(reason)
    seconds = round(time.perf_counter() - started, 3)
    cost = {**result.cost, "seconds": seconds, **work.memory.figures()}
    artifact = work.workspace.store.publish(
        work.place,
        key,
        result.value,
        kind=work.spec.kind,
        inputs={name: artifact.sha256 for name, artifact in inputs.items()},
        metadata=result.metadata,
        degraded=[*inherited, *result.degraded],
        skipped=skipped,
        cost=cost,
    )
    work.workspace.store.prune(work.place, keep=_KEPT_RESULTS)
    return artifact


_KEPT_RESULTS = 12
# Whoever waits for the same step of the same partition waits for a training, not for a file.
_LOCK_SECONDS = 6 * 3600.0


def _mode(work: Work) -> str:
    return work.request.settings.mode


def _lock_path(work: Work) -> Any:
    regime = "shared" if work.spec.shared else work.request.regime
    name = f"{work.spec.name}-{work.request.symbol.folder}-{regime}.lock"
    return work.workspace.home.locks / name
