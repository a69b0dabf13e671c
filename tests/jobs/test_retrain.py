"""The retrain sensor asks for runs of a request until one succeeds, and only once there are new
bars."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from dagster._core.test_utils import create_run_for_test

from ares_assets.partitions import SYMBOLS, partition_tags, partitions
from ares_assets.release_standing import bundle_hash
from ares_jobs.fresh_holdout import waits_for
from ares_jobs.jobs import JOBS
from ares_jobs.retrain import ATTEMPTS, REQUEST_TAG, read_requests
from ares_jobs.sensors import retrain_sensor
from ares_resources.exchanges.simulated.exchange import CLOCK_MS
from ares_resources.home import Home
from ares_resources.settings import load_settings
from ares_resources.storage.artifacts import Artifact, ArtifactStore, Place
from ares_resources.storage.catalogue import Catalogue, Series
from ares_resources.storage.releases import Release, ReleaseStore
from ares_resources.storage.retrain_requests import RetrainRequest, RetrainRequests
from ares_resources.symbols import SymbolKey

# Dagster's own tags of two-dimensional partitions do not please its check of tag names.
pytestmark = pytest.mark.filterwarnings("ignore:Non-compliant tag keys:DeprecationWarning")

MINUTE, DAY_MS = 60_000, 86_400_000
HOUR = 3_600.0
END_MS = CLOCK_MS - 10 * DAY_MS
BEAR = RetrainRequest(
    symbol="DRIFTUSDT.SIM",
    regime="bear",
    mode="blank",
    settings={"seed": 3, "enhanced_training_manager": {"blank_training_mode": True}},
    offline=False,
    kind="loss",
    reason="the loss rose",
    since_ms=END_MS - 5 * DAY_MS,
    window_end_ms=END_MS,
    wait_ms=DAY_MS,
    model_sha256="a" * 64,
)
BULL = replace(BEAR, regime="bull")


@dg.asset(partitions_def=partitions)
def trained() -> None:
    """Stands for the sixteen steps."""


DEFINITIONS = dg.Definitions(assets=[trained], jobs=list(JOBS.values()), sensors=[retrain_sensor])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("ARES_HOME", str(tmp_path))
    made = Home(tmp_path)
    made.create()
    return made


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as made:
        yield made


def tick(instance: dg.DagsterInstance) -> tuple[list[dg.RunRequest], str]:
    """Requests, and the skip message."""
    context = dg.build_sensor_context(
        instance=instance, definitions=DEFINITIONS, sensor_name="retrain_sensor"
    )
    data = retrain_sensor.evaluate_tick(context)
    return list(data.run_requests or []), data.skip_message or ""


def ran(instance: dg.DagsterInstance, request: dg.RunRequest, *, well: bool) -> dg.DagsterRun:
    """What Dagster makes of a run request, ended."""
    run = create_run_for_test(instance, tags=dict(request.tags), status=dg.DagsterRunStatus.STARTED)
    if well:
        instance.report_dagster_event(
            dg.DagsterEvent(
                event_type_value=dg.DagsterEventType.PIPELINE_SUCCESS.value, job_name=run.job_name
            ),
            run.run_id,
        )
    else:
        instance.report_run_failed(run)
    return run


def asked(home: Home, *requests: RetrainRequest) -> None:
    for request in requests:
        RetrainRequests(home).ask(request)


def test_a_request_becomes_one_run_under_its_settings(
    home: Home, instance: dg.DagsterInstance
) -> None:
    asked(home, BEAR)
    (request,), _ = tick(instance)
    assert request.run_key == BEAR.name
    assert request.job_name == "blank_training"
    tags = dict(request.tags)
    assert tags["dagster/partition"] == "bear|DRIFTUSDT.SIM"
    assert tags["ares/mode"] == "blank"
    assert tags["ares/offline"] == "false"
    assert tags["ares/retrain"] == "the loss rose"
    assert json.loads(tags["ares/config"]) == BEAR.settings
    assert "ares/as_of" not in tags  # SIM's own clock decides
    assert tags[REQUEST_TAG] == BEAR.name
    ran(instance, request, well=True)
    requests, message = tick(instance)
    assert requests == []
    assert message == "nothing asks for a retraining"
    assert RetrainRequests(home).pending() == []


def test_a_then_b_then_a_again_trains_each_once(home: Home, instance: dg.DagsterInstance) -> None:
    keys: list[str | None] = []
    for request in (BEAR, BULL, BEAR, BULL):
        asked(home, request)
        found, _ = tick(instance)
        for one in found:
            ran(instance, one, well=True)
        keys += [one.run_key for one in found]
    assert keys == [BEAR.name, BULL.name]


def test_a_look_that_was_cut_off_before_its_runs_were_taken_is_repeated(
    home: Home, instance: dg.DagsterInstance
) -> None:
    asked(home, BEAR)
    lost, _ = tick(instance)
    (again,), _ = tick(instance)
    assert [again.run_key] == [one.run_key for one in lost]
    ran(instance, again, well=True)
    assert tick(instance)[0] == []


def failed(home: Home, instance: dg.DagsterInstance, times: int, now: float) -> float:
    """As many runs of the one request fail, each as soon as it may begin; when the last ended."""
    for _ in range(times):
        (due,) = read_requests(home, instance, now=now).due
        run = ran(
            instance,
            dg.RunRequest(tags={**due.tags, **partition_tags("bear", due.request.key)}),
            well=False,
        )
        record = instance.get_run_record_by_id(run.run_id)
        assert record is not None
        assert record.end_time is not None
        now = record.end_time + 6 * HOUR + 1
    return now - 6 * HOUR - 1


def test_a_run_that_failed_settles_nothing_and_is_followed_by_another(
    home: Home, instance: dg.DagsterInstance
) -> None:
    asked(home, BEAR)
    (request,), _ = tick(instance)
    ran(instance, request, well=False)
    requests, message = tick(instance)
    assert requests == []
    assert "failed; again in 60 min" in message
    assert RetrainRequests(home).pending() == [BEAR]
    assert read_requests(home, instance, now=time.time() + HOUR - 60).due == []
    (due,) = read_requests(home, instance, now=time.time() + HOUR + 60).due
    # Dagster takes a key once: the first attempt's would start nothing.
    assert (due.attempt, due.run_key) == (2, f"{BEAR.name}#2")
    assert not RetrainRequests(home).ask(BEAR)


def test_the_distance_grows_and_after_the_last_attempt_it_is_said_and_left(
    home: Home, instance: dg.DagsterInstance
) -> None:
    asked(home, BEAR)
    ended = failed(home, instance, 2, time.time())
    assert read_requests(home, instance, now=ended + 6 * HOUR - 60).due == []
    assert failed(home, instance, ATTEMPTS - 2, ended + 6 * HOUR + 60) >= ended
    reading = read_requests(home, instance, now=ended + 10_000 * HOUR)
    assert reading.due == []
    assert reading.waiting == []
    (line,) = reading.troubles
    assert line.startswith("bear|DRIFTUSDT.SIM: 3 retrainings failed, the last ")
    assert line.endswith("is tried no more and waits for the next training")
    assert RetrainRequests(home).pending() == [BEAR]
    assert "trouble: bear|DRIFTUSDT.SIM: 3 retrainings failed" in tick(instance)[1]


def test_a_canceled_run_has_answered_nothing_and_a_repeated_one_that_succeeds_has(
    home: Home, instance: dg.DagsterInstance
) -> None:
    asked(home, BEAR)
    (request,), _ = tick(instance)
    run = ran(instance, request, well=False)
    instance.report_run_canceled(run)
    assert tick(instance)[0] == []
    assert RetrainRequests(home).pending() == [BEAR]
    ran(instance, request, well=True)  # re-executed by hand, with the tags of the first
    tick(instance)
    assert RetrainRequests(home).pending() == []


def stored(home: Home, asset: str, inputs: dict[str, str], **metadata: Any) -> Artifact:
    store = ArtifactStore(home.artifacts, home.runs)
    place = Place(asset, BEAR.key.folder, "bear")
    key = f"{len(inputs)}{metadata.get('window_end_ms', metadata.get('of', 0))}"
    artifact = store.publish(
        place,
        key,
        {"x.json": metadata},
        kind="bundle",
        inputs=inputs,
        metadata=metadata,
        degraded=[],
    )
    store.point(artifact, run_id=None, mode="blank")
    return artifact


def releases(home: Home) -> ReleaseStore:
    return ReleaseStore(home.releases, BEAR.key.folder, "bear")


def saved(home: Home, walk: Artifact, verdict: str = "keep") -> Artifact:
    """Step 16 has stored the bundle; no check has looked at it yet."""
    told = {"verdict": verdict, "reason": "x", "judged_against": "none", "of": walk.key}
    return stored(home, "model_release", {"walk_forward_report": walk.sha256}, **told)


def passed(home: Home, release: Artifact) -> Release:
    """All checks have passed, and so the bundle is published."""
    files = {name: (release.folder / name).read_bytes() for name in release.manifest["files"]}
    return releases(home).publish(files, {"mode": "blank"})


def test_a_later_training_settles_the_request_once_its_checks_have_passed(
    home: Home, instance: dg.DagsterInstance
) -> None:
    asked(home, BEAR, BULL)
    same = stored(home, "walk_forward_report", {}, window_end_ms=END_MS)
    passed(home, saved(home, same))
    assert len(tick(instance)[0]) == 2
    later = stored(home, "walk_forward_report", {}, window_end_ms=END_MS + 1)
    # It has passed step 13 and failed in step 14: there is no model yet.
    assert len(tick(instance)[0]) == 2
    release = saved(home, later)
    # Its run was killed before the last check, or one found a fault: nothing was released.
    assert len(tick(instance)[0]) == 2
    assert len(RetrainRequests(home).pending()) == 2
    version = passed(home, release)
    assert version.sha256 == bundle_hash(release)
    releases(home).prune(keep=0)  # the record outlives the bundle
    assert releases(home).find(version.sha256) is None
    assert [one.run_key for one in tick(instance)[0]] == [BULL.name]
    assert RetrainRequests(home).pending() == [BULL]


def test_drift_does_not_wait_for_a_share_of_the_holdout(
    home: Home, instance: dg.DagsterInstance
) -> None:
    asked(home, BEAR)
    begun = END_MS - 300 * DAY_MS
    stored(home, "walk_forward_report", {}, window_end_ms=END_MS, holdout_start_ms=begun)
    settings = load_settings({}, mode="blank")
    # The schedule waits for thirty days of new bars; the simulated clock has ten.
    assert waits_for(BEAR.key, settings, home) == {"bear": END_MS + 30 * DAY_MS}
    assert [one.run_key for one in tick(instance)[0]] == [BEAR.name]


def test_a_run_that_failed_after_its_model_was_stored_is_followed_by_another(
    home: Home, instance: dg.DagsterInstance
) -> None:
    asked(home, BEAR)
    (request,), _ = tick(instance)
    saved(home, stored(home, "walk_forward_report", {}, window_end_ms=END_MS + DAY_MS))
    ran(instance, request, well=False)
    assert "failed; again in 60 min" in tick(instance)[1]
    (due,) = read_requests(home, instance, now=time.time() + HOUR + 60).due
    assert (due.request, due.attempt) == (BEAR, 2)


def test_a_promotion_that_was_cut_off_settles_nothing_until_it_is_made(
    home: Home, instance: dg.DagsterInstance
) -> None:
    asked(home, BEAR)
    walk = stored(home, "walk_forward_report", {}, window_end_ms=END_MS + DAY_MS)
    version = passed(home, saved(home, walk, "promote"))
    assert len(tick(instance)[0]) == 1
    releases(home).promote(version, identity="x", judged_against=None, share=0.01)
    assert tick(instance)[0] == []
    assert RetrainRequests(home).pending() == []


def test_an_answer_that_cannot_be_read_is_told_and_stops_no_other_request(
    home: Home, instance: dg.DagsterInstance
) -> None:
    asked(home, BEAR, BULL)
    walk = stored(home, "walk_forward_report", {}, window_end_ms=END_MS + DAY_MS)
    version = passed(home, saved(home, walk))
    (record,) = (releases(home).root / "records").iterdir()
    record.write_text("{")
    reading = read_requests(home, instance)
    assert {due.request.regime for due in reading.due} == {"bear", "bull"}
    (line,) = reading.troubles
    assert line.startswith("bear|DRIFTUSDT.SIM: ")
    assert version.sha256[:16] in line


def test_a_partition_in_training_waits(home: Home, instance: dg.DagsterInstance) -> None:
    asked(home, BEAR)
    tags = partition_tags("bear", SymbolKey.parse(BEAR.symbol))
    run = create_run_for_test(instance, tags=tags, status=dg.DagsterRunStatus.STARTED)
    requests, message = tick(instance)
    assert requests == []
    assert message == "bear|DRIFTUSDT.SIM: still in training"
    instance.report_run_failed(run)
    assert len(tick(instance)[0]) == 1


def test_another_partition_in_training_is_no_reason_to_wait(
    home: Home, instance: dg.DagsterInstance
) -> None:
    asked(home, BEAR)
    tags = partition_tags("bull", SymbolKey.parse(BEAR.symbol))
    create_run_for_test(instance, tags=tags, status=dg.DagsterRunStatus.STARTED)
    assert len(tick(instance)[0]) == 1


def test_it_waits_for_bars_after_the_window(home: Home, instance: dg.DagsterInstance) -> None:
    at_the_clock = replace(BEAR, window_end_ms=CLOCK_MS, since_ms=CLOCK_MS - 1)
    almost = replace(BULL, window_end_ms=CLOCK_MS - DAY_MS, since_ms=CLOCK_MS - 2 * DAY_MS)
    asked(home, at_the_clock, almost)
    requests, message = tick(instance)
    assert requests == []
    assert message.count("no new bars") == 2
    assert len(RetrainRequests(home).pending()) == 2
    ready = replace(almost, regime="sideways", wait_ms=DAY_MS - MINUTE)
    asked(home, ready)
    assert [one.run_key for one in tick(instance)[0]] == [ready.name]


def hold_bars_to(home: Home, end_ms: int) -> None:
    frame = pd.DataFrame({"timestamp": list(range(end_ms - 100 * MINUTE, end_ms, MINUTE))})
    for name, value in {"open": 10, "high": 11, "low": 9, "close": 10, "volume": 5}.items():
        frame[name] = float(value)
    series = Series(SymbolKey("ETHUSDT", "BINANCE"), "bars", "1m")
    Catalogue(home.catalogue).append(series, frame, source="test")


def test_an_offline_training_s_request_looks_at_the_catalogue_alone(
    home: Home, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ares_resources.exchanges import registry

    def refuse(name: str, **options: Any) -> None:
        raise AssertionError("the exchange was asked")

    monkeypatch.setattr(registry, "open_exchange", refuse)
    asked(home, replace(BEAR, symbol="ETHUSDT.BINANCE", offline=True, wait_ms=0))
    hold_bars_to(home, END_MS)
    requests, message = tick(instance)
    assert requests == []
    assert "offline: the catalogue has none" in message
    hold_bars_to(home, END_MS + 50 * MINUTE)
    (request,), _ = tick(instance)
    assert request.tags["ares/offline"] == "true"
    assert request.tags["ares/as_of"] == "2023-12-22T00:50:00Z"


def test_one_run_a_partition_and_look(home: Home, instance: dg.DagsterInstance) -> None:
    newer = replace(BEAR, since_ms=END_MS + 1, window_end_ms=END_MS + DAY_MS)
    asked(home, BEAR, newer)
    keys = []
    for _ in range(2):
        (request,), _ = tick(instance)
        ran(instance, request, well=True)
        keys.append(request.run_key)
    assert set(keys) == {BEAR.name, newer.name}
    assert tick(instance)[0] == []


def test_what_cannot_be_read_or_is_not_known_is_told_and_stops_no_other(
    home: Home, instance: dg.DagsterInstance
) -> None:
    asked(home, BEAR, replace(BULL, settings={"sed": 3}))
    (home.root / "retrain" / "pending" / "torn.json").write_text("{")
    reading = read_requests(home, instance)
    assert [due.request for due in reading.due] == [BEAR]
    assert any("torn.json is no retrain request" in line for line in reading.troubles)
    assert any("sed" in line for line in reading.troubles)


def test_time_that_is_up_leaves_the_rest_for_the_next_look(
    home: Home, instance: dg.DagsterInstance
) -> None:
    asked(home, BEAR)
    reading = read_requests(home, instance, budget_seconds=-1.0)
    assert reading.due == []
    assert reading.waiting == ["bear|DRIFTUSDT.SIM: left for the next look"]


def test_the_requested_run_can_be_run(home: Home, instance: dg.DagsterInstance) -> None:
    asked(home, BEAR)
    (request,), _ = tick(instance)
    instance.add_dynamic_partitions(SYMBOLS, [BEAR.symbol])
    job = DEFINITIONS.resolve_job_def(request.job_name or "")
    assert job.execute_in_process(instance=instance, tags=dict(request.tags)).success


def test_the_sensor_is_stopped_until_somebody_starts_it() -> None:
    assert retrain_sensor.default_status is dg.DefaultSensorStatus.STOPPED
