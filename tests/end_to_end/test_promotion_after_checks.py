"""Nothing goes live before the checks of the release have passed, and then it does, once.

On thirty days no honest gate promotes, so the tests let every row pass.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import dagster as dg
import pytest

from ares_assets import check_list
from ares_assets.checks import CHECKS, as_check
from ares_assets.stored import Finding
from ares_jobs import build, definitions
from ares_jobs.cli_output import exit_code
from ares_jobs.runner import PartitionOutcome, TrainingRequest, train
from ares_jobs.status import PartitionStatus, home_status
from ares_resources.home import Home
from ares_resources.storage.releases import ReleaseStore

from .conftest import REQUEST, Trained
from .test_rollout_of_a_release import alias_of, let_every_row_pass

OF_THE_RELEASE = [check for check in check_list.CHECKS if check.asset == "model_release"]


@dataclass
class Asked:
    """A home whose steps 15 and 16 are asked for anew, and what became of them."""

    home: Home
    request: TrainingRequest
    store: ReleaseStore

    def train(self) -> PartitionOutcome:
        (outcome,) = train(self.request, home=self.home)
        return outcome

    def row(self) -> PartitionStatus:
        rows = home_status(self.home).partitions
        (found,) = [row for row in rows if row.partition == "bear|ETHUSDT.SIM"]
        return found


@pytest.fixture
def asked(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    home = Home(tmp_path / "home")
    shutil.copytree(trained.home.root, home.root)
    monkeypatch.setenv("ARES_HOME", str(home.root))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    let_every_row_pass(monkeypatch)
    request = replace(
        REQUEST,
        regimes=("bear",),
        overrides={**REQUEST.overrides, "gate": {"minimum_trades": 31}},
    )
    return Asked(home, request, ReleaseStore(home.releases, "ETHUSDT.SIM", "bear"))


def _finds_fault(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one check of the release find a fault, whatever is there."""
    (spec,) = [check for check in OF_THE_RELEASE if check.name == name]
    faulty = as_check(replace(spec, body=lambda _: Finding(False, "x")))
    kept = [one for one in CHECKS if one.check_key not in set(faulty.check_keys)]
    monkeypatch.setattr(build, "CHECKS", [*kept, faulty])
    monkeypatch.setattr(definitions, "defs", build.build_defs())


def test_a_fault_that_any_check_of_the_release_finds_keeps_it_from_going_live(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(OF_THE_RELEASE) == 3
    for check in OF_THE_RELEASE:
        with monkeypatch.context() as patch:
            _finds_fault(check.name, patch)
            outcome = asked.train()
        assert outcome.status == "failed"
        assert outcome.reason == f"model_release: check {check.name} failed: x"
        assert asked.store.champion() is None
        assert asked.store.latest_rollout() is None
        assert alias_of(asked.home) == []
        row = asked.row()
        assert (row.status, row.steps) == ("not released", 16)
        assert "its checks have not all passed" in row.reason
    # The same stored result goes live once all three have passed.
    outcome = asked.train()
    assert (outcome.status, outcome.release and outcome.release["share"]) == ("released", 0.01)
    assert not outcome.reused
    assert alias_of(asked.home) == ["released 1"]
    assert asked.row().status == "released"
    told = _observed(asked.home)
    assert told["live"].value is True


def _observed(home: Home) -> dict[str, dg.MetadataValue]:
    """What the asset's page in the UI says of the release."""
    from ares_jobs.setup import dagster_instance

    with dagster_instance(home) as instance:
        seen = instance.fetch_observations(dg.AssetKey("model_release"), limit=1)
    assert seen.records[0].asset_observation is not None
    return dict(seen.records[0].asset_observation.metadata)


def test_a_promotion_that_was_cut_off_after_the_checks_is_made_by_the_next_run(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object, **__: object) -> bool:
        raise OSError("cut off")

    with monkeypatch.context() as patch:
        patch.setattr(ReleaseStore, "promote", dies)
        assert asked.train().status == "failed"
    assert asked.store.champion() is None
    assert "cut off" in asked.row().reason
    again = asked.train()
    # Nothing is computed or judged again: the checks had passed.
    assert again.reused
    assert (again.status, again.release and again.release["live"]) == ("released", True)
    assert alias_of(asked.home) == ["released 1"]


def test_what_was_taken_back_or_replaced_since_is_not_called_released(asked: Asked) -> None:
    first = asked.train()
    assert (first.status, exit_code([replace(first, degraded=[])])) == ("released", 0)
    sha256 = str(asked.store.live_version())
    other = asked.store.publish({"model.json": b"another"}, {})
    asked.store.promote(other, identity="another", judged_against=sha256)
    assert asked.row().status == "superseded"
    asked.store.roll_back(other.sha256, "worse")
    row = asked.row()
    assert row.status == "not released"

    asked.train()
    assert asked.store.live_version() == sha256
    asked.store.roll_back(sha256, "by hand: worse than nothing")
    again = asked.train()
    assert (again.status, again.reason) == ("rolled back", "by hand: worse than nothing")
    assert exit_code([replace(again, degraded=[])]) == 3
    row = asked.row()
    assert (row.status, row.reason) == ("rolled back", "by hand: worse than nothing")
