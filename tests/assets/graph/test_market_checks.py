"""The checks of steps 1 to 3, each on results it passes and on results it must not pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.random_bars import random_market

from ares_assets import market_checks
from ares_assets.engine import Request
from ares_assets.market.roles import cuts_of, roles_of
from ares_assets.market.spans import purge_gaps
from ares_assets.stored import Finding, Stored
from ares_resources.settings import load_settings
from ares_resources.storage.catalogue import Catalogue, Series
from ares_resources.symbols import SymbolKey

MINUTE, ROWS = 60_000, 20_000
SYMBOL = SymbolKey("ETHUSDT", "BINANCE")


@dataclass
class Held:
    """An artifact that is held in memory."""

    value: Any
    metadata: Mapping[str, Any] = field(default_factory=dict)
    degraded: tuple[str, ...] = ()

    def load(self) -> Any:
        return self.value


def stays(lengths: int = 1_000) -> np.ndarray:
    names = np.array(["bull", "bear", "sideways"], dtype=object)
    return names[np.arange(ROWS) // lengths % 3]


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    """Sound results of the three steps, for the bear partition."""
    settings = load_settings()
    market = random_market(ROWS, seed=3)
    stamps = market["timestamp"].to_numpy()
    window = {
        "timeframe": "1m",
        "window_start_ms": int(stamps[100]),
        "window_end_ms": int(stamps[-1]) + MINUTE,
    }
    horizon = settings.labels.horizon_bars
    roles = roles_of(market, window, settings.window, horizon)
    rows = np.flatnonzero(
        (stays() == "bear") & np.isin(roles, ["development", "calibration", "holdout"])
    )
    found = Stored()
    found.request = Request(SYMBOL, "bear", settings, window["window_end_ms"], False, "run")
    catalogue = Catalogue(tmp_path)
    catalogue.append(Series(SYMBOL, "bars", "1m"), market.iloc[:, :7], source="test")
    found.workspace = SimpleNamespace(catalogue=catalogue)  # type: ignore[assignment]
    gaps = purge_gaps(stamps, roles, window, settings.window, horizon)
    artifacts = {
        "market_data": Held(market, window),
        "market_regimes": Held(
            {"regimes.parquet": pd.DataFrame({"timestamp": stamps, "regime": stays()})},
            {"switches_per_30_days": 43.2},
        ),
        "regime_dataset": Held(
            pd.DataFrame({"row": rows, "timestamp": stamps[rows], "role": roles[rows]}),
            {"pooled": False, "purge_gaps": gaps},
        ),
    }
    found.update(artifacts)  # type: ignore[arg-type]
    return found


def put(asset: str, **changes: Any) -> Callable[[Stored], None]:
    def change(stored: Stored) -> None:
        for name, value in changes.items():
            setattr(stored[asset], name, value)

    return change


def lose_a_day(stored: Stored) -> None:
    market = stored["market_data"].load()
    kept = market.drop(index=range(4_000, 5_600)).reset_index(drop=True)
    stored["market_data"].value = kept  # type: ignore[attr-defined]


def leap(stored: Stored) -> None:
    stored["market_data"].load().loc[5_000, ["open", "high", "low", "close"]] *= 4


def ask_later(stored: Stored) -> None:
    end = stored["market_data"].metadata["window_end_ms"] + 11 * MINUTE
    request = stored.request
    stored.request = Request(SYMBOL, "bear", request.settings, end, False, "run")


def collapse(stored: Stored) -> None:
    stored["market_regimes"].load()["regimes.parquet"]["regime"] = "bull"


def shift(stored: Stored) -> None:
    stored["regime_dataset"].load()["timestamp"] += MINUTE


def foreign(stored: Stored) -> None:
    rows = stored["regime_dataset"].load()
    row = int(rows["row"].iloc[-1])
    regimes = stored["market_regimes"].load()["regimes.parquet"]
    regimes.loc[row, "regime"] = "bull"


def widen(stored: Stored) -> None:
    """Development runs on through its purge gap."""
    market, window = stored["market_data"].load(), stored["market_data"].metadata
    cut = cuts_of(window, stored.settings.window)[0]
    row = int(np.searchsorted(market["timestamp"].to_numpy(), cut)) - 1
    rows = stored["regime_dataset"].load()
    late = {"row": row, "timestamp": cut - MINUTE, "role": "development"}
    joined = pd.concat([rows, pd.DataFrame([late])]).sort_values("row", ignore_index=True)
    stored["regime_dataset"].value = joined  # type: ignore[attr-defined]


CHECKS: tuple[Callable[[Stored], Finding], ...] = (
    market_checks.bars_have_few_gaps,
    market_checks.bars_are_plausible,
    market_checks.bars_are_fresh,
    market_checks.regimes_are_balanced,
    market_checks.roles_are_disjoint,
    market_checks.split_is_purged,
)


@pytest.mark.parametrize("check", CHECKS)
def test_sound_results_pass_with_words_and_figures(
    stored: Stored, check: Callable[[Stored], Finding]
) -> None:
    finding = check(stored)
    assert finding.passed, finding.words
    assert finding.words
    assert finding.figures


FAULTS = [
    (market_checks.bars_have_few_gaps, lose_a_day, "a gap of 26.7 hours"),
    (market_checks.bars_are_plausible, leap, "leaps of the price that the next bar undoes: 1"),
    (market_checks.bars_are_fresh, ask_later, "the last bar is 11 bars old"),
    (
        market_checks.bars_are_fresh,
        put("market_data", degraded=("stale data: BINANCE did not answer",)),
        "stale data: BINANCE did not answer",
    ),
    (market_checks.regimes_are_balanced, collapse, "every development bar is bull"),
    (
        market_checks.regimes_are_balanced,
        put("market_regimes", metadata={"switches_per_30_days": 4_000.0}),
        "4000 switches of regime in 30 days",
    ),
    (market_checks.roles_are_disjoint, shift, "its bar opened"),
    (market_checks.roles_are_disjoint, foreign, "is not bear"),
    (market_checks.split_is_purged, widen, "a development label may end at"),
]


@pytest.mark.parametrize(("check", "spoil", "words"), FAULTS)
def test_each_fault_fails_its_check_in_one_line(
    stored: Stored,
    check: Callable[[Stored], Finding],
    spoil: Callable[[Stored], None],
    words: str,
) -> None:
    spoil(stored)
    finding = check(stored)
    assert not finding.passed
    assert words in finding.words
    assert "\n" not in finding.words


def test_a_pooled_split_may_hold_other_regimes_in_development_alone(stored: Stored) -> None:
    split = stored["regime_dataset"]
    rows = split.load()
    regimes = stored["market_regimes"].load()["regimes.parquet"]
    regimes.loc[int(rows["row"].iloc[0]), "regime"] = "sideways"
    assert not market_checks.roles_are_disjoint(stored).passed
    split.metadata = {**split.metadata, "pooled": True}  # type: ignore[misc]
    assert market_checks.roles_are_disjoint(stored).passed
    foreign(stored)
    assert not market_checks.roles_are_disjoint(stored).passed
