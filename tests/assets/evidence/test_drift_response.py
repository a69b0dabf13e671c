"""Drift leads to one request to train anew, and the lack of drift to none."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ares_assets.evidence.drift_response import retrain_reason
from ares_assets.evidence.loss_drift import paired_losses, prequential_drift
from ares_resources.errors import BadInput
from ares_resources.home import Home
from ares_resources.storage.retrain_requests import RetrainRequest, RetrainRequests

DAY_MS = 86_400_000
ALARM_MS = 1_700_006_400_000
REQUEST = RetrainRequest(
    symbol="ETHUSDT.SIM",
    regime="bear",
    mode="full",
    settings={"seed": 3},
    offline=False,
    kind="loss",
    reason="the loss rose",
    since_ms=ALARM_MS,
    window_end_ms=ALARM_MS + 10 * DAY_MS,
    wait_ms=DAY_MS,
    model_sha256="a" * 64,
)


def report(alarms: int = 0, share: float = 0.03, drifted: int = 0, features: int = 10) -> Any:
    known = [ALARM_MS + k for k in range(alarms)]
    return {
        "loss": {"alarms": list(range(alarms)), "false_alarm_share": share, "known_at_ms": known},
        "features": [{"feature": f"f{k}", "drifted": k < drifted} for k in range(features)],
        "holdout_start_ms": 5,
    }


def test_a_risen_loss_is_a_reason_with_the_time_at_which_it_was_known() -> None:
    reason = retrain_reason(report(2, 0.04), feature_share=0.5)
    assert reason is not None
    assert (reason.kind, reason.since_ms) == ("loss", ALARM_MS)
    assert "2023-11-15T00:00:00Z" in reason.words
    assert "4.0% of driftless streams raise any alarm" in reason.words


def test_any_alarm_is_a_reason_since_the_detector_is_quiet_and_none_is_none() -> None:
    assert retrain_reason(report(1), feature_share=0.5) is not None
    # At a higher `validation.drift_level` driftless streams alarm oftener, and still it is asked.
    assert retrain_reason(report(1, 0.2), feature_share=0.5) is not None
    assert retrain_reason(report(0), feature_share=0.5) is None


def test_drifted_features_are_a_reason_from_the_share_on() -> None:
    assert retrain_reason(report(drifted=4), feature_share=0.5) is None
    reason = retrain_reason(report(drifted=5), feature_share=0.5)
    assert reason is not None
    assert (reason.kind, reason.since_ms) == ("features", 5)
    assert reason.words.startswith("5 of 10 features")
    assert retrain_reason(report(features=0), feature_share=0.5) is None
    with pytest.raises(BadInput, match="feature_share = 0"):
        retrain_reason(report(), feature_share=0.0)


def test_models_without_an_edge_ask_no_more_often_than_the_level() -> None:
    """60 null streams; a binomial of .05 exceeds 8 once in 300."""
    asked = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        p = 0.5 + 0.04 * rng.normal(size=800)
        losses = paired_losses(p, rng.integers(0, 2, 800).astype(float), 0.5)
        found = prequential_drift(losses[200:], reference=losses[:200], seed=seed).as_dict()
        told = {**report(), "loss": {**found, "known_at_ms": [0] * len(found["alarms"])}}
        asked += retrain_reason(told, feature_share=0.5) is not None
    assert asked <= 8


def names(home: Home, folder: str) -> list[str]:
    return sorted(path.stem for path in (home.root / "retrain" / folder).glob("*"))


def test_the_same_request_is_kept_once_and_not_again_after_it_was_settled(tmp_path: Path) -> None:
    home = Home(tmp_path)
    requests = RetrainRequests(home)
    assert requests.ask(REQUEST)
    assert not requests.ask(REQUEST)
    assert requests.pending() == [REQUEST]
    requests.settle([REQUEST.name, "unknown"])
    assert requests.pending() == []
    assert not requests.ask(REQUEST)
    assert (names(home, "pending"), names(home, "done")) == ([], [REQUEST.name])


def test_the_retraining_that_still_sees_the_change_asks_for_no_further_one(tmp_path: Path) -> None:
    requests = RetrainRequests(Home(tmp_path))
    requests.ask(REQUEST)
    end = REQUEST.window_end_ms
    later = replace(REQUEST, window_end_ms=end + 2 * DAY_MS, model_sha256="b" * 64)
    assert not requests.ask(replace(later, since_ms=ALARM_MS + DAY_MS))
    assert not requests.ask(replace(later, since_ms=end))
    assert requests.ask(replace(later, since_ms=end + 1))
    assert len(requests.pending()) == 2


def test_a_second_alarm_is_not_hidden_by_one_that_was_answered(tmp_path: Path) -> None:
    """The later training still has the first alarm in its holdout, and a new one after it."""
    requests = RetrainRequests(Home(tmp_path))
    requests.ask(REQUEST)
    requests.settle([REQUEST.name])
    answered = requests.answered_to(REQUEST.partition)
    assert answered == REQUEST.window_end_ms
    two = report(2, 0.01)
    two["loss"]["known_at_ms"] = [ALARM_MS, answered + DAY_MS]
    reason = retrain_reason(two, feature_share=0.5, answered_ms=answered)
    assert reason is not None
    assert reason.since_ms == answered + DAY_MS
    assert "known by 2023-11-26" in reason.words
    later = replace(REQUEST, since_ms=reason.since_ms, window_end_ms=answered + 2 * DAY_MS)
    assert requests.ask(later)
    # Both are answered now: the last alarm is told, and asks for nothing.
    again = retrain_reason(two, feature_share=0.5, answered_ms=later.window_end_ms)
    assert again is not None
    assert again.since_ms == answered + DAY_MS
    assert not requests.ask(replace(later, window_end_ms=answered + 9 * DAY_MS))
    first = retrain_reason(two, feature_share=0.5)
    assert first is not None
    assert first.since_ms == ALARM_MS


def test_another_partition_or_mode_answers_for_nobody(tmp_path: Path) -> None:
    requests = RetrainRequests(Home(tmp_path))
    assert requests.ask(REQUEST)
    assert requests.ask(replace(REQUEST, regime="bull"))
    assert requests.ask(replace(REQUEST, mode="blank"))
    assert requests.ask(replace(REQUEST, symbol="BTCUSDT.SIM"))


def test_a_later_training_settles_what_waited_for_it(tmp_path: Path) -> None:
    requests = RetrainRequests(Home(tmp_path))
    requests.ask(REQUEST)
    requests.settle_older(REQUEST.partition, REQUEST.window_end_ms)
    requests.settle_older(("ETHUSDT.SIM", "bull", "full"), REQUEST.window_end_ms + 1)
    assert requests.pending() == [REQUEST]
    requests.settle_older(REQUEST.partition, REQUEST.window_end_ms + 1)
    assert requests.pending() == []


def test_a_file_that_was_changed_is_told_and_stops_nobody(tmp_path: Path) -> None:
    home = Home(tmp_path)
    requests = RetrainRequests(home)
    requests.ask(REQUEST)
    path = home.root / "retrain" / "pending" / f"{REQUEST.name}.json"
    path.write_bytes(path.read_bytes().replace(b"bear", b"bull"))
    (path.parent / "torn.json").write_text("{")
    assert requests.pending() == []
    told = requests.unreadable()
    assert len(told) == 2
    assert any("does not hold the request that its name says" in line for line in told)
    assert requests.ask(replace(REQUEST, regime="bull"))


_KILLED = """
import os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from test_drift_response import REQUEST
from ares_resources.home import Home
from ares_resources.storage.retrain_requests import RetrainRequests

