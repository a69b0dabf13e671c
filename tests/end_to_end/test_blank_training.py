"""A whole blank training: its outcomes, and the traces it leaves."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from ares_assets.release.served_model import ServedModel
from ares_assets.steps import STEPS
from ares_jobs.runner import train
from ares_jobs.status import home_status
from ares_resources.backtesting.ledger import TrialLedger
from ares_resources.home import Home
from ares_resources.progress import listening
from ares_resources.storage.artifacts import ArtifactStore, Place
from ares_resources.storage.releases import ReleaseStore

from .conftest import REQUEST, Trained

REGIMES = ("bull", "bear", "sideways")


def artifacts(trained: Trained, regime: str) -> dict:  # type: ignore[type-arg]
    store = ArtifactStore(trained.home.artifacts, trained.home.runs)
    return {
        spec.name: store.pointed(
            Place(spec.name, "ETHUSDT.SIM", None if spec.shared else regime),
            run_id=None,
            mode="blank",
        )
        for spec in STEPS
    }


class Outcomes:
    """Remembers how each step ended."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    def step_started(self, number: int, name: str, partition: str) -> None:
        pass

    def step_ended(self, number: int, name: str, partition: str, outcome: str) -> None:
        self.ended.append(outcome)

    def advanced(self, what: str, done: int, total: int) -> None:
        pass

    def waiting(self, what: str, reason: str, attempt: int, attempts: int, seconds: float) -> None:
        raise AssertionError(f"SIM does not fail: {what}: {reason}")

    def noted(self, line: str) -> None:
        pass


def test_every_regime_ends_with_a_verdict_and_a_reason(trained: Trained) -> None:
    assert [o.partition for o in trained.outcomes] == [f"{r}|ETHUSDT.SIM" for r in REGIMES]
    for outcome in trained.outcomes:
        assert outcome.status in ("released", "kept", "insufficient evidence")
        assert outcome.reason
        assert len(outcome.gate) >= 8


def test_all_sixteen_steps_left_a_verified_result(trained: Trained) -> None:
    for regime in REGIMES:
        for artifact in artifacts(trained, regime).values():
            assert artifact is not None
            artifact.verify()


def test_the_regimes_share_one_collection_and_one_classification(trained: Trained) -> None:
    for asset in ("market_data", "market_regimes"):
        places = list((trained.home.artifacts / asset / "ETHUSDT.SIM").iterdir())
        assert [place.name for place in places] == ["shared"]
        assert len([path for path in places[0].iterdir() if path.is_dir()]) == 1


def test_blank_mode_makes_five_and_three_trials(trained: Trained) -> None:
    ledger = TrialLedger(trained.home.ledger)
    for regime in REGIMES:
        assert ledger.count(f"ETHUSDT.SIM/{regime}/enhancement") == 5
        assert ledger.count(f"ETHUSDT.SIM/{regime}/parameters") == 3


def test_again_nothing_is_computed_and_dagster_is_not_started(
    trained: Trained, tmp_path: Path
) -> None:
    home = Home(tmp_path / "home")
    shutil.copytree(trained.home.root, home.root)
    heard = Outcomes()
    with listening(heard):
        again = train(REQUEST, home=home)
    assert heard.ended == []
    assert all(outcome.reused for outcome in again)
    assert [o.status for o in again] == [o.status for o in trained.outcomes]
    assert [o.metrics for o in again] == [o.metrics for o in trained.outcomes]


def test_the_runs_are_in_dagster_and_succeeded(trained: Trained) -> None:
    with dg.DagsterInstance.from_config(str(trained.home.dagster)) as instance:
        runs = instance.get_runs()
        assert sorted(run.tags["dagster/partition"] for run in runs) == sorted(
            outcome.partition for outcome in trained.outcomes
        )
        assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}


