"""Progress of long work: a live bar on a terminal, plain lines elsewhere.

Belongs here: listeners that draw.  Does not belong here: who tells them.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ares_resources.progress import Listener, wait_line

_STEPS = 16
_SECONDS_BETWEEN_LINES = 5.0


@contextlib.contextmanager
def progress_listener(regimes: Sequence[str]) -> Iterator[Listener]:
    """The listener that suits standard error."""
    if not sys.stderr.isatty():
        yield PlainLines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    with Progress(
        TextColumn("{task.fields[partition]:<28}"),
        BarColumn(bar_width=24),
        TextColumn("{task.completed:>2.0f}/{task.total:.0f}"),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[left]:<12}{task.fields[doing]}"),
        console=Console(stderr=True),
        transient=False,
    ) as bars:
        yield LiveBars(bars)


@contextlib.contextmanager
def bytes_progress() -> Iterator[Callable[[str, int, int], None]]:
    """Progress through files, in bytes: a bar on a terminal, else a line every few seconds."""
    if not sys.stderr.isatty():
        yield _lines_now_and_then(time.monotonic())
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bars:
        task = bars.add_task("")
        yield lambda what, done, total: bars.update(
            task, description=what, completed=done, total=total
        )


def _lines_now_and_then(begun: float) -> Callable[[str, int, int], None]:
    said = begun

    def say(what: str, done: int, total: int) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said >= _SECONDS_BETWEEN_LINES:
            said = now
            _say(f"    {what} {done / max(total, 1):.0%} ({now - begun:.0f} s)")

    return say


class PlainLines:
    """One line when a step ends; trials at each quarter."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def step_started(self, number: int, name: str, partition: str) -> None:
        """Remember when."""
        self._started = time.monotonic()

    def step_ended(self, number: int, name: str, partition: str, outcome: str) -> None:
        """Say what came of it, and how long it took."""
        seconds = time.monotonic() - self._started
        _say(f"{partition}  step {number:>2}/{_STEPS}  {name}: {outcome} ({seconds:.1f} s)")

    def advanced(self, what: str, done: int, total: int) -> None:
        """Say it at each quarter."""
        if total >= 20 and done % max(1, total // 4) == 0:
            _say(f"    {what} {done}/{total}")

    def waiting(self, what: str, reason: str, attempt: int, attempts: int, seconds: float) -> None:
        """Say what failed, and when it is tried again."""
        self.noted(wait_line(what, reason, attempt, attempts, seconds))

    def noted(self, line: str) -> None:
        """Say it."""
        _say(f"    {line}")


class LiveBars:
    """A bar for each partition; time left is judged by the steps of the partitions before."""

    def __init__(self, bars: Any) -> None:
        self._bars = bars
        self._tasks: dict[str, Any] = {}
        self._begun: dict[str, float] = {}
        self._pace: float | None = None

    def step_started(self, number: int, name: str, partition: str) -> None:
        """Show which step is at work."""
        if partition not in self._tasks:
            self._begun[partition] = time.monotonic()
            self._tasks[partition] = self._bars.add_task(
                "", total=_STEPS, partition=partition, doing="", left=""
            )
        self._bars.update(
            self._tasks[partition], completed=number - 1, doing=name, left=self._left(partition)
        )

    def step_ended(self, number: int, name: str, partition: str, outcome: str) -> None:
        """Advance the bar."""
        doing = "" if number == _STEPS else f"{name}: {outcome}"
        if outcome == "skipped":
            doing = f"skipped at step {number}, {name}"
        if number == _STEPS:
            self._pace = time.monotonic() - self._begun[partition]
        self._bars.update(self._tasks[partition], completed=number, doing=doing, left="")

    def advanced(self, what: str, done: int, total: int) -> None:
        """Show trials or refits inside the step."""
        for task in self._tasks.values():
            if not self._bars.tasks[task].finished:
                self._bars.update(task, doing=f"{what} {done}/{total}")

    def waiting(self, what: str, reason: str, attempt: int, attempts: int, seconds: float) -> None:
        """A line above the bars for each wait; it stays."""
        self.noted(wait_line(what, reason, attempt, attempts, seconds))

    def noted(self, line: str) -> None:
        """A line above the bars; it stays."""
        from rich.text import Text

        self._bars.console.print(Text(f"    {line}", style="yellow"), soft_wrap=True)

    def _left(self, partition: str) -> str:
        if self._pace is None:
            return ""
        left = max(0.0, self._pace - (time.monotonic() - self._begun[partition]))
        return f"~{left:.0f} s left"


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
