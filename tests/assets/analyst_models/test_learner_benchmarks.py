"""The learners' benchmarks: measures by hand, what each row may see, and recorded tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ares_assets.analyst.cross_validation import PurgedKFold
from ares_assets.analyst.dataset import MarketExamples, everything_of
from ares_assets.analyst.experts.base import get_expert
from ares_assets.analyst.out_of_fold import out_of_fold
from ares_assets.analyst.scores import auc, log_loss
from ares_assets.market.windows import role_cuts
from ares_resources.settings import Settings
from benchmarks import (
    freqai_like,
    intervals,
    learner_tables,
    learners,
    memory,
    nested_tables,
    nested_tactician,
    pages,
    real_tables,
    refits,
    simulated_year,
    training_sets,
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


def apart(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows that share no bar."""
    rows = np.arange(count) * 100
    return rows, rows + 60


def test_noise_of_auc_is_mann_and_whitneys_where_nothing_overlaps():
    rng = np.random.default_rng(3)
    labels = (np.arange(400) < 150).astype(float)
    noise = scores.noise_of_auc(labels, rng.random(400), *apart(400))
    assert noise == pytest.approx(np.sqrt(401 / (12 * 150 * 250)), rel=1e-3)
    drawn = [auc(labels, rng.random(400), np.ones(400)) for _ in range(2_000)]
    assert noise == pytest.approx(np.std(drawn), rel=0.05)
    assert np.isnan(scores.noise_of_auc(np.ones(5), rng.random(5), *apart(5)))


def test_ties_and_a_score_that_does_not_vary_have_their_own_noise():
    rng = np.random.default_rng(6)
    labels = (rng.random(300) < 0.4).astype(float)
    assert scores.noise_of_auc(labels, np.ones(300), *apart(300)) == 0
    tied = np.repeat([0.0, 1.0], 150)
    drawn = [auc(rng.permutation(labels), tied, np.ones(300)) for _ in range(2_000)]
    assert scores.noise_of_auc(labels, tied, *apart(300)) == pytest.approx(np.std(drawn), rel=0.05)


@pytest.mark.parametrize("held", [6, 3])
def test_noise_of_auc_is_that_of_labels_that_overlap_and_scores_that_last(held: int):
    """Windows of six events; labels that end after ``held`` of them; scores that know nothing."""
    rng, rows, errors = np.random.default_rng(held), np.arange(900) * 10, []
    for _ in range(300):
        moves = np.convolve(rng.normal(size=900 + held - 1), np.ones(held), "valid")
        score = np.convolve(rng.normal(size=919), np.ones(20), "valid")
        labels = (moves > 0).astype(float)
        noise = scores.noise_of_auc(labels, score, rows, rows + 60)
        errors.append((auc(labels, score, np.ones(900)) - 0.5) / noise)
    # The error of a root mean square of 300 is .04.
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(1, abs=0.12)


def test_outside_band_counts_by_each_folds_own_noise():
    folds = np.array([[0.52, 0.02], [0.55, 0.02], [0.45, 0.02], [0.55, 0.05], [0.5, 0.0]])
    assert scores.outside_band(folds) == 2
    assert scores.standard_scores(folds) == pytest.approx([1, 2.5, -2.5, 1, 0])


def test_the_table_of_null_folds_sets_seeds_against_chance():
    runs = [
        {
            "market": "NULL",
            "days": 180,
            "seed": seed,
            "skipped": {},
            "null_folds": {"linear": [[0.5 + lift, 0.02], [0.5 - lift / 2, 0.02]]},
        }
        for seed, lift in enumerate((0.04, 0.02, -0.02), 1)
    ]
    line = learner_tables.markdown({"runs": runs, "trials": 1}).splitlines()[-1]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    means = np.array([0.51, 0.505, 0.495])
    t = (means.mean() - 0.5) / (means.std(ddof=1) / np.sqrt(3))
    z = np.array([2, 1, 1, 0.5, 1, 0.5])
    assert cells[2:6] == ["6", "0.5033 ± 0.0044", f"{t:+.2f}", "± 4.30"]
    assert cells[8:] == [f"{np.sqrt((z**2).mean()):.2f}", "1 (16.7%)"]


def test_fold_scores_are_the_product_s_auc_in_each_fold():
    rng = np.random.default_rng(4)
    rows, ends = apart(60)
    events = pd.DataFrame({"label": rng.integers(0, 2, 60), "row": rows, "last_row": ends})
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
    events = pd.DataFrame({"row": rows, "last_row": ends})
    # Labels of the last events before the seam end 60 bars later, and events are 5 apart.
    seam = freqai_like.split_spans(in_order, events)
    assert training_sets.leaking_rows(seam.train, seam.test) == 11
    shuffled = freqai_like.split_spans(freqai_like.split(len(rows), shuffle=True), events)
    leaking = training_sets.leaking_rows(shuffled.train, shuffled.test)
    assert leaking == sharing_bars(shuffled) > 1_300


