"""Whole processes measured from outside: wall and processor time, peak memory.

Belongs here: running commands in turn and summing up.  Does not belong here: any workload.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

# The peak that the kernel tells of a process begins with that of whoever started it, so a small one
# does.  The command's output goes to its standard error.
_LAUNCHER = """
import os, sys, time
begun = time.perf_counter()
started = os.fork()
if not started:
    os.dup2(2, 1)
    os.execvp(sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(started, 0)
wall = time.perf_counter() - begun
code = os.waitstatus_to_exitcode(status)
print(code, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
"""


@dataclass(frozen=True)
class Run:
    """One finished process: seconds of wall and processor time, and peak memory in MiB."""

    wall: float
    cpu: float
    peak_mib: float


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Run:
    """Run a command to its end.

    Raises
    ------
    subprocess.CalledProcessError
        If it fails; its output is kept.
    """
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", _LAUNCHER, *command],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, list(command), done.stderr)
    code, wall, cpu, peak = done.stdout.split()
    if code != "0":
        raise subprocess.CalledProcessError(int(code), list(command), done.stderr)
    return Run(float(wall), float(cpu), float(peak))


def median(runs: Sequence[Run]) -> Run:
    """Each figure's median."""
    return Run(
        statistics.median(one.wall for one in runs),
        statistics.median(one.cpu for one in runs),
        statistics.median(one.peak_mib for one in runs),
    )


def peak_mib() -> float:
    """Most memory that this process has held at once, resident, MiB.

    Not ``getrusage``, whose peak begins with that of whoever started this process.
    """
    with open("/proc/self/status", encoding="utf-8") as file:
        (peak,) = (line.split()[1] for line in file if line.startswith("VmHWM:"))
    return int(peak) / 1024


def machine() -> dict[str, str]:
    """What the figures depend on."""
    return {
        "python": platform.python_version(),
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": platform.system(),
    }


def versions(*packages: str) -> dict[str, str]:
    """Installed versions in this environment."""
    return {name: version(name) for name in packages}


def peer_versions(environment: str, packages: Sequence[str]) -> dict[str, str]:
    """Installed versions in the environment of this ending (``make bench-peers``)."""
    python = Path(__file__).resolve().parents[1] / f".venv-peers{environment}" / "bin" / "python"
    code = "import sys, importlib.metadata as m; print(*(m.version(n) for n in sys.argv[1:]))"
    if not python.is_file():
        return dict.fromkeys(packages, "not installed")
    told = subprocess.run([python, "-c", code, *packages], capture_output=True, text=True)
    if told.returncode:
        return dict.fromkeys(packages, "not installed")
    return dict(zip(packages, told.stdout.split(), strict=True))


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            lines = [line for line in file if line.startswith("model name")]
    except OSError:
        lines = []
    return lines[0].partition(":")[2].strip() if lines else platform.machine()
