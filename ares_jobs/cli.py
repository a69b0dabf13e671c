"""The ``ares`` command: arguments in, exit codes out.

Belongs here: options, and which function answers a command.  Does not belong here: what is
printed (``cli_output.py``), progress (``cli_progress.py``) and the work itself.

Exit codes: 0 all done; 1 failed; 2 bad input or usage, in one line; 3 done, but a partition
was skipped or degraded; 130 interrupted.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from ares_jobs import cli_output
from ares_resources.errors import (
    EXIT_BAD_INPUT,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    AresError,
    full_disk_told,
)
from ares_resources.home import Home

app = typer.Typer(
    name="ares",
    help="Train crypto trading models that people can believe.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

# Numbers come as text, so that the settings tree can name the value it refuses.
# Typer carries its own copy of click and exports of its exceptions only the leaf.
_UsageError: Any = typer.BadParameter.__base__

Symbol = Annotated[str, typer.Argument(help="Instrument, such as ETHUSDT or BTC/USDT:USDT.")]
Exchange = Annotated[str, typer.Argument(help="SIM, or an exchange that ccxt knows: BINANCE.")]
Regime = Annotated[
    list[str] | None, typer.Option("--regime", help="bull, bear or sideways; may be repeated.")
]
Timeframe = Annotated[str | None, typer.Option(help="Length of a bar: 1m, 5m, 15m, 1h ...")]
LookbackDays = Annotated[
    str | None,
    typer.Option(metavar="<days>", help="Window up to --as-of; 365 in full, 30 in blank mode."),
]
AsOf = Annotated[
    str | None, typer.Option("--as-of", help="Point in time, UTC: 2024-01-01T00:00:00Z.")
]
Offline = Annotated[bool, typer.Option("--offline", help="Use the catalogue; ask no exchange.")]
Seed = Annotated[str | None, typer.Option(metavar="<int>", help="Root of every random choice.")]
Config = Annotated[Path | None, typer.Option("--config", help="YAML file of settings.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        sys.stdout.write(f"ares {version('ares')}\n")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Train crypto trading models that people can believe."""


@app.command()
def train(
    symbol: Symbol,
    exchange: Exchange,
    mode: Annotated[str, typer.Option(help="full, or blank for a light run.")] = "full",
    regime: Regime = None,
    timeframe: Timeframe = None,
    lookback_days: LookbackDays = None,
    as_of: AsOf = None,
    offline: Offline = False,
    seed: Seed = None,
    config: Config = None,
    as_json: AsJson = False,
) -> int:
    """Train a symbol's regimes: collect, train, validate, release."""
    from ares_jobs.cli_request import training_request

    request = training_request(
        symbol=symbol,
        exchange=exchange,
        mode=mode,
        regimes=regime,
        timeframe=timeframe,
        lookback_days=lookback_days,
        as_of=as_of,
        offline=offline,
        seed=seed,
        config=config,
    )
    return _train(request, as_json)


@app.command()
def blank(
    symbol: Symbol,
    exchange: Exchange,
    regime: Regime = None,
    timeframe: Timeframe = None,
    lookback_days: LookbackDays = None,
    as_of: AsOf = None,
    offline: Offline = False,
    seed: Seed = None,
    config: Config = None,
    as_json: AsJson = False,
) -> int:
    """The same as train --mode blank: 30 days, 5 + 3 trials."""
    return train(
        symbol=symbol,
        exchange=exchange,
        mode="blank",
        regime=regime,
        timeframe=timeframe,
        lookback_days=lookback_days,
        as_of=as_of,
        offline=offline,
        seed=seed,
        config=config,
        as_json=as_json,
    )


