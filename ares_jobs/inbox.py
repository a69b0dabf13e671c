"""The inbox: files dropped into ``inbox/<EXCHANGE>/<SYMBOL>/`` go to the catalogue by themselves.

Belongs here: finding complete files, ingesting or rejecting them, and telling which symbols
have bars that nobody was asked to train on yet.  Does not belong here: Dagster (``sensors.py``),
file formats and storage.

``<SYMBOL>`` is spelled as in the catalogue: ``ETHUSDT``, or ``BTC~sUSDT~cUSDT`` for
``BTC/USDT:USDT``.  Names that begin with a dot or end with .tmp or .part are left alone, so
that a file can be written aside and renamed.  A file stays where it is; one that cannot be used
goes to ``inbox/rejected/`` with a reason beside it.

What was read is remembered by the catalogue, which knows its bars: reading a file again, under
whatever name, adds none and asks for nothing.  Before a file is read, what the catalogue holds
is noted; runs are due while the catalogue differs from that note, and the note goes only when
the caller says that it handed them over.  A kill at any moment therefore loses no run.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ares_jobs.inbox_state import FoundFile, InboxState, find_files
from ares_resources.errors import AresError, BadInput
from ares_resources.home import Home
from ares_resources.storage.atomic import file_lock, write_bytes
from ares_resources.symbols import SymbolKey

REJECTED = "rejected"
_STATE = ".state.json"
_LAYOUT = "allowed: inbox/<EXCHANGE>/<SYMBOL>/<file>, such as inbox/BINANCE/ETHUSDT/bars.csv"


class InboxBusy(AresError):
    """Another process reads this inbox just now."""


@dataclass(frozen=True)
class Due:
    """New bars to be trained on; ``ticket`` is unique and handed back once runs are asked for."""

    symbol: SymbolKey
    timeframe: str
    fingerprint: str
    as_of_ms: int
    ticket: str


@dataclass
class Reading:
    """What one look at the inbox brought; each text is one line."""

    due: list[Due] = field(default_factory=list)
    ingested: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    waiting: int = 0


def read_inbox(home: Home, *, handed_over: Iterable[str], budget_seconds: float = 20) -> Reading:
    """Ingest what is complete and tell which bars are due for training.

    Parameters
    ----------
    handed_over
        Tickets of an earlier reading whose runs have certainly been asked for.
    budget_seconds
        After this long no further file is begun; the next call goes on.

    Raises
    ------
    InboxBusy
        If another process reads this inbox just now.
    """
    if not home.inbox.is_dir():
        return Reading()
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(file_lock(home.locks / "inbox.lock", timeout_seconds=0))
        except AresError as error:
            raise InboxBusy("another process reads the inbox just now") from error
        state = InboxState(home.inbox / _STATE)
        state.forget_tickets(set(handed_over))
        reading = _read(home, state, time.monotonic() + budget_seconds)
        state.save()
    return reading


def _read(home: Home, state: InboxState, deadline: float) -> Reading:
    reading, unread = Reading(), set()
    files = sorted(
        find_files(home.inbox, leave=home.inbox / REJECTED), key=lambda found: found.relative
    )
    state.files = {f.relative: state.files[f.relative] for f in files if f.relative in state.files}
    for found in files:
        if state.is_done(found):
            continue
        if state.is_settled(found) and time.monotonic() < deadline:
            _take(home, state, found, reading)
        else:
            reading.waiting += 1
            unread.add(found.parts[:2])
    for name in sorted(state.tickets):
        symbol = SymbolKey.parse(name)
        if (symbol.exchange, symbol.folder.rpartition(".")[0]) in unread:
            continue
        try:
            reading.due += _due(home, state, symbol)
        except AresError as error:
            reading.troubles.append(f"{symbol}: {_one_line(error)}")
    return reading


def _take(home: Home, state: InboxState, found: FoundFile, reading: Reading) -> None:
    """Ingest or reject one file; what is not the file's fault leaves it for the next time."""
    try:
        reading.ingested.append(_ingest(home, state, found))
    except BadInput as error:
        _reject(home, state, found, error, reading)
    except (AresError, OSError) as error:
        reading.troubles.append(f"{found.relative}: {_one_line(error)}")
    else:
        state.files[found.relative]["done"] = True


