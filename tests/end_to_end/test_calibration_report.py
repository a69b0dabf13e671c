"""What step 11 leaves behind in a whole training, and models of the former format."""

from __future__ import annotations

import json

import pytest

from ares_assets.evidence.adaptive import WARMUP
from ares_assets.evidence.calibrators import METHODS
from ares_assets.pictures import LIMIT
from ares_assets.release.partition_model import PartitionModel
from ares_assets.release.served_model import ServedModel
from ares_resources.errors import ObsoleteFormat
from ares_resources.storage.artifacts import Artifact, ArtifactStore, Place
from ares_resources.storage.releases import ReleaseStore

from .conftest import Trained


def step_11(trained: Trained, regime: str) -> Artifact:
    store = ArtifactStore(trained.home.artifacts, trained.home.runs)
    place = Place("calibrated_confidence", "ETHUSDT.SIM", regime)
    found = store.pointed(place, run_id=None, mode="blank")
    assert found is not None
    return found


@pytest.fixture(params=["bull", "bear"])
def calibrated(trained: Trained, request: pytest.FixtureRequest) -> Artifact:
    return step_11(trained, request.param)


def test_a_slice_too_small_to_judge_shows_nothing_it_did_not_measure(trained: Trained) -> None:
    found = step_11(trained, "sideways")
    report = found.load()["report.json"]
    assert "needed" in report["degraded"]
    assert "picture" not in found.metadata
    assert found.metadata["spiegelhalter_p_after"] is None


def test_its_report_judges_before_and_after(calibrated: Artifact) -> None:
    report = calibrated.load()["report.json"]
    assert set(report["scores"]) == set(METHODS)
    assert report["scores"][report["method"]] == min(report["scores"].values())
    for when in ("before", "after"):
        assert report[when]["spiegelhalter_p"] is None or 0 <= report[when]["spiegelhalter_p"] <= 1
        assert report[when]["independent_events"] < report[when]["events"]
    for name in ("conformal", "conformal_before"):
        sets = report[name]
        assert sets["judged"] > sets["judged_independent"] > 0
        assert 0 <= sets["coverage_low"] <= sets["coverage_high"] <= 1
    adaptive = report["adaptive"]
    assert adaptive["judged"] == 0 or adaptive["within_bound"]
    released = calibrated.load()["conformal.json"]
    assert released["independent"] < released["events"] == report["forward_events"]


@pytest.mark.parametrize("regime", ["bull", "bear", "sideways"])
def test_step_13_begins_its_adaptive_sets_with_the_threshold_of_step_11(
    trained: Trained, regime: str
) -> None:
    store = ArtifactStore(trained.home.artifacts, trained.home.runs)
    place = Place("walk_forward_report", "ETHUSDT.SIM", regime)
    walked = store.pointed(place, run_id=None, mode="blank")
    assert walked is not None
    adaptive = walked.load()["report.json"]["calibration"]["adaptive"]
    released = step_11(trained, regime).load()["conformal.json"]
    assert adaptive["known_before"] == released["events"]
    if released["events"] >= WARMUP:
        assert adaptive["judged"] == walked.metadata["events"]
        assert adaptive["threshold_first"] == released["threshold"]


def test_its_metadata_shows_the_diagram_and_the_band(calibrated: Artifact) -> None:
    shown, report = calibrated.metadata, calibrated.load()["report.json"]
    assert shown["picture"].startswith("![reliability](data:image/svg+xml,")
    assert len(shown["picture"]) < LIMIT
    assert shown["coverage"] == report["conformal"]["coverage"]
    assert shown["coverage_before"] == report["conformal_before"]["coverage"]
    assert shown["spiegelhalter_p_after"] == report["after"]["spiegelhalter_p"]
    assert shown["coverage_low"] == report["conformal"]["coverage_low"]


def test_models_of_the_former_format_are_read_and_older_ones_refused(trained: Trained) -> None:
    (version,) = (trained.home.releases / "ETHUSDT.SIM" / "bear" / "versions").iterdir()
    store = ReleaseStore(trained.home.releases, "ETHUSDT.SIM", "bear")
    release = store.find(json.loads((version / "manifest.json").read_text())["sha256"])
    assert release is not None
    files = release.files()
    model = json.loads(files["model.json"])
    assert model["format"] == 3

    def read(number: int) -> PartitionModel:
        described = {"model.json": json.dumps({**model, "format": number}).encode()}
        return ServedModel.from_files({**files, **described}).model

    assert read(2).calibrator == read(3).calibrator
    for number in (1, 4):
        with pytest.raises(ObsoleteFormat, match=f"format {number}; this Ares reads 3"):
            read(number)
