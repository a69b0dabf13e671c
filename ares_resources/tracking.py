"""MLflow through dagster-mlflow: parameters, metrics, terminal status, the model registry.

Belongs here: everything that talks to MLflow.  Does not belong here: what is tracked.

dagster-mlflow is wrapped for three reasons: it unregisters an exit hook that today's mlflow
no longer registers, so failed runs would end FINISHED; Dagster initialises resources once
more after a failure, which would open a second run; and importing it takes seconds, so it is
imported when a run starts, not when definitions load.
"""

import atexit
import contextlib
import os
import uuid
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from ares_resources.errors import AresError
from ares_resources.home import Home
from ares_resources.leases import hold_lease
from ares_resources.settings import Settings
from ares_resources.storage.atomic import file_lock

_DATABASE = "mlflow.db"
_ARTIFACTS = "artifacts"
RELEASED = "released"


class Tracker:
    """Collects a run's parameters and metrics and sends them in few calls.

    With tracking off, or the server away, the same calls are kept and go nowhere; ``away``
    then holds the reason, which the release records.
    """

    def __init__(self, run: Any | None = None, away: str | None = None) -> None:
        self._run = run
        self.away = away
        self._metrics: dict[str, float] = {}

    @property
    def run_id(self) -> str | None:
        """The MLflow run, if there is one."""
        return None if self._run is None else self._run.mlflow_run_id

    def log_step(self, step: str, metadata: Mapping[str, Any]) -> None:
        """Remember a step's numbers; they are sent when the run ends."""
        for name, value in metadata.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                self._metrics[f"{step}/{name}"] = float(value)

    def log_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Send parameters at once, so that a failed run has them too."""
        if self._run is not None:
            self._run.log_params(dict(parameters))

    def end(self, status: str) -> None:
        """Send what was collected and close the run with its true status."""
        if self._run is None:
            return
        if self._metrics:
            self._run.log_metrics(self._metrics)
        self._run.end_run(status=status)


@dg.resource(required_resource_keys={"workspace"})
def tracking(context: dg.InitResourceContext) -> Iterator[Tracker]:
    """The run's MLflow run; ended FINISHED, FAILED or KILLED as the Dagster run ended.

    It lives as long as the run works, so it also holds the run's lease.
    """
    settings: Settings = context.resources.workspace.request_settings()
    home: Home = context.resources.workspace.workspace().home
    run = context.run
    if run is None or run.is_finished:
        yield Tracker()
        return
    with hold_lease(home, run.run_id):
        if not settings.tracking.enabled:
            yield Tracker(away="tracking is switched off")
            return
        tracker = _start(context, settings, home)
        tracker.log_parameters(_parameters(run, settings))
        try:
            yield tracker
        except BaseException:
            tracker.end("KILLED")
            raise
        tracker.end(_terminal_status(context))


def tracking_uri(settings: Settings, home: Home) -> str:
    """The configured URI, or SQLite in the home."""
    return settings.tracking.uri or f"sqlite:///{home.mlflow / _DATABASE}"


def prepare_database(home: Home, experiment: str) -> None:
    """Create MLflow's SQLite schema and the experiment once, under a lock.

    Several processes creating the schema at once break it, and an experiment created by the
    client would keep its artifacts in whatever folder the process happened to start in.
    """
    marker, database = home.mlflow / f"{experiment}.ready", home.mlflow / _DATABASE
    with file_lock(home.locks / "mlflow.lock"):
        if marker.exists() and database.exists():
            return
        _quieten()
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        _quieten()  # importing it has set up its own logging
        artifacts = home.mlflow / _ARTIFACTS
        artifacts.mkdir(parents=True, exist_ok=True)
        store = SqlAlchemyStore(f"sqlite:///{database}", artifacts.as_uri())
        if store.get_experiment_by_name(experiment) is None:
            store.create_experiment(experiment, artifact_location=artifacts.as_uri())
        marker.write_text(uuid.uuid4().hex)


def registry_identity(settings: Settings, home: Home) -> str:
    """What tells this registry from another, or from one that was removed and made anew."""
    if settings.tracking.uri:
        return settings.tracking.uri
    marker = home.mlflow / f"{settings.tracking.experiment}.ready"
    there = marker.is_file() and (home.mlflow / _DATABASE).exists()
    return marker.read_text() if there else "none yet"


def register(
    home: Home, settings: Settings, *, name: str, bundle: Path, sha256: str, run_id: str | None
) -> str:
    """Register a bundle as a version of a model; the same bundle gives the same version.

    The registry points at the bundle's folder; nothing is ever loaded through it.

    Returns
    -------
    The version number, as MLflow spells it.

    Raises
    ------
    AresError
        If the registry cannot be reached.
    """
    from mlflow.exceptions import MlflowException

    client = _client(home, settings)
    try:
        with contextlib.suppress(MlflowException):
            client.create_registered_model(name)
        for version in client.search_model_versions(f"name = '{name}'"):
            if version.tags.get("bundle_sha256") == sha256:
                return str(version.version)
        tags = {"bundle_sha256": sha256}
        made = client.create_model_version(name, bundle.as_uri(), run_id=run_id, tags=tags)
        return str(made.version)
    except MlflowException as error:
        raise AresError(f"the model registry did not take {name}: {error.message}") from error


def move_alias(home: Home, settings: Settings, *, name: str, version: str) -> None:
    """Let ``released`` point at a version.

    Raises
    ------
    AresError
        If the registry cannot be reached.
    """
    from mlflow.exceptions import MlflowException

    try:
        _client(home, settings).set_registered_model_alias(name, RELEASED, version)
    except MlflowException as error:
        raise AresError(f"the alias of {name} could not be moved: {error.message}") from error


def drop_alias(home: Home, settings: Settings, *, name: str) -> None:
    """Let ``released`` point at nothing, where nothing is live any more.

    A registry that does not know the model, since it was made anew, has nothing to drop.

    Raises
    ------
    AresError
        If the registry cannot be reached.
    """
    from mlflow.exceptions import MlflowException

    try:
        _client(home, settings).delete_registered_model_alias(name, RELEASED)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return
        raise AresError(f"the alias of {name} could not be dropped: {error.message}") from error


def _client(home: Home, settings: Settings) -> Any:
    _quieten()
    if not settings.tracking.uri:
        prepare_database(home, settings.tracking.experiment)
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri(settings, home))


def _start(context: dg.InitResourceContext, settings: Settings, home: Home) -> Tracker:
    _quieten()
    if not settings.tracking.uri:
        prepare_database(home, settings.tracking.experiment)
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import fluent

    configuration = {
        "experiment_name": settings.tracking.experiment,
        "mlflow_tracking_uri": tracking_uri(settings, home),
        "extra_tags": _run_tags(context),
    }
    try:
        run = _open_run(context.replace_config(configuration))
    except MlflowException as error:
        return Tracker(away=f"the tracking server is away: {error.message}")
    atexit.unregister(fluent._safe_end_run)
    return Tracker(run)


def _open_run(context: dg.InitResourceContext) -> Any:
    with warnings.catch_warnings():
        # What dagster-mlflow calls is beta or deprecated in the Dagster it is released with.
        warnings.simplefilter("ignore")
        from dagster_mlflow.resources import MlFlow

        return MlFlow(context)


def _run_tags(context: dg.InitResourceContext) -> dict[str, str]:
    tags = context.run.tags if context.run else {}
    kept = ("dagster/partition", "dagster/partition/symbol", "dagster/partition/regime")
    return {name.replace("/", "."): tags[name] for name in kept if name in tags}


def _parameters(run: dg.DagsterRun, settings: Settings) -> dict[str, Any]:
    flat: dict[str, Any] = {"mode": settings.mode, "dagster_run_id": run.run_id}
    for group, values in settings.model_dump().items():
        if isinstance(values, dict):
            flat.update({f"{group}.{name}": value for name, value in values.items()})
        else:
            flat[group] = values
    return flat


def _terminal_status(context: dg.InitResourceContext) -> str:
    assert context.instance is not None
    assert context.run is not None
    failures = context.instance.all_logs(
        context.run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE
    )
    return "FAILED" if failures else "FINISHED"


def _quieten() -> None:
    """Keep MLflow from writing over our progress, from job workers, and from waiting long."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import logging

    for name in ("mlflow", "mlflow.store.db.utils", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