def test_mlflow_has_finished_runs_with_metrics_and_registered_bundles(trained: Trained) -> None:
    with closing(sqlite3.connect(trained.home.mlflow / "mlflow.db")) as database:
        statuses = {row[0] for row in database.execute("select status from runs")}
        models = {
            row[0]: row[1] for row in database.execute("select name, source from model_versions")
        }
        metrics = {row[0] for row in database.execute("select distinct key from latest_metrics")}
    assert statuses == {"FINISHED"}
    assert sorted(models) == sorted(f"ares-ETHUSDT.SIM-{regime}" for regime in REGIMES)
    assert {"walk_forward_report/auc", "monte_carlo_report/trials"} <= metrics


def test_a_bundle_is_inference_only_and_answers_from_bars_alone(trained: Trained) -> None:
    for regime in REGIMES:
        found = artifacts(trained, regime)
        (version,) = (trained.home.releases / "ETHUSDT.SIM" / regime / "versions").iterdir()
        store = ReleaseStore(trained.home.releases, "ETHUSDT.SIM", regime)
        sha256 = json.loads((version / "manifest.json").read_text())["sha256"]
        release = store.find(sha256)
        assert release is not None
        files = release.files()
        assert not any(name.endswith((".pkl", ".pickle", ".joblib")) for name in files)
        frame = found["market_data"].load()
        walk = found["walk_forward_report"].load()
        told = found["walk_forward_report"].metadata
        signals = ServedModel.from_files(files).signals(
            frame, first_row=told["first_row"], history_row=told["history_row"]
        )
        pd.testing.assert_frame_equal(signals, walk["decisions.parquet"])


def test_the_training_record_says_from_what_the_bundle_was_made(trained: Trained) -> None:
    outcome = trained.outcomes[0]
    (record,) = (trained.home.releases / "ETHUSDT.SIM" / "bull" / "records").iterdir()
    told = json.loads(record.read_text())
    assert told["run_id"] == outcome.run_id
    assert told["partition"] == "bull|ETHUSDT.SIM"
    assert told["settings"]["seed"] == 7
    assert set(told["inputs"]) == set(STEPS[-1].inputs)


def test_status_shows_bars_and_partitions(trained: Trained) -> None:
    status = home_status(trained.home)
    assert {row.series for row in status.series} >= {"ETHUSDT.SIM 1m bars", "ETHUSDT.SIM funding"}
    assert {(row.partition, row.steps) for row in status.partitions} == {
        (f"{regime}|ETHUSDT.SIM", 16) for regime in REGIMES
    }


def test_a_ledger_that_lost_trials_is_noticed_and_counts_them_all_the_same(
    trained: Trained, tmp_path: Path
) -> None:
    home = Home(tmp_path / "home")
    shutil.copytree(trained.home.root, home.root)
    home.ledger.unlink()
    for name in ("-wal", "-shm"):
        home.ledger.with_name(home.ledger.name + name).unlink(missing_ok=True)
    (outcome,) = train(replace(REQUEST, regimes=("bear",)), home=home)
    # Besides them those of step 10, which its asset check has entered anew.
    assert outcome.metrics["monte_carlo_report/trials"] >= 8
    assert any("does not know 8 trials and the look" in reason for reason in outcome.degraded)
    assert any("lost 1 look at the holdout" in reason for reason in outcome.degraded)


def test_a_rotten_artifact_and_a_rotten_bundle_are_made_anew(
    trained: Trained, tmp_path: Path
) -> None:
    home = Home(tmp_path / "home")
    shutil.copytree(trained.home.root, home.root)
    bundle = next((home.releases / "ETHUSDT.SIM" / "bear" / "versions").iterdir()) / "model.json"
    dataset = next((home.artifacts / "analyst_dataset").rglob("bear/*/events.parquet"))
    for path in (bundle, dataset):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    (outcome,) = train(replace(REQUEST, regimes=("bear",)), home=home)
    before = {o.partition: o for o in trained.outcomes}[outcome.partition]
    assert outcome.release is not None
    assert before.release is not None
    assert outcome.release["bundle_sha256"] == before.release["bundle_sha256"]
    assert bundle.read_bytes()[:1] == b"{"


