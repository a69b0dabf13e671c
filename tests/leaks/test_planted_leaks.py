"""Each planted leak is noticed by a check as it runs on every run; without any, all pass."""

from __future__ import annotations

from dataclasses import replace
from inspect import ismodule
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.partition_runs import CLOCK, again, failed, findings, held, trained

from ares_assets import check_list
from ares_assets.check_list import CHECKS
from ares_assets.stored import Finding, Stored
from ares_resources.exchanges.simulated.exchange import SimulatedExchange
from ares_resources.settings import load_settings
from ares_resources.timeframes import DAY_MS
from leaks.planted import LEAKS, Leak

# Planted elsewhere: in the data themselves (below), and in a model that is kept (test_votes.py).
ELSEWHERE = {"no_feature_is_too_good", "gain_is_of_later_events"}


def test_the_honest_pipeline_passes_every_check_and_tells_figures(honest: Stored) -> None:
    found = findings(honest)
    assert set(found) == {check.name for check in CHECKS}
    assert {name: one.words for name, one in found.items() if not one.passed} == {}
    assert len(honest["walk_forward_report"].load()["decisions.parquet"]) > 20


def cases() -> list[object]:
    """Every leak; the first of each check runs always, where no step takes seconds, the rest slow.

    Of the proofs of step 5 cheaper cases are below, and in ``test_final_models.py``.
    """
    first: dict[str, Leak] = {}
    for leak in LEAKS:
        first.setdefault(leak.caught_by, leak)
    for of_step_5 in ("predictions_are_out_of_fold", "specialists_saw_development_only"):
        first.pop(of_step_5)
    return [
        pytest.param(leak, id=leak.name, marks=[] if leak in first.values() else pytest.mark.slow)
        for leak in LEAKS
    ]


def judge(stored: Stored, name: str) -> Finding:
    """What one check finds."""
    return next(check for check in CHECKS if check.name == name).body(stored)


def test_there_is_a_leak_for_every_proof() -> None:
    parts = [part for part in vars(check_list).values() if ismodule(part)]
    rooms = [part for part in parts if part.__name__.startswith("ares_assets.leak_proof.")]
    proofs = {check.name for check in CHECKS if any(hasattr(room, check.name) for room in rooms)}
    assert len(proofs) >= 23
    assert {leak.caught_by for leak in LEAKS} | ELSEWHERE == proofs


@pytest.mark.parametrize("leak", cases())
def test_a_planted_leak_is_noticed(
    leak: Leak, honest: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leak.plant(monkeypatch)
    leaking = again(honest, tmp_path, leak.first, leak.last)
    assert all(artifact.skipped is None for artifact in leaking.values())
    if leak.only_in_steps:
        monkeypatch.undo()
    found = judge(leaking, leak.caught_by)
    print(found.words)
    assert not found.passed
    assert leak.caught_by in {check.name for check in CHECKS if check.blocking}


def test_a_column_of_step_5_that_knows_its_labels_is_noticed(honest: Stored) -> None:
    table = honest["analyst_specialists"].load()["out_of_fold.parquet"]
    mixed = table.assign(linear=0.999 * table["linear"] + 0.001 * table["label"])
    leaking = held(honest, analyst_specialists={"out_of_fold.parquet": mixed})
    found = judge(leaking, "predictions_are_out_of_fold")
    assert not found.passed
    assert "linear expert, fold 0" in found.words


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
