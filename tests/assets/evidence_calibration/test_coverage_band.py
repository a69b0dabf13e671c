"""Coverage lies in its beta-binomial band as often as promised, and a wrong rank is found out."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import betabinom

from ares_assets.evidence.conformal import (
    ConformalSets,
    conformal_report,
    fit_conformal,
    true_scores,
)
from ares_assets.evidence.coverage import banded_report, coverage_band, judged_coverage
from ares_assets.evidence.reliability import overlap_groups
from ares_resources.errors import BadInput

SEEDS, JUDGED = 500, 400


def drawn(count, seed):
    draw = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-draw.normal(0, 1.0, count)))
    return p, (draw.random(count) < p).astype(float)


def off_by(ranks, known, labels, coverage):
    """The product's sets, or with a threshold that many ranks away from the right one."""
    sets = fit_conformal(known, labels, coverage=coverage)
    if ranks == 0:
        return sets
    order = np.sort(true_scores("lac", known, labels))
    place = math.ceil(round((len(known) + 1) * coverage, 9)) - 1 + ranks
    return replace(sets, threshold=float(order[place]))


def outcomes(fitted, coverage, ranks=0):
    """Covered share of 400 fresh events of 500 seeds, and whether each is in its band."""
    covered, within = [], []
    for seed in range(SEEDS):
        p, y = drawn(fitted + JUDGED, seed)
        sets = off_by(ranks, p[:fitted], y[:fitted], coverage)
        report = banded_report(sets, p[fitted:], y[fitted:])
        covered.append(report["coverage"])
        within.append(report["coverage_within_band"])
    return np.array(covered), np.array(within)


def exact_chances(fitted, coverage):
    """What 500 seeds should show: mean and spread of the covered share, chance of the band."""
    rank = math.ceil(round((fitted + 1) * coverage, 9))
    law = betabinom(JUDGED, rank, fitted + 1 - rank)
    low, high = law.ppf(0.025), law.ppf(0.975)
    return law.mean() / JUDGED, law.std() / JUDGED, law.cdf(high) - law.cdf(low - 1)


def agrees(fitted, coverage, ranks=0):
    """Mean coverage and share within the band, each within 3.3 standard errors (p .001)."""
    covered, within = outcomes(fitted, coverage, ranks)
    mean, spread, inside = exact_chances(fitted, coverage)
    near = abs(covered.mean() - mean) < 3.3 * spread / math.sqrt(SEEDS)
    share = abs(within.mean() - inside) < 3.3 * math.sqrt(inside * (1 - inside) / SEEDS)
    return near, share


@pytest.mark.parametrize(("fitted", "coverage"), [(9, 0.9), (39, 0.9), (40, 0.9), (199, 0.8)])
def test_exchangeable_coverage_is_inside_the_band_as_often_as_promised(fitted, coverage):
    assert exact_chances(fitted, coverage)[2] == pytest.approx(0.96, abs=0.02)
    assert agrees(fitted, coverage) == (True, True)


def test_a_threshold_off_by_one_rank_is_found_out():
    """One rank of nine leaves the band; of thirty-nine it moves the mean by .025."""
    assert agrees(9, 0.9, ranks=-1) == (False, False)
    assert not agrees(39, 0.9, ranks=-1)[0]
    assert not agrees(39, 0.9, ranks=1)[0]


def test_all_quantiles_of_coverage_are_those_of_the_law():
    """The covered count through its own distribution function is uniform (randomised)."""
    covered, _ = outcomes(39, 0.9)
    law = betabinom(JUDGED, 36, 4)
    counts = (covered * JUDGED).round()
    spread = np.random.default_rng(1).random(SEEDS)
    ranks = np.sort(law.cdf(counts - 1) + spread * law.pmf(counts))
    assert abs(ranks - (np.arange(SEEDS) + 0.5) / SEEDS).max() < 1.63 / math.sqrt(SEEDS)