def test_a_registry_made_anew_gets_the_model_again(trained: Trained, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    shutil.copytree(trained.home.root, home.root)
    (home.mlflow / "mlflow.db").unlink()
    (outcome,) = train(replace(REQUEST, regimes=("bear",)), home=home)
    assert outcome.reused
    assert outcome.release is not None
    assert outcome.release["registered"] == "1"
    with closing(sqlite3.connect(home.mlflow / "mlflow.db")) as database:
        names = {row[0] for row in database.execute("select name from model_versions")}
    assert names == {"ares-ETHUSDT.SIM-bear"}


def test_a_challenger_faces_the_champion_as_it_is_served(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    # Without costs there is something to trade, so the champion has days to differ by.
    free = {
        **REQUEST.overrides,
        "costs": {"fee_bp": 0.0, "slippage_bp": 0.0},
        "gate": {"minimum_trades": 5},
        "validation": {"drift_level": 0.1},
    }
    request = replace(REQUEST, regimes=("bear",), overrides=free)
    (before,) = train(request, home=home)
    store = ReleaseStore(home.releases, "ETHUSDT.SIM", "bear")
    assert before.release is not None
    champion = store.find(before.release["bundle_sha256"])
    assert champion is not None
    assert store.promote(champion, identity="an earlier challenger", judged_against=None)
    (outcome,) = train(request, home=home)
    assert outcome.metrics["ab_test_report/champion"] == champion.sha256
    # Six days of holdout cannot settle anything, so they spend none of the champion's level.
    assert outcome.metrics.get("ab_test_report/attempt") is None
    assert not (store.root / "attempts").exists()
    assert not [told for told in outcome.warnings if told.startswith("release_gate_holds")]
    assert outcome.metrics["walk_forward_report/trades"] > 0
    assert outcome.metrics["walk_forward_report/drift_level"] == 0.1
    tested = artifacts(Trained(home, [outcome]), "bear")["ab_test_report"].load()["tests"]
    # The champion is the very model that challenges it: replayed from its files, no day differs.
    assert tested["champion"]["mean_difference"] == 0.0
    assert tested["no trade"]["mean_difference"] != 0.0
    assert outcome.status != "released"
    assert outcome.release is not None
    made = store.record(outcome.release["bundle_sha256"])["result"]
    assert made["loosened"] == ["gate.minimum_trades 5 (default 30)"]


def test_asked_for_again_a_result_is_the_latest_again(trained: Trained, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    shutil.copytree(trained.home.root, home.root)
    bear = replace(REQUEST, regimes=("bear",))
    train(replace(bear, as_of="2023-12-30T00:00:00Z"), home=home)
    assert {row.until for row in home_status(home).partitions} >= {"2023-12-30 00:00"}
    train(bear, home=home)
    assert {row.until for row in home_status(home).partitions} == {"2024-01-01 00:00"}


def test_a_champion_of_another_version_does_not_bar_its_partition(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ares_assets.release import partition_model

    home = Home(tmp_path / "home")
    shutil.copytree(trained.home.root, home.root)
    store = ReleaseStore(home.releases, "ETHUSDT.SIM", "bear")
    before = {o.partition: o for o in trained.outcomes}["bear|ETHUSDT.SIM"]
    assert before.release is not None
    champion = store.find(before.release["bundle_sha256"])
    assert champion is not None
    assert store.promote(champion, identity="an earlier challenger", judged_against=None)
    # What is released from now on has another format than the champion, and none reads both.
    monkeypatch.setattr(partition_model, "_FORMAT", 99)
    changed = {**REQUEST.overrides, "seed": 8}
    (outcome,) = train(replace(REQUEST, regimes=("bear",), overrides=changed), home=home)
    assert outcome.status != "failed"
    remark = outcome.metrics["ab_test_report/champion_remark"]
    assert "cannot be replayed" in remark
    assert "format 3" in remark
    tested = artifacts(Trained(home, [outcome]), "bear")["ab_test_report"].load()["tests"]
    assert sorted(tested) == ["buy and hold", "no trade"]
