"""The learners' benchmarks: measures by hand, what each row may see, and recorded tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ares_assets.analyst.scores import auc, log_loss
from ares_assets.market.windows import role_cuts
from benchmarks import (
    freqai_like,
    intervals,
    learner_tables,
    learners,
    memory,
    pages,
    real_tables,
    simulated_year,
)
from benchmarks import learner_scores as scores

ROOT = Path(__file__).parents[3]
DAY_MS = 86_400_000


def minute_bars(rows: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, rows)))
    opens = np.concatenate([[100.0], close[:-1]])
    spread = np.abs(rng.normal(0, 1e-3, rows))
    return pd.DataFrame(
        {
            "timestamp": np.arange(rows, dtype=np.int64) * 60_000,
            "open": opens,
            "high": np.maximum(opens, close) * (1 + spread),
            "low": np.minimum(opens, close) * (1 - spread),
            "close": close,
            "volume": rng.lognormal(0, 1, rows),
        }
    )


def test_returns_ahead_start_with_the_bar_after_the_decision():
    opens, closes = np.array([1.0, 2.0, 4.0, 4.0]), np.array([2.0, 4.0, 4.0, 2.0])
    assert scores.returns_ahead(opens, closes, 2)[:2] == pytest.approx([1.0, -0.5])
    assert np.isnan(scores.returns_ahead(opens, closes, 2)[2:]).all()
    assert np.isnan(scores.returns_ahead(opens, closes, 9)).all()


def test_noise_of_auc_agrees_with_scores_that_know_nothing():
    rng = np.random.default_rng(3)
    labels = (np.arange(400) < 150).astype(float)
    ones = np.ones(400)
    drawn = [auc(labels, rng.random(400), ones) for _ in range(2_000)]
    assert scores.noise_of_auc(labels, ones) == pytest.approx(np.std(drawn), rel=0.05)
    # Four copies of each event are as much as one.
    assert scores.noise_of_auc(np.repeat(labels, 4), np.full(1_600, 0.25)) == pytest.approx(
        scores.noise_of_auc(labels, ones)
    )
    assert np.isnan(scores.noise_of_auc(np.ones(5), np.ones(5)))


def test_outside_band_counts_by_each_folds_own_noise():
    folds = np.array([[0.52, 0.02], [0.55, 0.02], [0.45, 0.02], [0.55, 0.05]])
    assert scores.outside_band(folds) == 2


def test_fold_scores_are_the_product_s_auc_in_each_fold():
    rng = np.random.default_rng(4)
    events = pd.DataFrame({"label": rng.integers(0, 2, 60), "uniqueness": rng.random(60)})
    predicted = pd.DataFrame({"linear": rng.random(60)})
    folds = [np.arange(30), np.arange(30, 60)]
    (first, second) = scores.fold_scores(events, predicted, folds)["linear"]
    part = events.iloc[:30]
    expected = auc(part["label"], predicted["linear"][:30], np.ones(30))
    assert first[0] == pytest.approx(expected, abs=1e-5)
    assert first != second


def test_resampled_scores_are_those_of_repeated_days():
    rng = np.random.default_rng(5)
    stamps = np.sort(rng.integers(0, 12 * DAY_MS, 300))
    labels = rng.integers(0, 2, 300).astype(float)
    probability = np.round(rng.random(300), 1)  # with ties
    weights = rng.random(300) + 0.1
    drawn = intervals.resamples(stamps, count=5, seed=1, mean_block=3)
    area = intervals.areas(labels, probability, weights, drawn)
    loss = intervals.log_losses(labels, probability, weights, drawn)
    assert area[0] == pytest.approx(auc(labels, probability, weights))
    for number, counts in enumerate(drawn.counts):
        assert counts.sum() == 12
        often = weights * counts[drawn.day]
        assert area[number] == pytest.approx(auc(labels, probability, often))
        assert loss[number] == pytest.approx(log_loss(labels, probability, often))


def test_interval_leaves_the_sample_itself_out_of_its_quantiles():
    values = np.concatenate([[9.0], np.linspace(0, 1, 1_001)])
    assert intervals.interval(values) == {"value": 9.0, "low": 0.025, "high": 0.975}


def test_freqai_like_features_see_no_future():
    bars = minute_bars(3_000)
    closes, whole = freqai_like.candle_features(bars)
    assert whole.iloc[-1].notna().all()
    for cut in (1_801, 2_400, 2_743):
        known, part = freqai_like.candle_features(bars.iloc[:cut])
        assert np.array_equal(known, closes[: len(known)])
        assert np.array_equal(part.to_numpy(), whole.to_numpy()[: len(part)], equal_nan=True)


def test_a_split_in_order_leaks_at_its_seam_and_a_shuffled_one_everywhere():
    rows = np.arange(0, 10_000, 5)
    ends = rows + 60
    in_order = freqai_like.split(len(rows), shuffle=False)
    assert in_order.train[-1] < in_order.test[0]
    assert len(in_order.test) == 660
    # Labels of the last events before the seam end 60 bars later, and events are 5 apart.
    assert freqai_like.leaking_rows(in_order, rows, ends) == 11
    shuffled = freqai_like.split(len(rows), shuffle=True)
    leaking = freqai_like.leaking_rows(shuffled, rows, ends)
    # By brute force on pairs.
    r, t = rows[shuffled.train][:, None], ends[shuffled.train][:, None]
    shared = (rows[shuffled.test] < t) & (ends[shuffled.test] > r)
    assert leaking == int(shared.any(axis=1).sum()) > 1_300


@pytest.mark.parametrize("days", [30, 60, 90, 180, 365])
def test_development_is_exactly_so_many_days_and_ends_where_the_test_begins(days):
    settings = simulated_year.settings_for(days, trials=3)
    end = simulated_year.DEVELOPMENT_END_MS + (
        simulated_year.window_minutes(days) * 60_000 - days * DAY_MS
    )
    # As step 1 cuts it: the first bar at or after the window's start.
    start = -(-(end - int(settings.lookback_days * DAY_MS)) // 60_000) * 60_000
    shares = settings.window.development, settings.window.calibration
    cut, _ = role_cuts(start, end, 60_000, development=shares[0], calibration=shares[1])
    assert cut == simulated_year.DEVELOPMENT_END_MS
    assert cut - start == days * DAY_MS


def test_finished_seeds_are_not_done_again_unless_code_or_options_changed(tmp_path):
    path = tmp_path / "learners.json"
    chosen = learners._parser().parse_args(["--seeds", "2", "--days", "60", "--markets", "FLIP"])
    tasks = learners._tasks(chosen)
    done = {"market": "FLIP", "days": 60, "seed": 907}
    other = {"market": "FLIP", "days": 90, "seed": 907}
    pages.write_results(path, {"code": "a", "trials": 5, "runs": [done, other]})
    kept = learners._kept(path, {"code": "a", "trials": 5}, tasks)
    assert kept == [done]
    assert [task.seed for task in learners._left(tasks, kept)] == [908]
    assert learners._kept(path, {"code": "b", "trials": 5}, tasks) == []
    assert learners._kept(path, {"code": "a", "trials": 6}, tasks) == []


def test_a_process_tree_is_measured_with_its_children():
    import subprocess
    import sys
    import time

    import psutil

    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as process:
        family = psutil.Process(process.pid)
        for _ in range(500):
            sizes = memory.tree_sizes(family)
            if len(sizes) == 2:
                break
            time.sleep(0.01)
        assert len(sizes) == 2
        assert min(sizes) > 2**20
        process.communicate(b"\n")
    assert memory.tree_sizes(family) == []


def test_a_table_goes_between_its_own_marks_only():
    page = "a <!-- x -->old<!-- /x --> b <!-- y -->other<!-- /y -->"
    made = pages.with_table(page, "x", "new")
    assert made == "a <!-- x -->\nnew\n<!-- /x --> b <!-- y -->other<!-- /y -->"
    with pytest.raises(ValueError, match="once each"):
        pages.with_table(page, "z", "new")


@pytest.mark.parametrize(
    ("name", "file", "table"),
    [
        ("bench-learners", "learners.json", learner_tables.markdown),
        ("bench-real", "real_bars.json", real_tables.markdown),
        ("bench-memory", "memory.json", memory.markdown),
    ],
)
def test_the_page_holds_the_recorded_results(name, file, table):
    page = (ROOT / "docs" / "learners.md").read_text(encoding="utf-8")
    text = (ROOT / "benchmarks" / "results" / file).read_text(encoding="utf-8")
    assert pages.with_table(page, name, table(json.loads(text))) == page


@pytest.mark.slow
def test_a_small_run_is_judged_and_kept(tmp_path):
    out = tmp_path / "learners.json"
    options = ["--seeds", "1", "--days", "30", "--trials", "2", "--workers", "1", "--out", str(out)]
    assert learners.main(options) == 0
    first = json.loads(out.read_text(encoding="utf-8"))
    assert {run["market"] for run in first["runs"]} == {"FLIP", "CONSISTENT", "NULL"}
    for run in first["runs"]:
        for share in run.get("share", {}).values():
            assert -1 < share < 1  # nothing beats the oracle by far
    assert learners.main(options) == 0
    assert json.loads(out.read_text(encoding="utf-8"))["runs"] == first["runs"]