@app.command()
def ingest(
    files: Annotated[list[Path], typer.Argument(help="CSV, zip, gz, Parquet, feather or JSON.")],
    symbol: Annotated[str, typer.Option("--symbol", help="Instrument of the bars.")],
    exchange: Annotated[str, typer.Option("--exchange", help="Exchange of the bars.")],
    timeframe: Annotated[str | None, typer.Option(help="Said, if the file leaves doubt.")] = None,
    on_conflict: Annotated[
        str, typer.Option(help="refuse, keep_first or keep_last, where bars disagree.")
    ] = "refuse",
    stamped_at: Annotated[
        str,
        typer.Option(
            help="open or close: what a bar's time means; auto compares it with the catalogue."
        ),
    ] = "auto",
    utc_offset: Annotated[
        str | None,
        typer.Option("--utc-offset", help="Zone of times that carry none, such as +08:00."),
    ] = None,
    volume_unit: Annotated[
        str, typer.Option(help="base or quote: the currency of volumes; auto refuses the absurd.")
    ] = "auto",
    allow_jumps: Annotated[
        bool, typer.Option("--allow-jumps", help="Take in a crash that looks like a test network.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Bring files of bars or funding into the catalogue: all of them, or none."""
    from ares_jobs.cli_request import ingest_files

    try:
        report = ingest_files(
            files,
            symbol,
            exchange,
            timeframe=timeframe,
            on_conflict=on_conflict,
            stamped_at=stamped_at,
            utc_offset=utc_offset,
            volume_unit=volume_unit,
            allow_jumps=allow_jumps,
        )
    except KeyboardInterrupt:
        return _complain("interrupted; nothing of these files is kept", EXIT_INTERRUPTED, None)
    cli_output.show_ingest(report, as_json=as_json)
    return 0


@app.command()
def rollout(
    symbol: Symbol,
    exchange: Exchange,
    regime: Regime = None,
    feed: Annotated[
        Path | None,
        typer.Option("--feed", help="CSV or Parquet of live results; moves one stage at most."),
    ] = None,
    rollback: Annotated[
        str | None,
        typer.Option("--rollback", metavar="<reason>", help="Take the live version back now."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Show a released model's rollout, feed it live results, or take it back."""
    from ares_jobs.rollout import exit_code, rollouts
    from ares_resources.symbols import SymbolKey

    key = SymbolKey(symbol, exchange)
    views = rollouts(Home.find(), key, regime, feed=feed, rollback=rollback)
    code = exit_code(views)
    cli_output.show_rollouts(views, str(key), code, as_json=as_json)
    return code


@app.command()
def status(
    ledgers: Annotated[
        bool, typer.Option("--ledgers", help="Also where each bar came from, and every gap.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """What stands where: bars, runs, releases, trainings asked for."""
    from ares_jobs.cli_status import show_status
    from ares_jobs.status import home_status

    show_status(home_status(Home.find()), as_json=as_json, ledgers=ledgers)
    return 0


@app.command()
def init(
    symbol: Annotated[
        list[str] | None, typer.Option("--symbol", help="Register a key such as ETHUSDT.BINANCE.")
    ] = None,
) -> int:
    """Create the homes of Ares, Dagster and MLflow, and register symbols."""
    from ares_jobs.setup import initialise

    cli_output.show_init(initialise(Home.find(), symbol or []))
    return 0


@app.command()
def doctor(as_json: AsJson = False) -> int:
    """Check the installation, the homes and the machine."""
    from ares_jobs.doctor import examine

    findings = examine(Home.find())
    cli_output.show_findings(findings, as_json=as_json)
    return 0 if all(finding.ok for finding in findings) else EXIT_FAILED


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Port of Dagster's web server.")] = 3000,
    mlflow_port: Annotated[int, typer.Option(help="Port of MLflow's web server.")] = 5000,
) -> int:
    """Dagster's UI with its daemon, and MLflow's UI, on loopback."""
    from ares_jobs.web import serve

    return serve(Home.find(), port=port, mlflow_port=mlflow_port) or 0


def _train(request: Any, as_json: bool) -> int:
    from ares_jobs.cli_progress import progress_listener
    from ares_jobs.runner import train as run_training
    from ares_resources.progress import listening

    try:
        with progress_listener(request.regimes) as listener, listening(listener):
            outcomes = run_training(request)
    except KeyboardInterrupt:
        # Typer would end the same way, but without a word.
        return _complain("interrupted; what was finished is kept", EXIT_INTERRUPTED, None)
    cli_output.show_outcomes(outcomes, as_json=as_json)
    return cli_output.exit_code(outcomes)


def run(arguments: list[str] | None = None) -> int:
    """Carry out a command line; returns the exit code and lets no known error through."""
    try:
        with full_disk_told(lambda: Home.find().full_disk()):
            return _called(lambda: app(arguments, standalone_mode=False))
    except _UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            return EXIT_BAD_INPUT
        return _complain(error.format_message(), EXIT_BAD_INPUT, arguments)
    except AresError as error:
        return _complain(str(error), error.exit_code, arguments)
    except Exception as error:
        # The last boundary: nobody is helped by a stack of frames, but who asks for it gets it.
        if os.environ.get("ARES_TRACEBACK"):
            raise
        told = f"{type(error).__name__}: {error} (ARES_TRACEBACK=1 shows where)"
        return _complain(told, EXIT_FAILED, arguments)


def _called(function: Callable[[], Any]) -> int:
    returned = function()
    return returned if isinstance(returned, int) else 0


def _complain(message: str, code: int, arguments: list[str] | None) -> int:
    line = " ".join(message.split())
    if "--json" in (arguments if arguments is not None else sys.argv[1:]):
        sys.stdout.write(json.dumps({"error": line, "exit_code": code}) + "\n")
    sys.stderr.write(f"ares: {line}\n")
    return code


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run())


if __name__ == "__main__":
    main()
