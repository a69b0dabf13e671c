"""What a person sees of long work: waits leave a line, on a terminal and elsewhere."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.progress import Progress, TextColumn

from ares_jobs.cli_progress import LiveBars, PlainLines

WAIT = ("BINANCE: ETHUSDT 1m bars", "NetworkError: [reset]", 2, 6, 0.5)
LINE = "BINANCE: ETHUSDT 1m bars: NetworkError: [reset]; waiting 0.5 s, then try 2 of 6"


def test_elsewhere_a_wait_is_a_plain_line(capsys: pytest.CaptureFixture[str]) -> None:
    PlainLines().waiting(*WAIT)
    assert capsys.readouterr().err == f"    {LINE}\n"


def test_on_a_terminal_a_wait_stays_above_the_bars() -> None:
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=60, color_system=None)
    with Progress(TextColumn("{task.fields[partition]}"), console=console) as bars:
        listener = LiveBars(bars)
        listener.waiting(*WAIT)  # before the first step, too
        listener.step_started(1, "Data Collection", "bull|ETHUSDT.SIM")
        listener.waiting("X", "asked for a pause", 1, 1, 30)
        listener.noted("SIM has no bars before")
    assert LINE in shown.getvalue()
    assert "X: asked for a pause; waiting 30 s\n" in shown.getvalue().replace("\r", "")
    assert "SIM has no bars before" in shown.getvalue()
