"""Rows of the table of speed: what is measured, in turn, and what the goal says of it.

Belongs here: a row's parts, the turns of its programs, medians and ratios.  Does not belong
here: whether results agree (``agreeing.py``), the rows themselves (``rows/``), the command and the
table (``bench.py``).
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ARES = "ares"
THREAD_SETTINGS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
)
Figures = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Program:
    """One way of doing a case's work.

    ``name`` is the key in its module, ``module`` where it is, ``environment`` what is behind
    ``.venv-peers`` in the name of its environment (None: Ares' own).  ``rounds`` caps the turns it
    takes; ``options`` are added to the case's.  ``threads`` are those that it has
    a use for, where they are fewer than the case gives to everyone.
    """

    name: str
    module: str
    environment: str | None = None
    rounds: int = 99
    options: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""
    threads: int | None = None

    @property
    def shown(self) -> str:
        """What the table calls it."""
        return self.label or self.name

    @property
    def is_peer(self) -> bool:
        """Whether it is somebody else's, in an environment of its own."""
        return self.environment is not None

    @property
    def python(self) -> Path:
        """The interpreter of its environment."""
        if self.environment is None:
            return Path(sys.executable)
        return ROOT / f".venv-peers{self.environment}" / "bin" / "python"


@dataclass(frozen=True)
class Goal:
    """What is wanted: ``figure`` of the programs' figures, None if it could not be measured."""

    text: str
    figure: Callable[[Figures], float | None]
    wanted: float
    unit: str
    at_least: bool = True

    def judged(self, figures: Figures, reasons: Mapping[str, str]) -> dict[str, Any]:
        """The figure, whether it meets the goal, and the reason where it does not."""
        value = self.figure(figures)
        met = value is not None and (
            value >= self.wanted if self.at_least else value <= self.wanted
        )
        reason = (
            reasons.get(self.text, "") if value is not None else "not measured: " + _absent(figures)
        )
        return {
            "goal": self.text,
            "wanted": self.wanted,
            "unit": self.unit,
            "figure": None if value is None else float(f"{value:.3g}"),
            "met": bool(met),
            "reason": "" if met else reason,
        }


@dataclass(frozen=True)
class Case:
    """One measurement of a row: data from a seed, programs that take turns, equality, goals.

    ``make`` writes the data into an empty folder; ``same`` says in words how the results agree and
    raises ``Differs`` where they do not; it is given Ares' result and those of the programs that
    ran.  ``reasons`` say, by goal, why one is not met.  ``turns`` replaces the turns where another
    benchmark takes them (whole commands).
    """

    name: str
    make: Callable[[Path, Mapping[str, Any]], None]
    data: Mapping[str, Any]
    programs: Sequence[Program]
    same: Callable[[Mapping[str, Mapping[str, Any]]], str]
    goals: Sequence[Goal]
    options: Mapping[str, Any] = field(default_factory=dict)
    threads: int = 2
    rounds: int = 5
    turns: Callable[[Path, Callable[[str], None]], Figures] | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)
    unit: str = "s"

    def threads_of(self, program: Program) -> int:
        """How many threads a program has a use for, of those that every program is given."""
        return self.threads if program.threads is None else program.threads


@dataclass(frozen=True)
class Row:
    """A row of the table: its name, what the work is, and its cases, in full or quick size."""

    name: str
    work: str
    cases: Callable[[bool], Sequence[Case]]
    packages: Mapping[str, Sequence[str]] = field(default_factory=dict)


class Differs(Exception):
    """Two programs gave results that are not the same."""


def faster(peers: Sequence[str], times: float, ares: str = ARES, what: str = "") -> Goal:
    """Ares takes so many times less than the fastest of the peers, in the same turns."""
    named = what or " or ".join(peers)

    def figure(figures: Figures) -> float | None:
        ratios = [ratio(figures, peer, ares) for peer in peers]
        known = [one for one in ratios if one is not None]
        return min(known) if known else None

    return Goal(f"{times:g} x {named}", figure, times, "times")


