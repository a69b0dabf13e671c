"""Rows by regime and role."""

from __future__ import annotations

import numpy as np
import pytest

from ares_assets.market.splits import regime_rows
from ares_resources.errors import BadInput

ROLES = np.array(
    ["warmup"] * 2 + ["development"] * 8 + ["purged"] * 2 + ["calibration"] * 2 + ["holdout"] * 4,
    dtype=object,
)
REGIMES = np.array(
    ["bull"] * 5 + ["bear"] * 2 + ["bull"] * 6 + ["sideways"] * 3 + ["bull"] * 2, dtype=object
)


def test_rows_of_a_regime_leave_out_warmup_and_purged():
    assert regime_rows(ROLES, REGIMES, "bull").tolist() == [2, 3, 4, 7, 8, 9, 12, 16, 17]
    assert regime_rows(ROLES, REGIMES, "bear").tolist() == [5, 6]
    assert regime_rows(ROLES, REGIMES, None).tolist() == [*range(2, 10), *range(12, 18)]


def test_unknown_regimes_and_unequal_lengths_are_refused():
    with pytest.raises(BadInput, match="'crab' is not known; allowed: bull, bear, sideways"):
        regime_rows(ROLES, REGIMES, "crab")
    with pytest.raises(BadInput, match="18 roles for 17 regimes"):
        regime_rows(ROLES, REGIMES[1:], "bull")
