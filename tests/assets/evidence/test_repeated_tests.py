"""However many challengers face a champion, the chance of replacing it wrongly stays one level."""

from __future__ import annotations

import numpy as np
import pytest

from ares_assets.evidence.repeated_tests import level_of_attempt
from ares_assets.evidence.sequential import always_valid_test
from ares_resources.errors import BadInput

LEVEL, ATTEMPTS, DAYS = 0.05, 20, 120


def test_the_levels_of_all_attempts_add_up_to_the_level_and_fall() -> None:
    levels = [level_of_attempt(LEVEL, k) for k in range(1, 100_001)]
    # What is left after n attempts is about 6 / (pi^2 n) of the level.
    assert sum(levels) == pytest.approx(LEVEL, rel=1e-4)
    assert sum(levels) < LEVEL
    assert levels == sorted(levels, reverse=True)
    assert levels[0] == pytest.approx(0.6079 * LEVEL, rel=1e-3)
    with pytest.raises(BadInput, match="attempt = 0"):
        level_of_attempt(LEVEL, 0)


@pytest.mark.parametrize("shared", [0, 100])
def test_twenty_equals_replace_a_champion_no_oftener_than_one_level(shared: int) -> None:
    """500 champions; ``shared`` days of each attempt are those of the attempt before."""
    rng = np.random.default_rng(7)
    fresh = DAYS - shared
    wrong = {"each at the full level": 0, "level shared out": 0}
    for _ in range(500):
        days = rng.normal(0.0, 0.01, DAYS + fresh * (ATTEMPTS - 1))
        spent = dict.fromkeys(wrong, False)
        for attempt in range(1, ATTEMPTS + 1):
            seen = days[(attempt - 1) * fresh :][:DAYS]
            p = always_valid_test(seen, level=LEVEL)
            spent["each at the full level"] |= p.decision == "better"
            level = level_of_attempt(LEVEL, attempt)
            spent["level shared out"] |= always_valid_test(seen, level=level).decision == "better"
        for name, erred in spent.items():
            wrong[name] += erred
    # The bound itself, without an allowance for chance: the test is on the careful side.
    assert wrong["level shared out"] <= LEVEL * 500
    assert wrong["each at the full level"] > 2 * LEVEL * 500
