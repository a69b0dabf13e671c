"""What the commands print: tables for people, one JSON document for programs.

Belongs here: formatting.  Does not belong here: finding out what to print, and what
``ares status`` prints (``cli_status.py``).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ares_resources.errors import EXIT_DONE, EXIT_FAILED, EXIT_PARTIAL

if TYPE_CHECKING:
    from ares_jobs.doctor import Finding
    from ares_jobs.rollout_view import RolloutView
    from ares_jobs.runner import PartitionOutcome
    from ares_jobs.setup import Initialised

_COLUMNS = (
    ("AUC", "walk_forward_report/auc", "{:.3f}"),
    ("trades", "walk_forward_report/trades", "{:.0f}"),
    ("net return", "walk_forward_report/net_return", "{:+.2%}"),
    ("Sharpe", "walk_forward_report/sharpe", "{:+.2f}"),
    ("drawdown", "walk_forward_report/maximum_drawdown", "{:.1%}"),
    ("DSR", "monte_carlo_report/deflated_sharpe", "{:.2f}"),
)


def exit_code(outcomes: Sequence[PartitionOutcome]) -> int:
    """0 all done; 1 one failed; 3 one was skipped, degraded, taken back or not released."""
    from ares_assets.release_standing import UNRELEASED, WITHDRAWN

    partial = ("skipped", WITHDRAWN, UNRELEASED)
    if any(outcome.status == "failed" for outcome in outcomes):
        return EXIT_FAILED
    if any(outcome.status in partial or outcome.degraded for outcome in outcomes):
        return EXIT_PARTIAL
    return EXIT_DONE


def show_outcomes(outcomes: Sequence[PartitionOutcome], *, as_json: bool) -> None:
    """The results table of a training, and where to look next."""
    if as_json:
        print_json({"exit_code": exit_code(outcomes), "partitions": [asdict(o) for o in outcomes]})
        return
    console = console_of()
    console.print(_results_table(outcomes))
    for outcome in outcomes:
        console.print()
        console.print(f"{outcome.partition}: {outcome.status}", soft_wrap=True, style="bold")
        console.print(f"  {outcome.reason}", soft_wrap=True)
        for weakness in outcome.metrics.get("regime_dataset/weaknesses", []):
            console.print(f"  weak: {weakness}", soft_wrap=True)
        for warning in outcome.warnings:
            console.print(f"  warning: {warning}", soft_wrap=True)
        if not outcome.gate:
            for reason in outcome.degraded:
                console.print(f"  degraded: {reason}", soft_wrap=True)
        if any(not row["passed"] and row["required"] for row in outcome.gate):
            console.print(_unmet(outcome.gate))
    console.print("\nWhere to look next")
    for outcome in outcomes:
        if outcome.release is not None:
            registered = outcome.release["registered"]
            shown = f"model version {registered}" if registered.isdigit() else registered
            shown += _live_told(outcome.release)
            console.print(f"  {outcome.release['bundle']}  {shown}", soft_wrap=True)
    console.print("  ares status      what stands in this home")
    console.print("  make ui          every run, asset and figure in the browser")


def _live_told(release: dict[str, Any]) -> str:
    if not release["live"]:
        return f", rolled back: {release['withdrawn']}" if release["withdrawn"] else ", not live"
    return f", live with {release['share']:.0%} of capital (ares rollout)"


def _results_table(outcomes: Sequence[PartitionOutcome]) -> Any:
    from rich.table import Table

    table = Table(title="Judged on the holdout, which no step before the 13th has seen")
    table.add_column("partition", no_wrap=True)
    table.add_column("verdict", style="bold", no_wrap=True)
    for title, _, _ in _COLUMNS:
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    for outcome in outcomes:
        cells = [_cell(outcome.metrics.get(name), shown) for _, name, shown in _COLUMNS]
        took = "no change" if outcome.reused else f"{outcome.seconds:.0f} s"
        table.add_row(outcome.partition, outcome.status, *cells, took)
    return table


def _unmet(gate: Sequence[dict[str, Any]]) -> Any:
    """The requirements that do not hold, with what was measured."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for row in gate:
        if not row["passed"] and row["required"]:
            measured = row["measured"]
            shown = "not measurable" if measured is None else measured
            shown = f"{shown:.4g}" if isinstance(shown, float) else str(shown)
            required = Text(f"required: {row['requirement']}", style="dim")
            table.add_row("   ", row["name"], shown, required)
    return table


