"""The two promises, on whole pipelines: no look at the holdout; same in, same out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pytest

from ares_assets.engine import Request, Work, execute
from ares_assets.steps import STEPS
from ares_resources.exchanges.simulated.exchange import SimulatedExchange
from ares_resources.home import Home
from ares_resources.settings import load_settings
from ares_resources.storage.artifacts import Artifact
from ares_resources.storage.catalogue import Catalogue, Series
from ares_resources.symbols import SymbolKey
from ares_resources.timeframes import DAY_MS
from ares_resources.workspace import Workspace

CLOCK = 1_704_067_200_000
SYMBOL = SymbolKey("ETHUSDT", "BINANCE")
DAYS = 60
# Without costs there is something to trade, so calibration and search have real work to do.
OVERRIDES = {
    "tracking": {"enabled": False},
    "costs": {"fee_bp": 0.0, "slippage_bp": 0.0},
    "enhanced_training_manager": {"blank": {"lookback_days": DAYS, "max_trials": 12}},
}


Records: TypeAlias = dict[str, pd.DataFrame]


def simulated_records() -> Records:
    """What is known of a swap: bars, funding, and an open interest that follows another market."""
    exchange = SimulatedExchange(as_of_ms=CLOCK)
    span = (CLOCK - (DAYS + 10) * DAY_MS, CLOCK)
    return {
        "bars": pd.concat(list(exchange.bars("FLIPUSDT", "1m", *span)), ignore_index=True),
        "funding": exchange.funding("FLIPUSDT", *span),
        "open_interest": exchange.open_interest("PLACEBOUSDT", "1m", *span),
    }


def with_noise_from(records: Records, first_ms: float) -> Records:
    """The same, but a random walk with random volumes, funding and interest from a moment on."""
    noisy = {kind: frame.copy() for kind, frame in records.items()}
    late = {kind: (frame["timestamp"] >= first_ms).to_numpy() for kind, frame in noisy.items()}
    stream, bars, is_late = np.random.default_rng(3), noisy["bars"], late["bars"]
    count = int(is_late.sum())
    start = bars.loc[~is_late, "close"].iloc[-1]
    close = start * np.exp(np.cumsum(stream.normal(0, 0.002, count)))
    opened = np.concatenate([[start], close[:-1]])
    changed = {
        "open": opened,
        "close": close,
        "high": np.maximum(opened, close) * 1.001,
        "low": np.minimum(opened, close) * 0.999,
        "volume": stream.uniform(1, 1000, count),
        "taker_buy_share": stream.uniform(0, 1, count),
    }
    for name, values in changed.items():
        bars.loc[is_late, name] = values
    for kind, name, scale in (("funding", "funding_rate", 1e-3), ("open_interest",) * 2 + (1e9,)):
        noisy[kind].loc[late[kind], name] = stream.uniform(0, scale, int(late[kind].sum()))
    return noisy


def results(
    root: Path,
    records: Records,
    overrides: dict[str, Any] = OVERRIDES,
    regime: str = "bear",
) -> dict[str, Artifact]:
    """Steps 1 to 12 of one partition in a home of its own."""
    home = Home(root)
    home.create()
    for kind, frame in records.items():
        Catalogue(home.catalogue).append(Series(SYMBOL, kind, "1m"), frame, source="test")
    settings = load_settings(overrides, mode="blank")
    request = Request(SYMBOL, regime, settings, CLOCK, True, "run")
    found: dict[str, Artifact] = {}
    for spec in STEPS[:12]:
        inputs = {name: found[name] for name in spec.inputs}
        found[spec.name], _ = execute(Work(spec, request, Workspace(home)), inputs)
        assert found[spec.name].skipped is None
    return found


def changed_steps(first: dict[str, Artifact], second: dict[str, Artifact]) -> list[int]:
    """Steps whose files, or what is told of them, differ."""
    return [
        s.number
        for s in STEPS[:12]
        if first[s.name].sha256 != second[s.name].sha256
        or first[s.name].metadata != second[s.name].metadata
    ]


@pytest.fixture(scope="module")
def true_results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    found = results(tmp_path_factory.mktemp("true"), simulated_records())
    # The proofs below are worth something only where every step had something to decide.
    assert found["analyst_dataset"].metadata["calibration_events"] >= 60
    assert found["calibrated_confidence"].degraded == []
    assert not found["final_parameters"].metadata["never_trades"]
    assert found["final_parameters"].metadata["pareto_points"] >= 1
    return found


def test_noise_in_place_of_the_holdout_changes_no_artifact_of_steps_4_to_12(
    true_results: dict[str, Artifact], tmp_path: Path
) -> None:
    noisy = with_noise_from(simulated_records(), CLOCK - 0.2 * DAYS * DAY_MS)
    # Steps 1 to 3 hold the bars and regimes of the holdout itself.
    assert changed_steps(true_results, results(tmp_path, noisy)) == [1, 2, 3]


@pytest.mark.slow
@pytest.mark.parametrize("regime", ["bull", "sideways"])
def test_nor_does_it_in_another_regime(regime: str, tmp_path: Path) -> None:
    records = simulated_records()
    noisy = with_noise_from(records, CLOCK - 0.2 * DAYS * DAY_MS)
    found = results(tmp_path / "true", records, regime=regime)
    again = results(tmp_path / "noisy", noisy, regime=regime)
    assert changed_steps(found, again) == [1, 2, 3]


@pytest.mark.parametrize("kind", ["bars", "funding", "open_interest"])
def test_noise_within_development_is_seen(
    kind: str, true_results: dict[str, Artifact], tmp_path: Path
) -> None:
    """The control: the same noise of one kind alone, a day before development ends."""
    records = simulated_records()
    noisy = with_noise_from(records, CLOCK - (0.3 * DAYS + 1) * DAY_MS)
    changed = changed_steps(true_results, results(tmp_path, {**records, kind: noisy[kind]}))
    assert {4, 5} <= set(changed)


def test_noise_from_calibration_on_changes_nothing_that_is_chosen_on_development(
    true_results: dict[str, Artifact], tmp_path: Path
) -> None:
    noisy = results(tmp_path, with_noise_from(simulated_records(), CLOCK - 0.3 * DAYS * DAY_MS))
    assert set(changed_steps(true_results, noisy)) <= {1, 2, 3, 4, 11, 12}
    for member in ("trials.parquet", "daily_returns.parquet"):
        searched = true_results["final_parameters"].load()[member]
        pd.testing.assert_frame_equal(searched, noisy["final_parameters"].load()[member])


def test_a_planted_scaler_fitted_on_everything_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ares_assets.analyst import features

    honest = features.extend_features

    def scaled(*arguments: Any, **options: Any) -> tuple[Any, Any]:
        values, states = honest(*arguments, **options)
        found = pd.DataFrame(values.T)
        return ((found - found.mean()) / found.std()).to_numpy().T, states

    monkeypatch.setattr(features, "extend_features", scaled)
    records = simulated_records()
    leaking = results(tmp_path / "true", records)
    noisy = results(tmp_path / "noisy", with_noise_from(records, CLOCK - 0.2 * DAYS * DAY_MS))
    assert 4 in changed_steps(leaking, noisy)


def test_a_walk_with_continued_refits_repeats_to_the_byte(tmp_path: Path) -> None:
    spec = STEPS[12]
    # Only boosted members can be continued, so the ensemble has few others here.
    overrides = {
        **OVERRIDES,
        "analyst": {"experts": ["catboost", "gradient_boosting", "linear"]},
        "validation": {"incremental": True, "refits": 6},
    }
    # Bars alone: with the other features the boosted trees find nothing worth going on with.
    bars = {"bars": simulated_records()["bars"]}
    true_results = results(tmp_path / "trained", bars, overrides)
    settings = load_settings(overrides, mode="blank")
    request = Request(SYMBOL, "bear", settings, CLOCK, True, "run")
    inputs = {name: true_results[name] for name in spec.inputs}
    found = []
    for folder in ("one", "two"):
        home = Home(tmp_path / folder)
        home.create()
        found.append(execute(Work(spec, request, Workspace(home)), inputs)[0])
    first, second = found
    assert first.sha256 == second.sha256
    assert first.metadata == second.metadata
    members = true_results["analyst_ensemble"].load()["members.json"]
    refits = first.metadata["refits_continued_anchored"] + first.metadata["refits_scratch_anchored"]
    assert refits == 6 * len(members)
    assert first.metadata["refits_continued_anchored"] > 0
    assert sum(first.metadata["refit_reasons_rolling"].values()) == 6 * len(members)
    assert "refit_seconds_saved" in first.cost


def contents(home: Path) -> dict[str, str]:
    """The content hash of every artifact and bundle of a home, by its place."""
    found = {}
    for manifest in sorted((home / "artifacts").rglob("manifest.json")):
        told = json.loads(manifest.read_text())
        found[f"{told['asset']} {manifest.parents[1].name} {told['key']}"] = told["sha256"]
    for manifest in sorted((home / "releases").rglob("manifest.json")):
        found[str(manifest.relative_to(home))] = json.loads(manifest.read_text())["sha256"]
    return found


@pytest.mark.parametrize("regime", ["bear"])
def test_two_fresh_homes_and_hash_seeds_give_the_same_bundles(tmp_path: Path, regime: str) -> None:
    running = []
    for number in (1, 2):
        home = tmp_path / f"home{number}"
        environment = {
            **os.environ,
            "ARES_HOME": str(home),
            "DAGSTER_HOME": str(home / "dagster"),
            "PYTHONHASHSEED": str(number),
        }
        command = [sys.executable, "-m", "ares_jobs.cli", "blank", "ETHUSDT", "SIM"]
        running.append(
            subprocess.Popen(
                [*command, "--regime", regime, "--json"],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    for process in running:
        _, complaints = process.communicate(timeout=300)
        assert process.returncode in (0, 3), complaints
    first, second = contents(tmp_path / "home1"), contents(tmp_path / "home2")
    assert len(first) == 17
    assert first == second
