"""The regime benchmark: its measures by hand, its recorded table, and that it runs."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest

from ares_assets.market.regimes.registry import ALGORITHM_NAMES
from ares_resources.settings import RegimeSettings
from benchmarks import regime_scores as scores
from benchmarks import regimes
from benchmarks.pages import with_table

ROOT = Path(__file__).parents[3]
TRUTH = np.array([0, 0, 0, 1, 1, 1, 2, 2, 0, 0])
FOUND = np.array([0, 0, 1, 0, 1, 1, 1, 1, 2, 0])


def test_accuracy_and_f1_by_hand():
    assert scores.balanced_accuracy(FOUND, TRUTH) == pytest.approx((3 / 5 + 2 / 3 + 0) / 3)
    assert scores.macro_f1(FOUND, TRUTH) == pytest.approx((6 / 9 + 4 / 8 + 0) / 3)
    assert scores.balanced_accuracy(np.zeros(4, int), np.zeros(4, int)) == 1


def test_delays_by_hand():
    delays, missed = scores.detection_delays(FOUND, TRUTH)
    assert delays.tolist() == [1]  # the stay from bar 8 on is cut off
    assert missed == 1


def test_a_switch_is_detected_where_its_regime_is_decoded_to_stay():
    truth = np.repeat([0, 1, 2, 0, 1], [2, 6, 3, 4, 2])
    found = np.array([0, 1, 1, 0, 1, 0, 1, 1, 1, 2, 1, 0, 0, 0, 1, 1, 1])
    # Into 1 at 2: bars 2 and 4 are left too soon, 6 and 7 last until the stay ends.  Into 2 at 8:
    # bar 9 is left within the stay.  Into 0 at 11: at once.
    assert scores.detection_delays(found, truth, hold=3)[0].tolist() == [4, 0]
    assert scores.detection_delays(found, truth, hold=3)[1] == 1
    assert scores.detection_delays(found, truth, hold=1)[0].tolist() == [0, 1, 0]
    assert scores.detection_delays(truth, truth)[0].tolist() == [0, 0, 0]
    assert scores.detection_delays(found[:5], truth[:5])[0].tolist() == []
    assert scores.detection_delays(found[:2], truth[:2]) == (pytest.approx([]), 0)


def test_false_alarms_by_hand():
    truth = np.repeat([0, 1, 2], 4)
    found = np.array([0, 1, 0, 1, 1, 1, 1, 2, 2, 0, 2, 2])
    # Into 1 at 1 and into 0 at 9 are false; into 0 at 2, 1 at 3 and 2 at 7 and 10 are not.
    assert scores.false_alarms_per_30_days(found, truth, bars_a_day=12, near=1) == 2 * 30
    assert scores.false_alarms_per_30_days(truth, truth) == 0


def test_flutter_detects_nothing():
    generator = np.random.default_rng(4)
    truth = np.repeat(np.arange(60) % 3, generator.integers(500, 4_000, 60))
    random = generator.integers(0, 3, len(truth))
    delays, missed = scores.detection_delays(random, truth)
    # What is left is the stays whose last bars happen to be right.
    assert missed / (len(delays) + missed) > 0.5
    assert np.median(delays) > 1_000
    assert scores.false_alarms_per_30_days(random, truth) > 10_000
    late = np.concatenate([truth[:1].repeat(100), truth[:-100]])
    delays, missed = scores.detection_delays(late, truth)
    assert (missed, set(delays.tolist())) == (0, {100})
    assert scores.false_alarms_per_30_days(late, truth) == 0


def test_log_loss_and_switches_by_hand():
    given = np.array([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]])
    assert scores.log_loss(given, np.array([0, 1])) == pytest.approx(np.log(2) / 2)
    assert scores.log_loss(given, np.array([0, 0])) == pytest.approx((np.log(2) - np.log(1e-6)) / 2)
    assert scores.switches_per_30_days(np.array([0, 1, 1, 2]), bars_a_day=4) == 60


def test_names_are_wrong_where_others_fit_better():
    assert not scores.named_wrongly(TRUTH, TRUTH)
    assert scores.named_wrongly((TRUTH + 1) % 3, TRUTH)


def test_the_page_holds_the_table_of_the_recorded_results():
    results = json.loads((ROOT / "benchmarks" / "results" / "regimes.json").read_text())
    page = (ROOT / "docs" / "regimes.md").read_text()
    assert with_table(page, regimes.MARK, regimes.markdown(results)) == page


def test_the_default_is_the_best_of_the_recorded_results():
    results = json.loads((ROOT / "benchmarks" / "results" / "regimes.json").read_text())
    group = next(g for g in results["groups"] if (g["market"], g["fit_days"]) == ("FLIP", 180))
    means = {
        name: np.mean([score["balanced_accuracy"] for score in row])
        for name, row in group["rows"].items()
    }
    oracle = means.pop(regimes.ORACLE)
    del means[regimes.STEADY_ORACLE]
    assert len(results["seeds"]) >= 20
    assert max(means, key=lambda name: means[name]) == RegimeSettings().algorithm
    assert means[RegimeSettings().algorithm] >= 0.95 * oracle


@pytest.mark.slow
def test_a_recorded_seed_is_found_again():
    results = json.loads((ROOT / "benchmarks" / "results" / "regimes.json").read_text())
    group = next(g for g in results["groups"] if g["fit_days"] == 30)
    seed, chosen = results["seeds"][0], argparse.Namespace(algorithms=ALGORITHM_NAMES)
    again = regimes._one_market(group["market"], 30, group["test_days"], seed, chosen)
    assert again.keys() == group["rows"].keys()
    for name, score in again.items():
        recorded = group["rows"][name][0]
        assert recorded.keys() == score.keys()
        for measure in recorded.keys() - {"fit_seconds", "decode_microseconds"}:
            close = pytest.approx(recorded[measure], rel=0.005, abs=0.001)
            assert score[measure] == close, (name, measure)


def test_the_command_runs(tmp_path, capsys):
    out = tmp_path / "results.json"
    few = ["--seeds", "1", "--fit-days", "5", "--test-days", "3", "--algorithms", "jump_model"]
    assert regimes.main([*few, "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert "| jump_model |" in printed.out
    assert "1/1 markets" in printed.err
    assert json.loads(out.read_text())["seeds"] == [1]
