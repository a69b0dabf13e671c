"""The supervisor ends what it starts; the web servers keep to loopback."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ares_jobs import web
from ares_jobs.supervisor import Supervisor
from ares_jobs.web import serve
from ares_resources.errors import AresError, BadInput
from ares_resources.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: object, seconds: float = 10) -> bool:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def ended(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "example.com", "::", ""])
def test_only_loopback_is_served(home: Home, host: str) -> None:
    with pytest.raises(BadInput, match="not loopback; allowed: "):
        serve(home, host=host, port=free_port(), mlflow_port=free_port())
    assert not home.root.exists()


@pytest.mark.parametrize("taken", ["--port", "--mlflow-port"])
def test_a_taken_port_is_one_line_that_names_the_option(home: Home, taken: str) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        ports = {"--port": free_port(), "--mlflow-port": free_port()}
        ports[taken] = holder.getsockname()[1]
        with pytest.raises(BadInput) as refused:
            serve(home, port=ports["--port"], mlflow_port=ports["--mlflow-port"])
    assert str(ports[taken]) in str(refused.value)
    assert f"{taken} NUMBER" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not home.root.exists()


@pytest.mark.parametrize("port", [0, 65_536, -1])
def test_a_number_that_is_no_port_is_refused(home: Home, port: int) -> None:
    with pytest.raises(BadInput, match="allowed: 1 to 65535"):
        serve(home, port=port, mlflow_port=free_port())


def test_one_port_for_both_is_refused(home: Home) -> None:
    port = free_port()
    with pytest.raises(BadInput, match="twice"):
        serve(home, port=port, mlflow_port=port)


def test_the_servers_are_told_to_keep_to_this_machine(home: Home) -> None:
    command = web._mlflow_command(home, "127.0.0.1", 5000)
    assert option(command, "--host") == "127.0.0.1"
    assert option(command, "--workers") == "1"
    assert option(command, "--allowed-hosts") == "127.0.0.1:5000,localhost:5000"
    assert option(command, "--backend-store-uri") == f"sqlite:///{home.mlflow}/mlflow.db"
    dagster = web._dagster_command("127.0.0.1", 3000)
    assert option(dagster, "-h") == "127.0.0.1"
    assert option(dagster, "-w").endswith("workspace.yaml")


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def python(code: str) -> list[str]:
    return [sys.executable, "-u", "-c", textwrap.dedent(code)]


def test_output_is_echoed_line_by_line_behind_the_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Supervisor() as supervisor:
        supervisor.start("one", python("print('hello'); import time; time.sleep(30)"), os.environ)
        seen = ""

        def heard() -> bool:
            nonlocal seen
            seen += capsys.readouterr().out
            return "one     | hello\n" in seen

        assert wait_for(heard)


def test_a_child_that_ends_by_itself_is_an_error_with_its_last_words() -> None:
    with Supervisor() as supervisor:
        supervisor.start("one", python("print('no such table'); raise SystemExit(3)"), os.environ)
        with pytest.raises(AresError, match="one ended by itself with code 3: no such table"):
            supervisor.wait()


# A child that ignores INT and TERM, with a grandchild in a session of its own.
STUBBORN = """
import os, signal, subprocess, sys, time
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"],
                         start_new_session=True)
open(sys.argv[1], "w").write(f"{os.getpid()} {child.pid}")
time.sleep(300)
"""


def test_even_stubborn_children_and_escaped_grandchildren_are_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ares_jobs.supervisor._RUDE_SECONDS", 0.3)
    told = tmp_path / "pids"
    with Supervisor(polite_seconds=0.3) as supervisor:
        supervisor.start("one", [*python(STUBBORN), str(told)], os.environ)
        assert wait_for(lambda: told.is_file() and len(told.read_text().split()) == 2)
        pids = [int(pid) for pid in told.read_text().split()]
        assert not any(ended(pid) for pid in pids)
    assert all(ended(pid) for pid in pids)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
def test_a_signal_ends_the_wait_and_the_children(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Supervisor() as supervisor:
        supervisor.start("one", python("import time; time.sleep(300)"), os.environ)
        threading.Timer(0.3, os.kill, (os.getpid(), number)).start()
        supervisor.wait()
        pid = supervisor._children[0].process.pid
    assert ended(pid)
    assert signal.getsignal(number) is before


def test_children_hear_signals_that_the_parent_was_started_to_ignore(tmp_path: Path) -> None:
    """Shells start background jobs with INT ignored, and children would inherit that."""
    code = """
    import os, signal, sys
    from ares_jobs.supervisor import Supervisor
    with Supervisor() as supervisor:
        child = "import signal; print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"
        supervisor.start("one", [sys.executable, "-u", "-c", child], os.environ)
        supervisor._children[0].process.wait()
        supervisor._children[0].echo.join()
    """
    script = f"trap '' INT; exec {sys.executable} -c \"$CODE\""
    environment = {**os.environ, "CODE": textwrap.dedent(code)}
    done = subprocess.run(
        ["sh", "-c", script], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "one     | False\n", done.stderr


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int, int]]:
    """Both servers over an empty home, in a process of their own, as ``make ui`` starts them."""
    port, mlflow_port = free_port(), free_port()
    environment = {**os.environ, "ARES_HOME": str(tmp_path / "home"), "ARES_INBOX_MODE": "blank"}
    environment.pop("DAGSTER_HOME", None)
    arguments = ["ui", "--port", str(port), "--mlflow-port", str(mlflow_port)]
    process = subprocess.Popen(
        [sys.executable, "-c", "from ares_jobs.cli import main; main()", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    yield process, port, mlflow_port
    if process.poll() is None:
        process.terminate()
        process.wait(timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_make_ui_starts_answers_and_leaves_no_process(
    served: tuple[subprocess.Popen[str], int, int], number: signal.Signals
) -> None:
    process, port, mlflow_port = served
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C ends both" in line:
            break
    text = "".join(lines)
    assert re.search(rf"Dagster +http://127\.0\.0\.1:{port}\n", text), text
    assert re.search(rf"MLflow +http://127\.0\.0\.1:{mlflow_port}\n", text), text
    for url in (f"http://127.0.0.1:{port}/server_info", f"http://127.0.0.1:{mlflow_port}/"):
        assert urllib.request.urlopen(url, timeout=10).status == 200
    stranger = urllib.request.Request(f"http://127.0.0.1:{mlflow_port}/", headers={"Host": "evil"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(stranger, timeout=10)
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 4
    process.send_signal(number)
    process.stdout.read()
    assert process.wait(timeout=60) == 0
    assert not [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
