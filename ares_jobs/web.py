"""``make ui``: Dagster's web server and daemon, and MLflow's web server, on loopback.

Belongs here: which servers are started and how, and when they are ready.  Does not belong
here: keeping and ending child processes (``supervisor.py``).
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ares_jobs.supervisor import Supervisor
from ares_resources.errors import AresError, BadInput
from ares_resources.home import Home

_READY_SECONDS = 180.0
_HTTP_SECONDS = 2.0


def serve(home: Home, *, host: str = "127.0.0.1", port: int = 3000, mlflow_port: int = 5000) -> int:
    """Run both web servers until INT, TERM or QUIT comes; returns 0 then.

    No process that was started is left behind, runs of the UI included.

    Raises
    ------
    BadInput
        If the host is not loopback, or a port is not usable or taken; nothing is started.
    AresError
        If a server ends by itself or does not answer in time.
    """
    for number, option in ((port, "--port"), (mlflow_port, "--mlflow-port")):
        _check_free(_loopback(host), number, option)
    if port == mlflow_port:
        raise BadInput(f"port {port} is asked for twice; allowed: two different ports")
    environment = _environment(home)
    with Supervisor() as supervisor:
        _prepare(home)
        supervisor.start("dagster", _dagster_command(host, port), environment)
        supervisor.start("mlflow", _mlflow_command(home, host, mlflow_port), environment)
        _await_ready(supervisor, host, port, mlflow_port)
        supervisor.wait()
    return 0


def _loopback(host: str) -> str:
    """The address of a host name that only this machine can reach."""
    try:
        address = "127.0.0.1" if host == "localhost" else host
        if ipaddress.ip_address(address).is_loopback:
            return address
    except ValueError:
        pass
    raise BadInput(f"host {host!r} is not loopback; allowed: 127.0.0.1, ::1, localhost")


def _check_free(address: str, port: int, option: str) -> None:
    if not 1 <= port <= 65_535:
        raise BadInput(f"{option} {port} is not a port; allowed: 1 to 65535")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # Ports of servers that ended a moment ago count as free, as they do for the servers.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise BadInput(
                f"port {port} on {address} cannot be had ({error.strerror}); "
                f"allowed: a free one, {option} NUMBER"
            ) from error


def _environment(home: Home) -> dict[str, str]:
    """The servers' environment, and this process': the same homes, and no reports home."""
    os.environ["ARES_HOME"] = str(home.root)
    os.environ.setdefault("DAGSTER_HOME", str(home.dagster))
    return {
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def _prepare(home: Home) -> None:
    """Make the schemas before several servers would at once, and bury what died before."""
    import dagster as dg

    from ares_jobs.reaper import reap
    from ares_jobs.setup import initialise

    initialise(home, [])
    with dg.DagsterInstance.get() as instance:
        reap(instance, home)


def _dagster_command(host: str, port: int) -> list[str]:
    workspace = Path(__file__).resolve().parents[1] / "workspace.yaml"
    what = ["-w", str(workspace)] if workspace.is_file() else ["-m", "ares_jobs.definitions"]
    return [
        *(sys.executable, "-m", "dagster", "dev", *what, "-h", host, "-p", str(port)),
        # At level info every look at the inbox is a line.
        *("--log-level", "warning"),
    ]


def _mlflow_command(home: Home, host: str, port: int) -> list[str]:
    from ares_resources.settings import load_settings
    from ares_resources.tracking import tracking_uri

    names = sorted({host, "localhost", "127.0.0.1"})
    return [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--host", host, "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", tracking_uri(load_settings(), home), "--no-serve-artifacts"),
        *("--default-artifact-root", (home.mlflow / "artifacts").as_uri()),
        *("--uvicorn-opts", "--log-level warning"),
        *("--allowed-hosts", ",".join(f"{_in_url(name)}:{port}" for name in names)),
        *("--cors-allowed-origins", ",".join(_address(name, port) for name in names)),
    ]


def _await_ready(supervisor: Supervisor, host: str, port: int, mlflow_port: int) -> None:
    """Wait until both answer; say where.  Returns early if the servers are told to end."""
    dagster, mlflow = _address(host, port), _address(host, mlflow_port)
    deadline = time.monotonic() + _READY_SECONDS
    for url in (f"{dagster}/server_info", f"{mlflow}/health"):
        while not _answers(url):
            if time.monotonic() > deadline:
                raise AresError(f"{url} gave no answer within {_READY_SECONDS:.0f} s")
            if supervisor.pause(0.25):
                return
    supervisor.say(f"Dagster  {dagster}")
    supervisor.say(f"MLflow   {mlflow}")
    supervisor.say("Ctrl-C ends both")


def _answers(url: str) -> bool:
    import urllib.error
    import urllib.request

    # No proxy: loopback is asked directly, whatever the environment says.
    opener: Callable[..., object] = urllib.request.build_opener(
        urllib.request.ProxyHandler({})
    ).open
    try:
        with opener(url, timeout=_HTTP_SECONDS) as answer:  # type: ignore[attr-defined]
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _address(host: str, port: int) -> str:
    return f"http://{_in_url(host)}:{port}"


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
