"""What ``ares status`` prints: tables for people, one JSON document for programs.

Belongs here: formatting a home's status.  Does not belong here: finding it out (``status.py``),
and what the other commands print (``cli_output.py``).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ares_jobs.cli_output import console_of, print_json

if TYPE_CHECKING:
    from ares_jobs.status import HomeStatus, PartitionStatus
    from ares_jobs.status_releases import ReleaseStatus

_SHOWN_SPANS, _SHOWN_GAPS = 3, 10


def show_status(status: HomeStatus, *, as_json: bool, ledgers: bool = False) -> None:
    """Bars, partitions and what was reaped; where bars come from and lack, if asked for."""
    if as_json:
        print_json(asdict(status))
        return
    from rich.table import Table

    console = console_of()
    console.print(f"home {status.home}", soft_wrap=True)
    bars = Table("series", "bars", "from", "to (UTC)", "gaps", "state", title="Catalogue")
    for row in status.series:
        damaged = (row.stale or "").startswith("damaged")
        state = (row.stale if damaged else f"stale: {row.stale}") if row.stale else "ok"
        bars.add_row(row.series, f"{row.bars:,}", row.first, row.last, str(row.gaps), state)
    console.print(bars if status.series else "catalogue: empty (ares ingest, or train online)")
    if ledgers:
        _show_ledgers(console, status)
    runs = Table("partition", "mode", "step", "bars until", "verdict", "reason", title="Partitions")
    for part in status.partitions:
        steps = f"{part.steps}/16"
        runs.add_row(part.partition, part.mode, steps, part.until, part.status, part.reason)
        _add_attempt(runs, part)
    console.print(runs if status.partitions else "partitions: none trained yet (ares blank ...)")
    _show_releases(console, status)
    for line in status.notes:
        console.print(line, soft_wrap=True)


def _show_releases(console: Any, status: HomeStatus) -> None:
    """What serves, and what is to be trained anew, where there is either."""
    from rich.table import Table

    if status.releases:
        names = ("partition", "version", "rollout", "stage", "capital", "why")
        table = Table(*names, title="Releases (ares rollout has more)")
        for row in status.releases:
            stage = "unknown" if row.stage is None else f"{row.stage:g} %"
            cells = (row.rollout, stage, _capital(row), row.reason)
            table.add_row(row.partition, row.model[:16] or "unknown", *cells)
        console.print(table)
    if status.retrain_requests:
        table = Table("partition", "mode", "with bars after", "why", title="To be trained anew")
        for asked in status.retrain_requests:
            why = f"{asked.kind}: {asked.reason}"
            table.add_row(asked.partition, asked.mode, asked.after, why)
        console.print(table)


def _capital(row: ReleaseStatus) -> str:
    if row.shares is None:
        return "unknown"
    served = [f"{share:.0%} {sha256[:16]}" for sha256, share in sorted(row.shares.items())]
    return "\n".join(served) or "not traded"


def _add_attempt(table: Any, part: PartitionStatus) -> None:
    """Beneath what stands, the run that came after it and to no end."""
    tried = part.last_attempt
    stands = (part.status, part.reason)
    if tried is None or tried.status == "done" or (tried.status, tried.reason) == stands:
        return
    when = f"since then, {tried.ended}: {tried.reason}" if tried.ended else tried.reason
    table.add_row("  last attempt", "", f"{tried.steps}/16", "", tried.status, when)


def _show_ledgers(console: Any, status: HomeStatus) -> None:
    from rich.table import Table

    for row in status.series:
        sources = Table(
            *("source", "came (UTC)", "added", "repeated", "conflicting", "bars that stand"),
            title=f"{row.series}: sources",
        )
        for entry in row.source_ledger:
            counts = (f"{n:,}" for n in (entry.added, entry.repeated, entry.conflicting))
            spans = [f"{first} to {last}" for first, last in entry.spans[:_SHOWN_SPANS]]
            more = len(entry.spans) - _SHOWN_SPANS
            unknown = "none" if entry.began else "not recorded"  # by earlier versions
            spans += [f"and {more} more"] if more > 0 else []
            sources.add_row(entry.source, entry.began, *counts, "\n".join(spans) or unknown)
        console.print(sources)
        for gap in row.gap_ledger[:_SHOWN_GAPS]:
            console.print(f"  gap from {gap.start} to {gap.after}: {gap.missing_bars} bars")
        if len(row.gap_ledger) > _SHOWN_GAPS:
            console.print(f"  and {len(row.gap_ledger) - _SHOWN_GAPS} more gaps (--json has all)")
