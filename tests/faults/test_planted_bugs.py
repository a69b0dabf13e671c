"""The suite can fail: each bug that is planted here is found within some seeds."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from faults.scripts import HIDING, OMISSIONS
from faults.sequences import Focus, Sequence

from ares_resources import collecting_bars
from ares_resources.exchanges import ccxt_client, ccxt_exchange, exchange_clock, pages
from ares_resources.exchanges.bounded_session import BoundedSession
from ares_resources.exchanges.ccxt_client import LastAnswer
from ares_resources.exchanges.restraints import Restraints
from ares_resources.storage import atomic, gap_looks
from ares_resources.storage.catalogue import Catalogue
from ares_resources.timeframes import grid_ceil

_MOST_SEEDS = 40

Plant = Callable[[pytest.MonkeyPatch], None]


def _believe_duplicates(patch: pytest.MonkeyPatch) -> None:
    """A row that is sent twice with different values is taken, the later one."""
    patch.setattr(pages, "_refuse_disorder", lambda frame: None)
    keep_last = functools.partialmethod(Catalogue.append_parts, on_conflict="keep_last")

    def append(self: Catalogue, series: object, frame: pd.DataFrame, *, source: str) -> object:
        return keep_last.__get__(self)(series, [(source, frame)])[0]

    patch.setattr(Catalogue, "append", append)


def _keep_the_forming_candle(patch: pytest.MonkeyPatch) -> None:
    """What has begun counts as a bar."""

    def wanted(page: pd.DataFrame, asked: pages.Asked) -> pd.DataFrame:
        return page[page["timestamp"].between(asked.start_ms, asked.end_ms - 1)].reset_index(
            drop=True
        )

    patch.setattr(ccxt_exchange, "wanted_bars", wanted)
    patch.setattr(ccxt_exchange, "grid_floor", grid_ceil)


def _believe_every_clock(patch: pytest.MonkeyPatch) -> None:
    """The first answer about the time is right."""
    clock = exchange_clock.ExchangeClock
    patch.setattr(clock, "_believed", lambda self: self._answer())


def _believe_every_gap(patch: pytest.MonkeyPatch) -> None:
    """What one page leaves out does not exist, for ever."""
    patch.setattr(collecting_bars.BarsTask, "_is_empty", lambda self, start, end: True)
    patch.setattr(gap_looks.Look, "due", lambda self, now: False)


def _believe_a_gap_seen_twice(patch: pytest.MonkeyPatch) -> None:
    """Two looks a second apart settle it for ever."""
    patch.setattr(gap_looks.Look, "due", lambda self, now: False)


def _look_only_once_at_funding(patch: pytest.MonkeyPatch) -> None:
    """What was asked for once is complete."""
    from ares_resources.collecting_records import RecordsTask

    patch.setattr(RecordsTask, "_look_again", lambda self: None)


def _write_in_place(patch: pytest.MonkeyPatch) -> None:
    """No temporary file, no rename."""

    def write(path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    patch.setattr(atomic, "write_bytes", write)
    patch.setattr("ares_resources.storage.month_files.write_unlisted", write)
    patch.setattr("ares_resources.storage.series_manifest.write_bytes", write)


def _ask_through_bans(patch: pytest.MonkeyPatch) -> None:
    """A ban is somebody else's business."""
    patch.setattr(Restraints, "refusal", lambda self, exchange: None)


def _ask_during_pauses(patch: pytest.MonkeyPatch) -> None:
    """Retry-After is for others."""
    patch.setattr(Restraints, "pause", lambda self, exchange, seconds: None)
    patch.setattr(LastAnswer, "retry_after", lambda self: None)


def _read_for_ever(patch: pytest.MonkeyPatch) -> None:
    """Only the distance of two bytes is bounded."""

    def bound(client: Any, seconds: float, clock: object) -> None:
        client.session = BoundedSession(1e9)

    patch.setattr(ccxt_client, "_bound", bound)


@pytest.mark.parametrize(
    ("plant", "focus", "words"),
    [
        (_believe_duplicates, Focus(("contradiction",), 0.0), "never sent"),
        (_keep_the_forming_candle, Focus(("slow",), 0.0), "never sent|a conflict"),
        (_believe_every_clock, Focus(("skew",), 0.0), "never sent|a conflict"),
        (
            _believe_every_gap,
            Focus((*OMISSIONS, *HIDING), 0.0),
            "bars: .* without faults",
        ),
        (_believe_a_gap_seen_twice, Focus(HIDING, 0.0), "bars: .* without faults"),
        (_look_only_once_at_funding, Focus(OMISSIONS, 0.0), "(funding|open_interest): .* without"),
        (_write_in_place, Focus(("slow",), 1.0), "cannot be read|the last run"),
        (_ask_through_bans, Focus(("418",), 0.0), "during a ban"),
        (_ask_during_pauses, Focus(("429",), 0.0), "during a pause"),
        (_read_for_ever, Focus(("drip",), 0.0), "dripped for longer"),
    ],
)
def test_a_planted_bug_is_found(
    plant: Plant, focus: Focus, words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plant(monkeypatch)
    for seed in range(_MOST_SEEDS):
        record = Sequence(seed, tmp_path / str(seed), focus).play()
        if any(re.search(words, problem) for problem in record.problems):
            return
    pytest.fail(f"{plant.__doc__} {_MOST_SEEDS} seeds did not notice")