def sharing_bars(fold: training_sets.Fold) -> int:
    """By brute force on pairs: training labels that read a bar which a tested one reads too."""
    (rows, ends), (first, last) = fold.train, fold.test
    shared = (first < ends[:, None]) & (last > rows[:, None])
    return int(shared.any(axis=1).sum())


def one_regime(
    stored_by: Callable[[MarketExamples], np.ndarray],
) -> tuple[dict[str, Any], MarketExamples]:
    """Bundles of steps 4, 5 and 7: every other stretch of 50 decisions is the regime's own."""
    rng, count = np.random.default_rng(8), 1_200
    rows = np.arange(count) * 10
    events = pd.DataFrame(
        {
            "timestamp": rows * 60_000,
            "row": rows,
            "last_row": rows + 60,
            "label": rng.integers(0, 2, count),
            "uniqueness": rng.uniform(0.1, 0.3, count),
            "role": "development",
            "member": (np.arange(count) // 50) % 2 == 0,
        }
    )
    features = pd.DataFrame(rng.normal(size=(count, 3)), columns=list("abc"))
    bundle = {"events.parquet": events, "features.parquet": features}
    known = everything_of(bundle, "development")
    votes = pd.DataFrame({"linear": stored_by(known), "multilevel": 0.5})

    def artifact(value: Any, **metadata: Any) -> Any:
        return SimpleNamespace(load=lambda: value, metadata=metadata, skipped=None)

    return {
        "analyst_dataset": artifact(bundle),
        "analyst_specialists": artifact({"out_of_fold.parquet": votes}),
        "analyst_ensemble": artifact({}, weights={"linear": 0.4, "multilevel": 0.6}),
    }, known


def linear_out_of_fold(known: MarketExamples, embargo_bars: int = 60) -> np.ndarray:
    expert = get_expert("linear")
    return out_of_fold(
        expert,
        known,
        splitter=PurgedKFold(5, embargo_bars),
        parameters=expert.default_parameters(),
        seed=1,
        threads=1,
    )


def test_training_rows_are_counted_from_what_the_loops_really_hand_over():
    found, known = one_regime(linear_out_of_fold)
    folds = training_sets.folds_of(found, Settings())
    own = len(known.own)
    for name, possible in (("linear", own), ("multilevel", 1_200), ("ensemble", 1_200)):
        told = training_sets.counted(folds[name])
        assert told["models"] == 5
        assert told["leaking_rows"] == 0
        assert 0.7 * possible < told["trained_rows"]["least"] <= told["trained_rows"]["mean"]
        assert told["trained_rows"]["most"] < 0.85 * possible  # a fifth is tested, and purged
        assert told["trained_rows_in_all"] == sum(len(fold.train[0]) for fold in folds[name])
    assert np.array_equal(
        np.sort(np.concatenate([fold.test[0] for fold in folds["linear"]])), known.own.rows
    )


def test_unpurged_training_sets_are_counted_as_leaking(monkeypatch: pytest.MonkeyPatch):
    def unpurged(rows, t1_rows, blocks, embargo_bars):
        return np.setdiff1d(np.arange(len(rows)), np.concatenate(blocks))

    monkeypatch.setattr("ares_assets.analyst.cross_validation._purged", unpurged)
    found, _ = one_regime(linear_out_of_fold)
    folds = training_sets.folds_of(found, Settings())["linear"]
    told = training_sets.counted(folds)
    assert told["leaking_rows"] == sum(sharing_bars(fold) for fold in folds) > 10


def test_counts_of_other_training_sets_than_step_5_had_are_refused():
    found, _ = one_regime(lambda known: linear_out_of_fold(known, embargo_bars=600))
    with pytest.raises(ValueError, match="did not train on the events that were counted"):
        training_sets.folds_of(found, Settings())


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
    null = [learners.Task("NULL", 60, 907, 5)]
    for key, again in (("folds", 1), ("null_folds", 0)):
        run = {"market": "NULL", "days": 60, "seed": 907, key: {}}
        pages.write_results(path, {"code": "a", "trials": 5, "runs": [run]})
        kept = learners._kept(path, {"code": "a", "trials": 5}, null)
        assert len(learners._left(null, kept)) == again
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
    ("page", "name", "file", "table"),
    [
        ("learners", "bench-learners", "learners.json", learner_tables.markdown),
        ("learners", "bench-real", "real_bars.json", real_tables.markdown),
        ("learners", "bench-memory", "memory.json", memory.markdown),
        ("benchmarks", refits.MARK, "refits.json", refits.markdown),
        ("tactician", nested_tactician.MARK, "nested_tactician.json", nested_tables.markdown),
    ],
)
def test_the_page_holds_the_recorded_results(page, name, file, table):
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    kept = (ROOT / "benchmarks" / "results" / file).read_text(encoding="utf-8")
    assert pages.with_table(text, name, table(json.loads(kept))) == text


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
