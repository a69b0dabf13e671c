"""Drift distances by hand and against scipy; loss alarms and their false-alarm rate."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from ares_assets.evidence import drift as d
from ares_assets.evidence import loss_drift
from ares_assets.evidence.loss_drift import loss_stream, paired_losses, prequential_drift
from ares_resources.errors import BadInput


def test_psi_by_hand() -> None:
    reference, current = np.arange(100.0), np.r_[np.zeros(30), np.full(70, 99.0)]
    before, after = np.array([50.5, 50.5, 0.5]), np.array([30.5, 70.5, 0.5])
    p, q = before / before.sum(), after / after.sum()
    expected = ((q - p) * np.log(q / p)).sum()
    assert d.population_stability_index(reference, current, bins=2) == pytest.approx(expected)


def test_psi_sees_missing_values_appear() -> None:
    rng = np.random.default_rng(0)
    reference, current = rng.normal(size=1000), rng.normal(size=1000)
    quiet = d.population_stability_index(reference, current)
    current[:300] = np.nan
    assert d.population_stability_index(reference, current) > quiet + 0.25


def test_psi_floor_is_passed_as_rarely_as_it_says() -> None:
    hits = []
    for seed in range(500):
        rng = np.random.default_rng(seed)
        psi = d.population_stability_index(rng.normal(size=1000), rng.normal(size=300))
        hits.append(psi > d.psi_floor(1000, 300))
    assert np.mean(hits) == pytest.approx(0.05, abs=0.03)


@pytest.mark.parametrize("values", [2, 3, 5])
def test_psi_floor_counts_the_bins_that_ties_leave(values: int) -> None:
    """Of few values few bins: the floor of ten would be passed almost never."""
    hits, of_ten = [], []
    for seed in range(500):
        rng = np.random.default_rng(seed)
        samples = [rng.integers(0, values, size).astype(float) for size in (1000, 300)]
        psi = d.population_stability_index(*samples)
        held = d.occupied_bins(*samples)
        assert held == values
        hits.append(psi > d.psi_floor(1000, 300, bins=held))
        of_ten.append(psi > d.psi_floor(1000, 300))
    assert np.mean(hits) == pytest.approx(0.05, abs=0.03)
    assert np.mean(of_ten) < 0.01


def test_missing_values_fill_a_bin_of_their_own_and_a_constant_has_no_floor() -> None:
    rng = np.random.default_rng(0)
    before, after = rng.normal(size=500), rng.normal(size=100)
    assert d.occupied_bins(before, after) == 10
    after[:5] = np.nan
    assert d.occupied_bins(before, after) == 11
    assert d.occupied_bins([1.0] * 9, [1.0] * 4) == 1
    assert d.psi_floor(9, 4, bins=1) == 0.0


def test_a_feature_of_two_values_has_the_floor_of_two_bins() -> None:
    rng = np.random.default_rng(2)
    before, after = (pd.DataFrame({"x": rng.integers(0, 2, n) * 1.0}) for n in (120, 60))
    row = d.feature_drift(before, after, bins=10)[0]
    assert row["stretches"] < 3
    assert row["floor"] == pytest.approx(max(0.1, d.psi_floor(120, 60, bins=2)))


def test_ks_agrees_with_scipy() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=300).round(1), rng.normal(0.3, 1, 200).round(1)
    assert d.kolmogorov_smirnov(x, y) == pytest.approx(ks_2samp(x, y).statistic)
    assert np.isnan(d.kolmogorov_smirnov([np.nan], y))
    holes = np.insert(x, [0, 150], np.nan)
    assert d.kolmogorov_smirnov(holes, y) == d.kolmogorov_smirnov(x, y)


def test_ks_floor_is_passed_as_rarely_as_it_says() -> None:
    hits = []
    for seed in range(500):
        rng = np.random.default_rng(seed)
        ks = d.kolmogorov_smirnov(rng.normal(size=1000), rng.normal(size=300))
        hits.append(ks > d.kolmogorov_smirnov_floor(1000, 300))
    assert np.mean(hits) == pytest.approx(0.05, abs=0.03)
    # Smirnov's table: 1.358 at 5 % for equal samples of large size.
    assert d.kolmogorov_smirnov_floor(2, 2) == pytest.approx(1.358, abs=1e-3)


def _sticky(rng: np.random.Generator, n: int) -> np.ndarray:
    noise = rng.normal(size=n)
    value = np.zeros(n)
    for i in range(1, n):
        value[i] = 0.95 * value[i - 1] + noise[i]
    return value


def test_sticky_features_are_judged_by_their_own_wandering() -> None:
    """The floor of independent samples alarms at once here; the measured one seldom does."""
    drifted, naive, ks_drifted, ks_naive = [], [], [], []
    for seed in range(40):
        values = _sticky(np.random.default_rng(seed), 3500)
        reference, current = values[:3000], values[3000:]
        row = d.feature_drift(pd.DataFrame({"x": reference}), pd.DataFrame({"x": current}))[0]
        drifted.append(row["drifted"])
        naive.append(row["psi"] > d.psi_floor(3000, 500))
        ks_drifted.append(row["ks_drifted"])
        ks_naive.append(row["ks"] > d.kolmogorov_smirnov_floor(3000, 500))
        assert row["ks_drifted"] == (row["ks"] > row["ks_floor"])
    assert np.mean(naive) > 0.8
    assert np.mean(drifted) <= 0.15
    assert np.mean(ks_naive) > 0.8
    assert np.mean(ks_drifted) <= 0.15


def test_a_shifted_feature_is_found_and_only_it() -> None:
    rng = np.random.default_rng(3)
    reference = pd.DataFrame({"a": rng.normal(size=2000), "b": rng.normal(size=2000)})
    current = pd.DataFrame({"a": rng.normal(size=400), "b": rng.normal(1.0, 1, 400)})
    rows = d.feature_drift(reference, current)
    json.dumps(rows, allow_nan=False)
    assert [(row["feature"], row["drifted"]) for row in rows] == [("a", False), ("b", True)]
    assert [row["ks_drifted"] for row in rows] == [False, True]
    with pytest.raises(BadInput, match="b"):
        d.feature_drift(reference, current[["a"]])


def test_measured_floors_by_hand() -> None:
    """Three stretches of a reference, each against the rest of it."""
    reference = np.r_[np.zeros(40), np.full(40, 1.0), np.full(40, 2.0)]
    current = np.full(40, 1.0)
    row = d.feature_drift(pd.DataFrame({"x": reference}), pd.DataFrame({"x": current}), bins=4)[0]
    distances = [
        d.kolmogorov_smirnov(np.delete(reference, part), reference[part])
        for part in np.arange(120).reshape(3, 40)
    ]
    assert distances == [1.0, 0.5, 1.0]
    logs = np.log(distances)
    # Student's 95 % quantile of two degrees of freedom is 2.920.
    bound = np.exp(logs.mean() + 2.920 * np.sqrt(4 / 3) * logs.std(ddof=1))
    assert row["ks_floor"] == pytest.approx(bound, rel=1e-3)


def test_a_past_too_short_to_know_how_a_feature_wanders_calls_nothing_drifted() -> None:
    rng = np.random.default_rng(3)
    reference, current = pd.DataFrame({"x": rng.normal(size=1000)}), rng.normal(1, 1, 400)
    row = d.feature_drift(reference, pd.DataFrame({"x": current}))[0]
    assert (row["stretches"], row["drifted"], row["ks_drifted"]) == (2, False, False)
    assert row["psi"] > row["floor"]
    assert d.feature_drift(reference, pd.DataFrame({"x": current[:300]}))[0]["drifted"]


def test_the_measured_floor_holds_for_a_handful_of_stretches() -> None:
    """Of three distances of one law the largest is passed by a fourth once in four."""
    rng, passed = np.random.default_rng(0), 0
    for _ in range(2000):
        *past, now = np.exp(rng.normal(size=4))
        passed += now > d._prediction_bound(np.array(past), 0.95)
    assert passed / 2000 == pytest.approx(0.05, abs=0.015)


# --- the loss ---------------------------------------------------------------------------------


def _losses(seed: int, skills: np.ndarray) -> np.ndarray:
    """Paired losses of calibrated probabilities that are 1/2 +- skill, and mean nothing at -1."""
    rng = np.random.default_rng(seed)
    spread = np.where(skills < 0, 0.06, skills)
    p = 0.5 + spread * rng.choice([-1.0, 1.0], skills.size)
    true = np.where(skills < 0, 0.5, p)
    return paired_losses(p, (rng.random(skills.size) < true).astype(float), 0.5)


DEAD = -1.0


def test_paired_loss_by_hand() -> None:
    losses = paired_losses([0.6, 0.6, 0.0, 1.0], [1, 0, 1, 1], 0.5)
    assert losses == pytest.approx([0.16 - 0.25, 0.36 - 0.25, 0.75, -0.25])
    with pytest.raises(BadInput, match="labels"):
        paired_losses([0.5], [1, 0], 0.5)


def test_its_mean_is_the_edge() -> None:
    alive, dead = _losses(1, np.full(200_000, 0.06)), _losses(2, np.full(200_000, DEAD))
    assert alive.mean() == pytest.approx(-(0.06**2), abs=6e-4)
    assert dead.mean() == pytest.approx(0.06**2, abs=6e-4)


def test_overlapping_labels_make_one_block_and_the_last_is_still_open() -> None:
    rows = np.array([0, 10, 20, 60, 70, 200, 210])
    stream = loss_stream([1, 2, 3, 10, 20, 7, 9], rows, rows + 50)
    assert stream.loss.tolist() == [2.0, 15.0]
    assert stream.known_row.tolist() == [70, 120]
    assert loss_stream([], np.array([], int), np.array([], int)).loss.tolist() == []


def test_a_stream_that_ends_earlier_is_the_beginning_of_the_same() -> None:
    rng = np.random.default_rng(3)
    rows = np.cumsum(rng.integers(1, 40, 400))
    known, losses = rows + 60, rng.normal(size=400)
    full = loss_stream(losses, rows, known)
    for now in rng.integers(rows[5], rows[-1], 30):
        labelled = known <= now
        cut = loss_stream(losses[labelled], rows[labelled], known[labelled])
        size = len(cut.loss)
        assert (cut.loss == full.loss[:size]).all()
        assert (cut.known_row == full.known_row[:size]).all()
        assert (cut.known_row <= now).all()


def test_alarms_do_not_change_when_the_future_is_cut_or_replaced() -> None:
    losses = _losses(7, np.r_[np.full(400, 0.3), np.full(1200, DEAD)])
    reference = _losses(8, np.full(300, 0.3))
    full = prequential_drift(losses, reference=reference, seed=1)
    assert full.alarms
    for cut in np.random.default_rng(8).integers(1, 1600, 10):
        begun = prequential_drift(losses[:cut], reference=reference, seed=1, planned=losses.size)
        assert begun.delta == full.delta
        assert begun.alarms == tuple(alarm for alarm in full.alarms if alarm < cut)
        other = np.r_[losses[:cut], _losses(9, np.full(1600 - cut, 0.3))]
        replaced = prequential_drift(other, reference=reference, seed=1)
        assert tuple(a for a in replaced.alarms if a < cut) == begun.alarms


def test_false_alarms_are_as_rare_as_the_level() -> None:
    """With skill and without; 60 streams each, a binomial of .05 exceeds 8 once in 300."""
    for skill in (0.06, DEAD):
        alarmed = 0
        for seed in range(60):
            stream = _losses(1000 + seed, np.full(900, skill))
            found = prequential_drift(stream[300:], reference=stream[:300], seed=seed)
            assert found.false_alarm_share <= found.level == 0.05
            alarmed += bool(found.alarms)
        assert alarmed <= 8


def test_the_edge_s_death_is_found_where_adwin_as_it_comes_sees_nothing() -> None:
    """An AUC of about .57 dies in the middle: of 20 streams most must be found."""
    from river.drift import ADWIN

    watched, as_it_comes = 0, 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        p = 0.5 + 0.06 * rng.choice([-1.0, 1.0], 4200)
        true = np.where(np.arange(4200) < 2200, p, 0.5)
        y = (rng.random(4200) < true).astype(float)
        watched += bool(_watched(paired_losses(p, y, 0.5), seed))
        detector = ADWIN()
        for loss in ((p - y) ** 2).tolist():
            detector.update(loss)
        as_it_comes += detector.n_detections > 0
    assert watched >= 12
    assert as_it_comes <= 2


def _watched(losses: np.ndarray, seed: int) -> tuple[int, ...]:
    return prequential_drift(losses[1000:], reference=losses[:1000], seed=seed).alarms


def test_a_lost_skill_is_alarmed_soon_after_and_not_before() -> None:
    stream = _losses(5, np.r_[np.full(900, 0.25), np.full(900, DEAD)])
    found = prequential_drift(stream[300:], reference=stream[:300], seed=1)
    json.dumps(found.as_dict(), allow_nan=False)
    assert 600 <= found.alarms[0] < 900
    assert found.chance <= 0.05


def test_a_break_at_the_first_watched_block_is_seen() -> None:
    found = prequential_drift(
        _losses(6, np.full(800, DEAD)), reference=_losses(5, np.full(500, 0.25)), seed=1
    )
    assert found.alarms


def test_a_model_that_improves_raises_no_alarm() -> None:
    stream = _losses(5, np.r_[np.full(900, DEAD), np.full(900, 0.3)])
    found = prequential_drift(stream[300:], reference=stream[:300], seed=1)
    assert found.alarms == ()
    assert found.chance == 1.0


def test_too_short_a_past_takes_in_the_beginning_or_says_why_not() -> None:
    stream = _losses(5, np.full(200, 0.1))
    found = prequential_drift(stream, reference=stream[:10], seed=1)
    assert (found.reference, found.observations) == (loss_drift.MINIMUM_REFERENCE, 180)
    short = prequential_drift(stream[:12], reference=stream[:10], seed=1)
    assert short.unjudged == "22 blocks of losses before the watched; 30 needed"
    assert (short.alarms, short.chance) == ((), 1.0)
    flat = prequential_drift(np.zeros(100), reference=np.zeros(50), seed=1)
    assert flat.unjudged == "the model's losses before the watched ones are all equal"


def test_a_stream_that_is_too_loud_at_every_sensitivity_was_not_watched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loss_drift, "_DELTAS", (0.99,))
    found = prequential_drift(
        _losses(6, np.full(800, DEAD)), reference=_losses(5, np.full(500, 0.25)), seed=1, level=0.0
    )
    assert found.unjudged == "driftless streams alarm too often at every sensitivity"
    assert (found.alarms, found.delta, found.observations) == ((), None, 0)


def test_bad_losses_are_named() -> None:
    with pytest.raises(BadInput, match=r"\[1\] not finite"):
        prequential_drift([0.1, np.nan], seed=1)
    with pytest.raises(BadInput, match="2 losses, 1 rows"):
        loss_stream([0.1, 0.2], np.array([1]), np.array([2]))
