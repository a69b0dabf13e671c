"""Steps 1 to 3 on a short simulated window: what they tell, skip, pool and call degraded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from helpers.partition_runs import CLOCK, failed, trained

from ares_assets.engine import Request, Work, execute
from ares_assets.market import classification
from ares_assets.market.regimes import switching_fit
from ares_assets.market.regimes.registry import ALGORITHM_NAMES
from ares_assets.step02_market_regime_classification import _collapsed
from ares_assets.steps import STEPS
from ares_resources.exchanges.simulated.exchange import SimulatedExchange
from ares_resources.home import Home
from ares_resources.settings import load_settings
from ares_resources.storage.artifacts import Artifact
from ares_resources.symbols import SymbolKey
from ares_resources.timeframes import DAY_MS
from ares_resources.workspace import Workspace

BASE = {
    "enhanced_training_manager": {"blank": {"lookback_days": 8}},
    "data": {"warmup_bars": 1_500},
}


def steps(home: Home, regime: str = "bear", **regimes: Any) -> dict[str, Artifact]:
    tree: Mapping[str, Any] = {**BASE, "regimes": {"minimum_events": 60, **regimes}}
    settings = load_settings(tree, mode="blank")
    request = Request(SymbolKey("ETHUSDT", "SIM"), regime, settings, None, False, "run")
    found: dict[str, Artifact] = {}
    for spec in STEPS[:3]:
        inputs = {name: found[name] for name in spec.inputs}
        found[spec.name], _ = execute(Work(spec, request, Workspace(home)), inputs)
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    made = Home(tmp_path_factory.mktemp("market"))
    made.create()
    return made


@pytest.fixture(scope="module")
def found(home: Home) -> dict[str, Artifact]:
    return steps(home)


def test_the_tables_of_the_split_agree_with_its_rows(found: dict[str, Artifact]) -> None:
    split, rows = found["regime_dataset"].metadata, found["regime_dataset"].load()
    counted = rows["role"].value_counts()
    for cell in split["balance"]:
        if cell["regime"] == "bear":
            assert cell["bars"] == counted.get(cell["role"], 0)
            assert split[f"{cell['role']}_bars"] == cell["bars"]
    assert [r["role"] for r in split["time_roles"]] == ["development", "calibration", "holdout"]
    window = found["market_data"].metadata
    assert split["time_roles"][0]["start_ms"] == window["window_start_ms"]
    assert split["time_roles"][-1]["end_ms"] == window["window_end_ms"]
    assert [(g["purged_bars"], g["spare_bars"]) for g in split["purge_gaps"]] == [(60, 0)] * 2


def test_a_window_too_short_to_judge_on_is_called_weak(found: dict[str, Artifact]) -> None:
    weak = found["regime_dataset"].metadata["weaknesses"]
    assert any("--lookback-days" in line for line in weak)


def test_every_step_has_a_picture_that_is_shown_unfolded(found: dict[str, Artifact]) -> None:
    for artifact in found.values():
        assert artifact.metadata["picture"].startswith("![")
        assert len(artifact.metadata["picture"]) < 1_000


def test_too_few_decisions_skip_with_numbers_or_pool_with_numbers(
    home: Home, found: dict[str, Artifact]
) -> None:
    own = found["regime_dataset"].metadata["development_events"]
    skipped = steps(home, minimum_events=own + 1)["regime_dataset"].skipped
    assert skipped is not None
    assert skipped.startswith(f"{own} bear decisions in the development part of 8 days")
    assert f"{own + 1} are needed" in skipped
    # 8.01 days would round to the 8 that were too few.
    assert "about 9 days of window would do at this pace (--lookback-days)" in skipped
    assert "regimes.when_too_few: pool" in skipped
    pooled = steps(home, minimum_events=own + 1, when_too_few="pool")["regime_dataset"]
    learnt = pooled.metadata["development_events"]
    assert pooled.degraded == [
        f"trained on all regimes ({learnt} decisions), since bear alone has {own} and "
        f"{own + 1} are needed"
    ]
    rows, before = pooled.load(), found["regime_dataset"].load()
    later = ["calibration", "holdout"]
    pd.testing.assert_frame_equal(
        rows[rows["role"].isin(later)].reset_index(drop=True),
        before[before["role"].isin(later)].reset_index(drop=True),
    )
    assert learnt > own


def test_pooling_that_does_not_help_skips_as_well(home: Home) -> None:
    skipped = steps(home, minimum_events=100_000, when_too_few="pool")["regime_dataset"].skipped
    assert skipped is not None
    assert "pooled decisions" in skipped
    assert "when_too_few" not in skipped


def test_regimes_that_collapse_to_one_are_degraded(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = classification.classify

    def collapsed(*arguments: Any, **options: Any) -> tuple[pd.DataFrame, dict[str, Any]]:
        decided, model = true(*arguments, **options)
        return decided.assign(regime="bull"), model

    monkeypatch.setattr(classification, "classify", collapsed)
    found = steps(home, regime="bull", minimum_dwell_bars=7)
    reason = "every development bar is bull: the regimes tell nothing apart"
    assert found["market_regimes"].degraded == [reason]
    assert found["regime_dataset"].degraded == [reason]


@pytest.mark.parametrize("strays", [0, 200])
def test_where_regimes_collapsed_the_others_are_skipped_with_that_reason(
    strays: int, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = classification.classify

    def collapsed(*arguments: Any, **options: Any) -> tuple[pd.DataFrame, dict[str, Any]]:
        decided, model = true(*arguments, **options)
        decided = decided.assign(regime="sideways")
        decided.loc[1_600 : 1_600 + strays - 1, "regime"] = "bull"
        return decided, model

    monkeypatch.setattr(classification, "classify", collapsed)
    reason = steps(home, regime="bear", minimum_dwell_bars=9 + strays)["regime_dataset"].skipped
    assert reason is not None
    assert reason.startswith("0 bear decisions: ")
    assert "of the development bars are sideways, so filtered_hmm tells no regimes apart" in reason
    assert "jump_model, rule_based), or --regime sideways" in reason
    assert "lookback" not in reason
    assert "pool" not in reason


@pytest.mark.parametrize("algorithm", ALGORITHM_NAMES)
def test_bars_that_never_move_are_skipped_whatever_the_algorithm(
    algorithm: str, tmp_path: Path
) -> None:
    pages = SimulatedExchange(as_of_ms=CLOCK).bars("ETHUSDT", "1m", CLOCK - 10 * DAY_MS, CLOCK)
    bars = pd.concat(list(pages), ignore_index=True)
    still = bars.assign(open=2_000.0, high=2_000.0, low=2_000.0, close=2_000.0)
    regimes = {"minimum_events": 60, "algorithm": algorithm}
    stored = trained(tmp_path, bars=still, last=3, **{**BASE, "regimes": regimes})
    assert list(stored) == ["market_data", "market_regimes"]
    reason = stored["market_regimes"].skipped
    assert reason == (
        "the price never moves: all 14400 bars stand at 2000, so there is nothing to learn"
    )
    assert failed(stored) == {}


def test_how_the_fit_ended_is_shown(found: dict[str, Artifact]) -> None:
    told = found["market_regimes"].metadata
    assert told["converged"] is True
    assert 0 < told["iterations"] < switching_fit.MOST_ITERATIONS
    assert 0 < told["evidence_power"] <= 1
    assert found["market_regimes"].degraded == []


def test_a_fit_that_did_not_converge_is_degraded(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switching_fit, "MOST_ITERATIONS", 3)
    regimes = steps(home, minimum_dwell_bars=8)["market_regimes"]
    assert regimes.metadata["converged"] is False
    assert regimes.degraded == [
        "the fit of filtered_hmm stopped after 3 iterations without converging"
    ]


def test_a_window_without_development_bars_is_not_called_a_regime() -> None:
    assert _collapsed({"bull", "bear"}) == ()
    assert _collapsed({"bull"})[0].startswith("every development bar is bull:")
    assert _collapsed(set())[0].startswith("no development bar has a regime")
