"""Peeking's price: one look costs nothing, more cost more, and simulated walks agree.

METHODS' own figures are in ``test_reference_values.py``.
"""

from __future__ import annotations

import numpy as np
import pytest

from ares_assets.evidence.peeking import fixed_test_peeking_error
from ares_resources.errors import BadInput


@pytest.mark.parametrize("level", [0.01, 0.05, 0.3])
def test_one_look_errs_as_often_as_it_says_and_more_looks_more_often(level: float) -> None:
    errors = [fixed_test_peeking_error(looks, level) for looks in (1, 2, 3, 20)]
    assert errors[0] == pytest.approx(level, abs=1e-10)
    assert errors == sorted(errors)
    assert errors[-1] < 1.0


def test_simulated_walks_are_stopped_as_often() -> None:
    walks = np.cumsum(np.random.default_rng(1).normal(size=(40_000, 30)), axis=1)
    stopped = (np.abs(walks) > 2.5758293 * np.sqrt(np.arange(1, 31))).any(axis=1)
    assert np.mean(stopped) == pytest.approx(fixed_test_peeking_error(30, 0.01), abs=0.003)


@pytest.mark.parametrize(("looks", "level"), [(0, 0.05), (1001, 0.05), (5, 0.0), (5, 1.0)])
def test_out_of_range_is_refused(looks: int, level: float) -> None:
    with pytest.raises(BadInput, match="allowed"):
        fixed_test_peeking_error(looks, level)
