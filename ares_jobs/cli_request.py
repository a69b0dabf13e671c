"""From command-line words to requests.

Belongs here: reading and checking what a person typed.  Does not belong here: doing it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from ares_jobs.config_file import read_config
from ares_jobs.runner import TrainingRequest
from ares_resources.errors import BadInput
from ares_resources.home import Home
from ares_resources.settings import Mode, load_settings
from ares_resources.settings_trees import merge_trees
from ares_resources.symbols import SymbolKey


def training_request(
    *,
    symbol: str,
    exchange: str,
    mode: str,
    regimes: list[str] | None,
    timeframe: str | None,
    lookback_days: str | None,
    as_of: str | None,
    offline: bool,
    seed: str | None,
    config: Path | None,
) -> TrainingRequest:
    """Options over the file's settings over the defaults.

    Raises
    ------
    BadInput
        Naming the value and what is allowed.
    """
    from ares_assets.partitions import REGIMES, check_regime

    if mode not in ("full", "blank"):
        raise BadInput(f"mode {mode!r} is not known; allowed: full, blank")
    typed = _typed(timeframe=timeframe, seed=seed, lookback_days=lookback_days, mode=mode)
    tree = merge_trees(read_config(config), typed)
    load_settings(tree)
    return TrainingRequest(
        symbol=SymbolKey(symbol, exchange),
        regimes=tuple(check_regime(r) for r in dict.fromkeys(regimes)) if regimes else REGIMES,
        mode=cast(Mode, mode),
        overrides=tree,
        as_of=as_of,
        offline=offline,
    )


def ingest_files(
    files: list[Path],
    symbol: str,
    exchange: str,
    *,
    timeframe: str | None,
    on_conflict: str,
    stamped_at: str,
    utc_offset: str | None,
    volume_unit: str,
    allow_jumps: bool = False,
) -> Any:
    """Check every file, and bring all into the catalogue of the home."""
    from ares_jobs.cli_progress import bytes_progress
    from ares_resources.exchanges.files.ingest import ingest
    from ares_resources.exchanges.files.reader import ReadOptions
    from ares_resources.exchanges.files.times import parse_utc_offset
    from ares_resources.exchanges.registry import check_exchange
    from ares_resources.storage.catalogue import Catalogue

    key = SymbolKey(symbol, exchange)
    if exchange == "SIM":
        raise BadInput(
            "exchange 'SIM' makes its own bars and takes none; allowed: the exchange they are from"
        )
    known = check_exchange(exchange, from_files=True)
    options = ReadOptions(
        timeframe=timeframe,
        stamped_at=_unless_auto("--stamped-at", stamped_at, ("open", "close")),
        utc_offset_ms=None if utc_offset is None else parse_utc_offset(utc_offset),
        volume_unit=_unless_auto("--volume-unit", volume_unit, ("base", "quote")),
        allow_jumps=allow_jumps,
    )
    home = Home.find()
    try:
        with bytes_progress() as progress:
            report = ingest(
                Catalogue(home.catalogue),
                files,
                key,
                options=options,
                on_conflict=on_conflict,
                progress=progress,
            )
        note = f"ccxt knows no exchange {exchange}: these bars can be used with --offline only"
        return report if known else replace(report, notes=(note,))
    except OSError as error:
        raise BadInput(
            f"the home {home.root} cannot be written: {error.strerror}; allowed: an ARES_HOME "
            "that can be"
        ) from error


def _unless_auto(option: str, value: str, allowed: tuple[str, ...]) -> str | None:
    if value not in ("auto", *allowed):
        raise BadInput(f"{option} {value!r} is not known; allowed: auto, {', '.join(allowed)}")
    return None if value == "auto" else value


def _typed(
    *, timeframe: str | None, seed: str | None, lookback_days: str | None, mode: str
) -> dict[str, Any]:
    """The tree of what was said by options; text as it was typed."""
    tree: dict[str, Any] = {}
    if timeframe is not None:
        tree["data"] = {"timeframe": timeframe}
    if seed is not None:
        tree["seed"] = seed
    if lookback_days is not None:
        window = {"lookback_days": lookback_days}
        tree["enhanced_training_manager"] = {"blank": window} if mode == "blank" else window
    return tree
