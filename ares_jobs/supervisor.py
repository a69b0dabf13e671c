"""Child processes that live exactly as long as their supervisor wants.

Belongs here: starting, echoing, signals and ending of children.  Does not belong here: what
the children are (``web.py``).

Each child leads its own process group, so that Ctrl-C reaches the supervisor alone, and so
that whatever a child starts can be ended with it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from ares_resources.errors import AresError

if TYPE_CHECKING:
    import psutil

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)
_POLITE_SECONDS = 20.0
_RUDE_SECONDS = 5.0
_LAST_LINES = 5


@dataclass
class _Child:
    name: str
    process: subprocess.Popen[str]
    echo: threading.Thread
    last: deque[str] = field(default_factory=lambda: deque(maxlen=_LAST_LINES))


class Supervisor:
    """Context manager: on leaving, by whatever way, every descendant is ended.

    To be used in the main thread, since it handles INT, TERM and QUIT.
    """

    def __init__(self, *, polite_seconds: float = _POLITE_SECONDS) -> None:
        self._polite_seconds = polite_seconds
        self._children: list[_Child] = []
        self._stop = threading.Event()
        self._previous: dict[int, Any] = {}
        self._output = threading.Lock()

    def __enter__(self) -> Supervisor:
        # A handled signal is at its default again in a child, an ignored one stays ignored:
        # that is how background jobs of a script come not to hear INT.
        for number in _SIGNALS:
            self._previous[number] = signal.signal(number, self._told_to_stop)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._end_all()
        finally:
            for number, handler in self._previous.items():
                signal.signal(number, handler)

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a child; its output appears line by line behind its name."""
        if self._stop.is_set():
            return
        process = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        child = _Child(name, process, threading.Thread(target=lambda: None))
        child.echo = threading.Thread(target=self._echo, args=(child,), daemon=True)
        child.echo.start()
        self._children.append(child)

    def pause(self, seconds: float) -> bool:
        """Wait; True at once when told to stop.

        Raises
        ------
        AresError
            If a child has ended by itself.
        """
        stopping = self._stop.wait(seconds)
        for child in self._children:
            code = child.process.poll()
            if code is not None and not stopping:
                child.echo.join(timeout=1)
                words = " / ".join(child.last) or "it said nothing"
                raise AresError(f"{child.name} ended by itself with code {code}: {words}")
        return stopping

    def wait(self) -> None:
        """Return when told to stop; raises as :meth:`pause` does."""
        while not self.pause(0.5):
            pass

    def say(self, line: str, name: str = "ares") -> None:
        """Print one line behind a name; whole lines even from several threads."""
        with self._output, contextlib.suppress(BrokenPipeError):
            sys.stdout.write(f"{name:<8}| {line}\n")
            sys.stdout.flush()

    def _told_to_stop(self, number: int, frame: FrameType | None) -> None:
        self._stop.set()

    def _echo(self, child: _Child) -> None:
        assert child.process.stdout is not None
        for line in child.process.stdout:
            text = line.rstrip()
            if text:
                child.last.append(text)
                self.say(text, child.name)

    def _end_all(self) -> None:
        """INT to the groups as Ctrl-C would, then TERM, then KILL to whatever is left."""
        import psutil

        family = _with_descendants([child.process.pid for child in self._children])
        leaders = [p for p in family if p.pid in {child.process.pid for child in self._children}]
        for child in self._children:
            _signal_group(child.process, signal.SIGINT)
        psutil.wait_procs(leaders, timeout=self._polite_seconds)
        left = _with_descendants([p.pid for p in family if _computes(p)])
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        _, left = psutil.wait_procs(left, timeout=_RUDE_SECONDS)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        # Not gone at once: a return means that nothing is left.
        psutil.wait_procs([p for p in left if _computes(p)], timeout=_RUDE_SECONDS)
        for child in self._children:
            _signal_group(child.process, signal.SIGKILL)
            child.process.wait()
            child.echo.join(timeout=1)


def _with_descendants(pids: list[int]) -> list[psutil.Process]:
    """The processes that still are, and all that descend from them."""
    import psutil

    family: dict[int, psutil.Process] = {}
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            family |= {p.pid: p for p in (process, *process.children(recursive=True))}
    return [family[pid] for pid in sorted(family)]


def _computes(process: psutil.Process) -> bool:
    """Whether the process still is, and is more than an entry that nobody has collected."""
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _signal_group(leader: subprocess.Popen[str], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader.pid, number)