def show_ingest(report: Any, *, as_json: bool) -> None:
    """What came into the catalogue."""
    if as_json:
        print_json(asdict(report))
        return
    console = console_of()
    for line in report.lines():
        console.print(line, soft_wrap=True)


def show_rollouts(views: Sequence[RolloutView], symbol: str, code: int, *, as_json: bool) -> None:
    """Where each partition's rollout stands, and what it waits for."""
    if as_json:
        print_json({"exit_code": code, "rollouts": [view.as_dict() for view in views]})
        return
    console = console_of()
    if not views:
        console.print(f"nothing was ever released of {symbol}; ares train decides what may be")
    for view in views:
        console.print(f"{view.partition}: {view.status.replace('_', ' ')}", style="bold")
        at = "unknown" if view.stage is None else f"{view.model[:16]} at {view.stage:g} %"
        console.print(f"  version   {at}", soft_wrap=True)
        console.print(f"  capital   {_capital_told(view)}", soft_wrap=True)
        if view.status not in ("none", "damaged"):
            console.print(f"  stage     {_stage_told(view)}", soft_wrap=True)
        console.print(f"  why       {view.reason}", soft_wrap=True)
        for line in view.history:
            console.print(f"  step      {line}", soft_wrap=True)
        console.print(f"  alias     {view.alias}", soft_wrap=True)
        if view.missing_days:
            told = f"{view.missing_days} days without results, which no stage counts"
            console.print(f"  missing   {told}", soft_wrap=True)
        if view.note:
            console.print(f"  damaged   {view.note}", soft_wrap=True)


def _capital_told(view: RolloutView) -> str:
    if view.shares is None:
        return "unknown"
    shares = [f"{share:.0%} {sha256[:16]}" for sha256, share in sorted(view.shares.items())]
    idle = 1.0 - sum(view.shares.values())
    return ", ".join([*shares, f"{idle:.0%} not traded"] if idle > 1e-9 else shares)


def _stage_told(view: RolloutView) -> str:
    return (
        f"{view.days:g} of {view.minimum_days:g} days, {view.trades} of {view.minimum_trades} "
        f"trades; drawdown {view.drawdown:.2%} of {view.maximum_drawdown:.2%}; "
        f"p = {view.p_worse:.4f} of being worse"
    )


def show_init(initialised: Initialised) -> None:
    """Where the homes are."""
    console = console_of()
    console.print(f"home          {initialised.home}", soft_wrap=True)
    console.print(f"Dagster home  {initialised.dagster}", soft_wrap=True)
    console.print(f"symbols       {', '.join(initialised.symbols) or 'none registered'}")


def show_findings(findings: Sequence[Finding], *, as_json: bool) -> None:
    """One line for each thing examined."""
    if as_json:
        print_json([asdict(finding) for finding in findings])
        return
    from rich.text import Text

    console = console_of()
    for finding in findings:
        mark = Text("ok  ", style="green") if finding.ok else Text("bad ", style="red")
        console.print(mark.append(f"{finding.what}: {finding.detail}", ""), soft_wrap=True)


def _cell(value: Any, shown: str) -> str:
    return "" if value is None else shown.format(value)


def print_json(value: Any) -> None:
    """One document for programs."""
    sys.stdout.write(json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n")


def console_of() -> Any:
    """A console for people."""
    from rich.console import Console

    # Output that goes to a file or a log is not folded at a terminal's eighty columns.
    width = None if sys.stdout.isatty() else 120
    # Reasons are people's words and errors name paths: brackets and colons in them are no style.
    return Console(highlight=False, markup=False, emoji=False, width=width)