real, last = os.replace, sys.argv[3]
def replaced(source, target):
    if last == "after":
        real(source, target)
    os._exit(9)
os.replace = replaced
RetrainRequests(Home(Path(sys.argv[2]))).ask(REQUEST)
"""


@pytest.mark.parametrize(("moment", "left"), [("before", 0), ("after", 1)])
def test_a_kill_while_it_is_written_leaves_all_or_nothing(
    tmp_path: Path, moment: str, left: int
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _KILLED, str(Path(__file__).parent), str(tmp_path), moment],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert ended.returncode == 9
    requests = RetrainRequests(Home(tmp_path))
    assert len(requests.pending()) == left
    assert requests.unreadable() == []
    assert requests.ask(REQUEST) == (left == 0)
    assert requests.pending() == [REQUEST]


def test_the_published_table_is_of_the_published_results() -> None:
    import json

    from benchmarks.drift import MARK, columns, markdown, watched

    root = Path(__file__).parents[3]
    results = json.loads((root / "benchmarks/results/drift.json").read_text(encoding="utf-8"))
    page = (root / "docs/walk_forward.md").read_text(encoding="utf-8")
    assert f"<!-- {MARK} -->\n{markdown(results)}\n<!-- /{MARK} -->" in page
    assert results["seeds"] == [1, 100]
    runs = {(run["settings"], run["market"]): run for run in results["runs"]}
    for (_, market), run in runs.items():
        alarmed = np.mean([day is not None for day in run["day"]])
        assert len(run["day"]) == 300
        if market in ("NULL", "CONSISTENT"):
            assert alarmed <= 0.05
        else:
            assert alarmed > 0.25
            assert np.mean(run["early"]) <= 0.05
    recorded, again = runs["H=60", "NULL"], columns(watched("NULL", 1, "H=60"))
    assert again["blocks"] == recorded["blocks"][:3]
    assert again["auc"] == pytest.approx(recorded["auc"][:3], abs=1e-3)
    assert again["day"] == recorded["day"][:3]