def within(limit: float, unit: str = "s", scale: float = 1.0, ares: str = ARES) -> Goal:
    """Ares takes at most so long."""

    def figure(figures: Figures) -> float | None:
        return figures[ares]["seconds"] * scale if "seconds" in figures.get(ares, {}) else None

    return Goal(f"at most {limit:g} {unit}", figure, limit, unit, at_least=False)


def result_ratio(text: str, name: str, peer: str, wanted: float, ares: str = ARES) -> Goal:
    """The peer's result of this name over Ares', at least so much."""

    def figure(figures: Figures) -> float | None:
        found = [figures.get(one, {}).get("result", {}).get(name) for one in (peer, ares)]
        return None if None in found else float(found[0]) / float(found[1])

    return Goal(text, figure, wanted, "times")


def ratio(figures: Figures, peer: str, ares: str = ARES) -> float | None:
    """Median over the rounds of the peer's seconds over those of Ares in the same round."""
    theirs, ours = (figures.get(name, {}).get("rounds") for name in (peer, ares))
    if not theirs or not ours:
        return None
    return statistics.median(a / b for a, b in zip(theirs, ours, strict=False))


def take_turns(case: Case, folder: Path, say: Callable[[str], None]) -> Figures:
    """Every program of a case in turn, round by round, each a process of its own."""
    if case.turns is not None:
        return case.turns(folder, say)
    case.make(folder, case.data)
    lines: dict[str, list[dict[str, Any]]] = {}
    failed: dict[str, str] = {}
    for turn in range(case.rounds):
        for program in case.programs:
            if turn >= program.rounds or program.shown in failed:
                continue
            try:
                line = run_program(program, case, folder)
            except (OSError, subprocess.SubprocessError, ValueError) as error:
                failed[program.shown] = _last_words(error)
                say(f"{case.name}: {program.shown} failed: {failed[program.shown]}")
                continue
            middle = statistics.median(line["seconds"])
            say(f"{case.name}: round {turn + 1}, {program.shown}: {middle:.4g} s")
            lines.setdefault(program.shown, []).append(line)
    if ARES not in lines:
        raise Differs(f"Ares did not run: {failed}")
    return {
        **{name: _summed(each) for name, each in lines.items() if name not in failed},
        **{name: {"failed": reason} for name, reason in failed.items()},
    }


def run_program(program: Program, case: Case, folder: Path) -> dict[str, Any]:
    """One program's line; an error where it fails or says nothing that can be read."""
    if not program.python.is_file():
        raise OSError(f"no environment {program.python.parent.parent.name}; make bench-peers")
    options = json.dumps({**case.options, **program.options})
    command = [str(program.python), "-m", program.module, program.name, str(folder), options]
    threads = thread_settings(case.threads)
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **threads, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise subprocess.SubprocessError(done.stderr.strip()[-2000:] or f"exit {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def thread_settings(threads: int) -> dict[str, str]:
    """Environment variables that hold libraries to so many threads."""
    # Spinning threads are what a busy machine slows most.
    return {name: str(threads) for name in THREAD_SETTINGS} | {"OMP_WAIT_POLICY": "PASSIVE"}


def _summed(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    rounds = [statistics.median(line["seconds"]) for line in lines]
    return {
        "seconds": statistics.median(rounds),
        "fastest": min(min(line["seconds"]) for line in lines),
        "rounds": [float(f"{one:.4g}") for one in rounds],
        "peak_mib": round(statistics.median(line["peak_mib"] for line in lines), 1),
        "added_mib": round(statistics.median(line["added_mib"] for line in lines), 2),
        **{
            name: round(statistics.median(line[name] for line in lines), 2)
            for name in ("cores", "elsewhere")
        },
        "imported": max(line["imported"] for line in lines),
        "result": lines[-1]["result"],
        "results": [line["result"] for line in lines],
    }


def _last_words(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:200] if lines else type(error).__name__


def _absent(figures: Figures) -> str:
    failed = [f"{name}: {one['failed']}" for name, one in figures.items() if "failed" in one]
    return "; ".join(failed) or "no such program in this run"
