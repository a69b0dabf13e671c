"""From the training manager's dictionaries to a training request.

Belongs here: which keys there are, and what is wrong with a value.  Does not belong here:
running it (``runner.py``).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from ares_jobs.runner import TrainingRequest
from ares_resources.errors import BadInput
from ares_resources.settings import Settings, load_settings
from ares_resources.settings_trees import merge_trees
from ares_resources.symbols import SymbolKey

_REQUIRED = ("symbol", "exchange")
_OPTIONAL = ("timeframe", "lookback_days", "regimes", "as_of", "offline", "seed")


def read_training_input(
    training_input: Mapping[str, Any], config: Mapping[str, Any], settings: Settings
) -> TrainingRequest:
    """Check ``{"symbol", "exchange", "timeframe", "lookback_days", ...}``; the rest by config.

    ``lookback_days`` stands over the configured window of the configured mode.

    Raises
    ------
    BadInput
        For a missing or unknown key, or a value that cannot be used, by name.
    """
    _check_keys(training_input)
    given = {name: value for name, value in training_input.items() if value is not None}
    symbol = SymbolKey(*(_text(given, name) for name in _REQUIRED))
    tree = _merged(config, given, settings)
    load_settings(tree)
    as_of, offline = given.get("as_of"), given.get("offline", False)
    if as_of is not None and not isinstance(as_of, str):
        raise BadInput(f"as_of {as_of!r} is not text; allowed: such as '2024-01-01T00:00:00Z'")
    if not isinstance(offline, bool):
        raise BadInput(f"offline {offline!r} is not known; allowed: True, False")
    return TrainingRequest(symbol, _regimes(given), settings.mode, tree, as_of, offline)


def _check_keys(training_input: Mapping[str, Any]) -> None:
    if not isinstance(training_input, Mapping):
        raise BadInput(f"training input {training_input!r} is not a mapping")
    for name in _REQUIRED:
        if training_input.get(name) is None:
            raise BadInput(f"training input lacks {name!r}; needed: {', '.join(_REQUIRED)}")
    known = (*_REQUIRED, *_OPTIONAL)
    for name in training_input:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
            raise BadInput(f"training input: unknown key {name!r}; {hint}")


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given[name]
    if not isinstance(value, str):
        raise BadInput(f"{name} {value!r} is not text; allowed: such as 'ETHUSDT' on 'BINANCE'")
    return value


def _merged(
    config: Mapping[str, Any], given: Mapping[str, Any], settings: Settings
) -> dict[str, Any]:
    """The configuration tree with what this one training asks for."""
    asked: dict[str, Any] = {}
    if "timeframe" in given:
        asked["data"] = {"timeframe": given["timeframe"]}
    if "seed" in given:
        asked["seed"] = given["seed"]
    if "lookback_days" in given:
        window = {"lookback_days": given["lookback_days"]}
        group = {"blank": window} if settings.mode == "blank" else window
        asked["enhanced_training_manager"] = group
    return merge_trees(config, asked)


def _regimes(given: Mapping[str, Any]) -> tuple[str, ...]:
    from ares_assets.partitions import REGIMES, check_regime

    regimes = given.get("regimes", REGIMES)
    if isinstance(regimes, str) or not regimes:
        raise BadInput(f"regimes {regimes!r} is not a list; allowed: some of {', '.join(REGIMES)}")
    return tuple(check_regime(regime) for regime in dict.fromkeys(regimes))