def _ingest(home: Home, state: InboxState, found: FoundFile) -> str:
    from ares_resources.exchanges.files.ingest import ingest
    from ares_resources.storage.catalogue import Catalogue

    symbol = _symbol(found)
    if str(symbol) not in state.tickets:
        note = {"ticket": uuid.uuid4().hex, "before": _fingerprints(home, symbol)}
        state.tickets[str(symbol)] = note
        state.save()
    report = ingest(Catalogue(home.catalogue), [found.path], symbol)
    return f"{found.relative}: {report.added} bars added to {report.series}"


def _symbol(found: FoundFile) -> SymbolKey:
    if len(found.parts) != 3:
        raise BadInput(f"{found.relative} is at the wrong place; {_LAYOUT}")
    exchange, folder, _ = found.parts
    symbol = SymbolKey.from_folder(f"{folder}.{exchange}")
    if symbol.exchange == "SIM":
        raise BadInput(
            f"{found.relative}: the bars of SIM are simulated; allowed: any other exchange"
        )
    return symbol


def _due(home: Home, state: InboxState, symbol: SymbolKey) -> list[Due]:
    """What changed of a noted symbol since its note; the note goes if nothing did."""
    note, now = state.tickets[str(symbol)], _fingerprints(home, symbol)
    changed = {frame: mark for frame, mark in now.items() if note["before"].get(frame) != mark}
    if not changed:
        del state.tickets[str(symbol)]
    return [
        Due(symbol, timeframe, mark, _last_close(home, symbol, timeframe), note["ticket"])
        for timeframe, mark in sorted(changed.items())
    ]


def _fingerprints(home: Home, symbol: SymbolKey) -> dict[str, str]:
    """A fingerprint of the bars of each timeframe, from the manifests alone."""
    from ares_resources.storage.catalogue import Catalogue
    from ares_resources.storage.fingerprints import joined_fingerprint
    from ares_resources.storage.series_manifest import load_manifest

    marks = {}
    for series in Catalogue(home.catalogue).series(symbol):
        if series.kind == "bars":
            manifest = load_manifest(home.catalogue / symbol.folder / series.folder)
            months = [month.sha256 for month in manifest.months.values()]
            marks[series.timeframe] = joined_fingerprint(*months)
    return marks


def _last_close(home: Home, symbol: SymbolKey, timeframe: str) -> int:
    from ares_resources.storage.catalogue import Catalogue, Series

    series = Series(symbol, "bars", timeframe)
    coverage = Catalogue(home.catalogue).coverage(series)
    if coverage is None:
        raise AresError(f"{series} has gone from the catalogue while its inbox was read")
    return coverage.last_ms + series.step_ms


def _reject(
    home: Home, state: InboxState, found: FoundFile, error: BadInput, reading: Reading
) -> None:
    """Move a file aside with the reason beside it; remembered first, so never tried again."""
    state.files[found.relative]["done"] = True
    state.save()
    reason = f"{found.relative}: {_one_line(error)}"
    target = _free_name(home.inbox / REJECTED, found.path)
    try:
        write_bytes(target.with_name(f"{target.name}.reason.txt"), f"{reason}\n".encode())
        os.replace(found.path, target)
    except OSError as problem:
        reading.troubles.append(f"{found.relative} cannot be moved aside: {_one_line(problem)}")
    reading.rejected.append(reason)


def _free_name(folder: Path, path: Path) -> Path:
    target, count = folder / path.name, 1
    while target.exists() or target.with_name(f"{target.name}.reason.txt").exists():
        count += 1
        target = folder / f"{path.stem}.{count}{path.suffix}"
    return target


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