def test_band_by_hand():
    # One score, coverage 1/2: the covered number of two is uniform on 0, 1, 2.
    assert coverage_band(ConformalSets("lac", 0.5, 0.4, 1), 2, level=0.3) == (0.5, 0.5)
    assert coverage_band(ConformalSets("lac", 0.5, 0.4, 1), 2, level=0.34) == (0.0, 1.0)
    assert coverage_band(ConformalSets("lac", 0.5, 0.4, 1), 2) == (0.0, 1.0)
    sets = fit_conformal(*drawn(99, 1), coverage=0.9)
    law = betabinom(50, 90, 10)
    assert coverage_band(sets, 50) == (law.ppf(0.025) / 50, law.ppf(0.975) / 50)
    assert coverage_band(ConformalSets("lac", 0.9, math.inf, 5), 50) == (1.0, 1.0)


def test_fewer_independent_events_widen_the_band():
    p, y = drawn(300, 2)
    alone = fit_conformal(p, y, coverage=0.9)
    shared = fit_conformal(p, y, coverage=0.9, groups=np.arange(300) // 6)
    narrow, few, fewest = (
        coverage_band(alone, 600),
        coverage_band(alone, 100),
        coverage_band(shared, 100),
    )
    assert fewest[0] < few[0] < narrow[0] < 0.9 < narrow[1] < few[1] < fewest[1]
    # 50 of 300 events count as beta-binomial with 51 / 301 of it.
    law = betabinom(100, 271 * 51 / 301, 30 * 51 / 301)
    assert fewest == (law.ppf(0.025) / 100, law.ppf(0.975) / 100)


def overlapping(seed, events=900, horizon=60, every=10):
    """Labels of overlapping windows of one noise path, and their true probabilities."""
    draw = np.random.default_rng(seed)
    count = events * every + horizon
    ahead = np.concatenate([[0.0], np.cumsum(np.repeat(draw.normal(0, 0.1, count // 30 + 1), 30))])
    path = ahead[: count + 1] + np.concatenate([[0.0], np.cumsum(draw.standard_normal(count))])
    rows = np.arange(events) * every
    p = ndtr((ahead[rows + horizon] - ahead[rows]) / math.sqrt(horizon))
    return p, (path[rows + horizon] > path[rows]).astype(float), rows, rows + horizon


def test_overlapping_labels_need_the_band_of_independent_events():
    honest, naive = [], []
    for seed in range(300):
        p, y, rows, t1_rows = overlapping(seed)
        report = judged_coverage(p, y, rows, t1_rows, coverage=0.9)
        honest.append(report["coverage_within_band"])
        # The second half fitted and judged as if all labels were separate observations.
        sets = ConformalSets("lac", 0.9, 0.0, report["fitted"])
        low, high = coverage_band(sets, report["judged"])
        naive.append(low <= report["coverage"] <= high)
    assert np.mean(honest) >= 0.93
    assert np.mean(naive) < 0.85


def test_halves_are_purged_and_judged_apart():
    p, y, rows, t1_rows = overlapping(1, events=400)
    report = judged_coverage(p, y, rows, t1_rows, coverage=0.8)
    # Of the first 200 events the last six end at or after event 200 begins.
    assert (report["fitted"], report["judged"]) == (194, 200)
    assert report["judged_independent"] == overlap_groups(rows[200:], t1_rows[200:])[-1] + 1
    sets = fit_conformal(p[:194], y[:194], coverage=0.8)
    assert report["coverage"] == conformal_report(sets.predict(p[200:]), y[200:])["coverage"]
    later = np.where(np.arange(400) >= 194, 1 - y, y)
    again = judged_coverage(p, later, rows, t1_rows, coverage=0.8)
    assert again["coverage"] != report["coverage"]
    assert again["single"] == report["single"]
    assert json.loads(json.dumps(report)) == report


def test_nothing_to_judge():
    p, y, rows, t1_rows = overlapping(1, events=9)
    assert judged_coverage(p[:1], y[:1], rows[:1], t1_rows[:1], coverage=0.9) == {"judged": 0}
    # All of the first half is still open when the second begins.
    assert judged_coverage(p, y, rows, t1_rows, coverage=0.9) == {"judged": 0}
    for judged, level in ((0, 0.95), (5, 1.0)):
        with pytest.raises(BadInput, match="judged events at level"):
            coverage_band(ConformalSets("lac", 0.9, 0.5, 9), judged, level=level)
