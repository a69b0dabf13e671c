"""The regime benchmark: its measures by hand, its recorded table, and that it runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ares_resources.settings import RegimeSettings
from benchmarks import regime_scores as scores
from benchmarks import regimes

ROOT = Path(__file__).parents[3]
TRUTH = np.array([0, 0, 0, 1, 1, 1, 2, 2, 0, 0])
FOUND = np.array([0, 0, 1, 0, 1, 1, 1, 1, 2, 0])


def test_accuracy_and_f1_by_hand():
    assert scores.balanced_accuracy(FOUND, TRUTH) == pytest.approx((3 / 5 + 2 / 3 + 0) / 3)
    assert scores.macro_f1(FOUND, TRUTH) == pytest.approx((6 / 9 + 4 / 8 + 0) / 3)
    assert scores.balanced_accuracy(np.zeros(4, int), np.zeros(4, int)) == 1


def test_delays_by_hand():
    delays, missed = scores.detection_delays(FOUND, TRUTH)
    assert delays.tolist() == [1, 1]
    assert missed == 1


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
    assert regimes.with_table(page, regimes.markdown(results)) == page


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


def test_the_command_runs(tmp_path, capsys):
    out = tmp_path / "results.json"
    few = ["--seeds", "1", "--fit-days", "5", "--test-days", "3", "--algorithms", "jump_model"]
    assert regimes.main([*few, "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert "| jump_model |" in printed.out
    assert "1/1 markets" in printed.err
    assert json.loads(out.read_text())["seeds"] == [1]
