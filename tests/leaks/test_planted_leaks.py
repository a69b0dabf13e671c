"""Each planted leak is noticed by a check as it runs on every run; without any, all pass."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.partition_runs import CLOCK, again, failed, findings, trained

from ares_assets.check_list import CHECKS
from ares_assets.stored import Stored
from ares_resources.exchanges.simulated.exchange import SimulatedExchange
from ares_resources.settings import load_settings
from ares_resources.timeframes import DAY_MS
from leaks.planted import LEAKS, Leak

SAMPLE = (
    "next bar's return",
    "centred rolling mean",
    "scaled by all bars",
    "unpurged folds",
    "label past its end",
    "signal by a later bar",
)


def test_the_honest_pipeline_passes_every_check_and_tells_figures(honest: Stored) -> None:
    found = findings(honest)
    assert set(found) == {check.name for check in CHECKS}
    assert {name: one.words for name, one in found.items() if not one.passed} == {}
    assert len(honest["walk_forward_report"].load()["decisions.parquet"]) > 20


def cases() -> list[object]:
    return [
        pytest.param(
            leak,
            id=leak.name,
            marks=[] if leak.name in SAMPLE else [pytest.mark.slow],
        )
        for leak in LEAKS
    ]


@pytest.mark.parametrize("leak", cases())
def test_a_planted_leak_is_noticed(
    leak: Leak, honest: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leak.plant(monkeypatch)
    leaking = again(honest, tmp_path, leak.first, leak.last)
    assert all(artifact.skipped is None for artifact in leaking.values())
    if leak.only_in_steps:
        monkeypatch.undo()
    noticed = failed(leaking)
    print(noticed)
    assert leak.caught_by in noticed
    blocking = {check.name for check in CHECKS if check.blocking}
    assert leak.caught_by in blocking


def with_tomorrow_in_the_flow(bars: pd.DataFrame) -> pd.DataFrame:
    """Bars whose taker share was published an hour early: the data leaks, the code is sound."""
    coming = np.log(bars["close"].shift(-60) / bars["close"]).fillna(0.0)
    share = 1 / (1 + np.exp(-coming / coming.std()))
    return bars.assign(taker_buy_share=share)


def test_data_that_was_shifted_in_time_is_warned_of(tmp_path: Path) -> None:
    days = 30
    pages = SimulatedExchange(as_of_ms=CLOCK).bars("ETHUSDT", "1m", CLOCK - days * DAY_MS, CLOCK)
    bars = with_tomorrow_in_the_flow(pd.concat(list(pages), ignore_index=True))
    stored = trained(
        tmp_path,
        bars=bars,
        last=4,
        enhanced_training_manager={"blank": {"lookback_days": 20}},
    )
    noticed = failed(stored, "market_regimes", "analyst_dataset")
    assert set(noticed) == {"no_feature_is_too_good"}
    assert "too good to be true" in noticed["no_feature_is_too_good"]
    assert "taker_share" in noticed["no_feature_is_too_good"]
    lenient = load_settings({"checks": {"suspicious_auc": 0.99}}, mode="blank")
    stored.request = replace(stored.request, settings=lenient)
    assert failed(stored, "analyst_dataset") == {}
