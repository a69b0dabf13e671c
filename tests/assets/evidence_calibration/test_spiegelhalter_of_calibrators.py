"""Spiegelhalter's p of Ares' own calibrators, fitted on one slice and judged on the next.

A calibrator that was fitted on n events errs by itself, and m later events find that out as soon
as m is not small beside n: to first order z has the variance 1 + m / n.  So p is above .05 in nine
seeds of ten where the slice is some three times what judges it, and at the sizes of a default
training (holdout twice the slice) only the p that allows for the fit is.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.special import ndtr

from ares_assets.analyst.weights import average_uniqueness
from ares_assets.evidence.calibration import choose_calibrator
from ares_assets.evidence.calibrators import METHODS, fit_calibrator
from ares_assets.evidence.holdout_calibration import fit_error, fitted_p
from ares_assets.evidence.reliability import overlap_groups, spiegelhalter_z

SEEDS, HORIZON, EVERY = 60, 60, 10
# A regime's third of a year: the calibration slice has a tenth of it, the holdout a fifth.
SLICE, HOLDOUT = 1_750, 3_500
FITTED = ("temperature", "platt", "beta", "isotonic", "venn_abers")


def market(seed, events, edge):
    """A path whose drift of half-life thirty minutes is known: each decision's exact probability
    of a higher price in an hour, its label, its bar and its label's end."""
    draw = np.random.default_rng(seed)
    minutes, memory = events * EVERY + HORIZON, 0.5 ** (1 / 30)
    noise = draw.standard_normal(minutes)
    drift = edge * lfilter([math.sqrt(1 - memory**2)], [1, -memory], noise)
    ahead = np.concatenate([[0.0], np.cumsum(drift)])
    path = ahead + np.concatenate([[0.0], np.cumsum(draw.standard_normal(minutes))])
    rows = np.arange(events) * EVERY
    score = (ahead[rows + HORIZON] - ahead[rows]) / math.sqrt(HORIZON)
    return ndtr(score), (path[rows + HORIZON] > path[rows]).astype(float), rows, rows + HORIZON


@functools.cache
def shares(method, fitted, judged, edge, seeds=SEEDS):
    """Shares of seeds whose p is above .05: of exact claims, and with the fit allowed for.

    The model is 2.5 times too bold and shifted by .4 in logit; what overlaps the judged events is
    purged, and fits are weighted by uniqueness, as in step 11.
    """
    exact, allowed = [], []
    for seed in range(seeds):
        p, y, rows, t1_rows = market(seed, fitted + judged, edge)
        raw = 1 / (1 + np.exp(-(2.5 * np.log(p / (1 - p)) + 0.4)))
        kept = np.flatnonzero(t1_rows[:fitted] < rows[fitted])
        weights = average_uniqueness(rows[kept] + 1, t1_rows[kept])
        known = raw[kept], y[kept], weights
        if method == "chosen":
            calibrator = choose_calibrator(*known, rows[kept], t1_rows[kept], METHODS)[0]
        else:
            calibrator = fit_calibrator(method, *known)
        later = calibrator.predict(raw[fitted:]), y[fitted:]
        groups = overlap_groups(rows[fitted:], t1_rows[fitted:])
        independent = len(np.unique(overlap_groups(rows[kept], t1_rows[kept])))
        z, found = spiegelhalter_z(*later, groups), len(np.unique(groups))
        # A flat map claims nothing that the statistic could refute: p is NaN.
        exact.append(not fitted_p(z, fit_error(found, None)) <= 0.05)
        allowed.append(not fitted_p(z, fit_error(found, independent)) <= 0.05)
    return float(np.mean(exact)), float(np.mean(allowed))


@pytest.mark.parametrize("edge", [0.03, 0.1, 0.3])
@pytest.mark.parametrize("method", ["chosen", "temperature", "platt", "beta"])
def test_a_third_of_the_slice_passes_in_nine_seeds_of_ten(method, edge):
    assert shares(method, SLICE, SLICE // 3, edge)[0] >= 0.9


@pytest.mark.parametrize("edge", [0.03, 0.1])
@pytest.mark.parametrize("method", FITTED)
def test_a_long_slice_passes_for_every_method(method, edge):
    """Isotonic maps need more: their many steps follow the slice's noise, and are too bold."""
    assert shares(method, 14_000, 3_500, edge, seeds=40)[0] >= 0.9


@pytest.mark.parametrize("edge", [0.03, 0.1, 0.3])
@pytest.mark.parametrize("method", ["chosen", "temperature", "platt", "beta"])
def test_a_default_training_passes_once_the_fit_s_own_error_is_allowed_for(method, edge):
    exact, allowed = shares(method, SLICE, HOLDOUT, edge)
    assert allowed >= 0.9
    assert exact < 0.9


def test_without_a_calibrator_neither_p_passes():
    for p in shares("identity", SLICE, HOLDOUT, 0.1):
        assert p < 0.05
