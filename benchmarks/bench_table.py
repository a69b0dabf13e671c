"""The table of speed as Markdown.

Belongs here: words and units of its cells.  Does not belong here: measuring (``bench.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.turns import ARES, Figures, ratio


def table(rows: Mapping[str, Mapping[str, Any]], code: str | None = None) -> str:
    """The rows as Markdown: Ares, each peer over Ares, memory, equality, goals.

    ``code`` is that of today: a row of other code tells its commit and day.
    """
    lines = [
        "| work | Ares (threads) | peers: times Ares' time (peak MiB, threads) "
        "| Ares' peak MiB (added) "
        "| equal results | goal: figure |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        if row.get("absent"):
            lines.append(f"| **{name}** | | | | | not measured: {row['absent']} |")
        other = code is not None and row.get("code") != code
        apart = f" (measured by other code: {row.get('commit')}, {row.get('date')})" * other
        for case in row["cases"]:
            lines.append(f"| **{name}**, {case['case']}{apart} | {_cells(case)} |")
    return "\n".join(lines)


def _cells(case: Mapping[str, Any]) -> str:
    figures: Figures = case["figures"]
    own = figures.get(ARES, {})
    ran = "seconds" in own
    threads: Mapping[str, int] = case["threads"]
    peers = [_peer(figures, name, threads[name]) for name in figures if name != ARES]
    cells = [
        f"{_seconds(own['seconds'])} ({threads[ARES]})" if ran else "failed",
        "; ".join(peers),
        f"{own['peak_mib']:.0f} ({own['added_mib']:.1f})" if ran else "",
        ("DIFFERS: " if case["differs"] and ran else "") + case["equal"],
        "; ".join(_goal(goal) for goal in case["goals"]),
    ]
    return " | ".join(cells).replace("\n", " ")


def _peer(figures: Figures, name: str, threads: int) -> str:
    one = figures[name]
    if "failed" in one:
        return f"{name}: could not run ({one['failed']})"
    times = ratio(figures, name)
    shown = "?" if times is None else f"{times:,.3g}" if times < 1000 else f"{times:,.0f}"
    return f"{name} {shown} ({one['peak_mib']:.0f}, {threads})"


def _goal(goal: Mapping[str, Any]) -> str:
    if goal["met"]:
        return f"{goal['goal']}: **{goal['figure']:g}**, met"
    figure = "none" if goal["figure"] is None else f"{goal['figure']:g}"
    reason = f" ({goal['reason']})" if goal["reason"] else ""
    return f"{goal['goal']}: **{figure}**, not met{reason}"


def _seconds(value: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if value * scale >= 1 or unit == "us":
            return f"{value * scale:.3g} {unit}"
    raise AssertionError
