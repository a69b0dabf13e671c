"""From the verdict to the last stage: step 16 begins a rollout, and the command moves it.

On thirty days no honest gate promotes, so the test lets every row pass; what is tried is what
follows from a promotion.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ares_assets.evidence import gate
from ares_jobs.cli import run
from ares_jobs.runner import PartitionOutcome, train
from ares_resources.home import Home
from ares_resources.storage.releases import ReleaseStore
from ares_resources.storage.rollouts import RolloutStore

from .conftest import REQUEST, Trained


def let_every_row_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = gate.release_gate

    def lenient(*measured: Any) -> gate.GateReport:
        rows = tuple(replace(row, passed=True) for row in honest(*measured).rows)
        return gate.GateReport(rows, "promote", "let through by a test")

    monkeypatch.setattr(gate, "release_gate", lenient)


def alias_of(home: Home) -> list[str]:
    with closing(sqlite3.connect(home.mlflow / "mlflow.db")) as database:
        rows = database.execute("select alias, version from registered_model_aliases")
        return [f"{alias} {version}" for alias, version in rows]


def _feed(path: Path, live_from_ms: int) -> Path:
    days = live_from_ms - live_from_ms % 86_400_000 + 86_400_000 * np.arange(1, 9)
    returns = np.random.default_rng(1).normal(0.002, 0.002, 8)
    pd.DataFrame({"timestamp": days, "challenger_return": returns, "trades": 2}).to_csv(
        path, index=False
    )
    return path


def test_a_promotion_begins_at_one_percent_and_a_rollback_is_for_good(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path / "home")
    shutil.copytree(trained.home.root, home.root)
    monkeypatch.setenv("ARES_HOME", str(home.root))
    let_every_row_pass(monkeypatch)
    # Another gate setting gives step 15 another key; all before it stands.
    request = replace(
        REQUEST,
        regimes=("bear",),
        overrides={**REQUEST.overrides, "gate": {"minimum_trades": 31}},
    )

    def ask() -> PartitionOutcome:
        (outcome,) = train(request, home=home)
        assert outcome.release is not None
        return outcome

    outcome = ask()
    assert (outcome.status, outcome.release and outcome.release["share"]) == ("released", 0.01)
    store = ReleaseStore(home.releases, "ETHUSDT.SIM", "bear")
    sha256 = store.latest_rollout()
    assert sha256 is not None
    assert store.shares() == {sha256: 0.01}
    state = RolloutStore(store.root, sha256).state()
    assert state is not None
    assert alias_of(home) == ["released 1"]

    feed = _feed(tmp_path / "live.csv", state["live_from_ms"])
    assert run(["rollout", "ETHUSDT", "SIM", "--feed", str(feed)]) == 0
    assert store.shares() == {sha256: 0.05}
    # Asked for again, the training finds all it made, and begins nothing anew.
    again = ask()
    assert again.release is not None
    assert (again.release["live"], again.release["share"]) == (True, 0.05)

    assert run(["rollout", "ETHUSDT", "SIM", "--rollback", "for the test"]) == 3
    assert store.champion() is None
    assert alias_of(home) == []
    last = ask()
    assert last.release is not None
    assert (last.status, last.reason) == ("rolled back", "by hand: for the test")
    assert (last.release["live"], last.release["withdrawn"]) == (False, "by hand: for the test")
    assert store.champion() is None
