"""From command-line words to requests.

Belongs here: reading and checking what a person typed.  Does not belong here: doing it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from ares_jobs.runner import TrainingRequest
from ares_resources.errors import BadInput
from ares_resources.home import Home
from ares_resources.settings import Mode, load_settings
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
    tree = read_config(config)
    if timeframe is not None:
        tree.setdefault("data", {})["timeframe"] = timeframe
    if seed is not None:
        tree["seed"] = seed
    if lookback_days is not None:
        _set_lookback(tree, mode, lookback_days)
    load_settings(tree)
    return TrainingRequest(
        symbol=SymbolKey(symbol, exchange),
        regimes=tuple(check_regime(r) for r in dict.fromkeys(regimes)) if regimes else REGIMES,
        mode=cast(Mode, mode),
        overrides=tree,
        as_of=as_of,
        offline=offline,
    )


def read_config(path: Path | None) -> dict[str, Any]:
    """The tree of a YAML file; empty without one.

    Raises
    ------
    BadInput
        If the file is missing, a folder, not YAML, or holds no mapping.
    """
    if path is None:
        return {}
    import yaml

    if not path.is_file():
        raise BadInput(f"--config {str(path)!r} is not a file; allowed: a YAML file of settings")
    try:
        with path.open(encoding="utf-8") as text:
            tree = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"--config {str(path)!r} is not YAML: {error}") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise BadInput(f"--config {str(path)!r} holds {type(tree).__name__}; allowed: a mapping")
    return tree


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


def _set_lookback(tree: dict[str, Any], mode: str, days: str) -> None:
    manager = tree.setdefault("enhanced_training_manager", {})
    group = manager.setdefault("blank", {}) if mode == "blank" else manager
    group["lookback_days"] = days
