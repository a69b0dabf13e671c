"""How much data would do is said in the same words by every step, and where there is no pace."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares_assets.market.pace import days_needed, longer_window
from ares_assets.step04_analyst_labeling_feature_engineering import _check_trainable
from ares_resources.errors import PartitionSkipped


def test_by_hand() -> None:
    assert days_needed(100, 150, 30.0) == 45
    assert days_needed(100, 101, 30.0) == 31
    assert days_needed(0, 4, 30.0) is None
    assert longer_window(100, 150, 30.0).startswith("about 45 days of window would do")
    assert longer_window(0, 4, 30.0) == (
        "none in 30 days of window gives no pace; try 60 days or more (--lookback-days)"
    )


@given(st.integers(1, 10_000), st.integers(1, 10_000), st.floats(0.5, 3_650))
def test_as_long_a_window_holds_enough_at_the_pace(found: int, more: int, days: float) -> None:
    wanted = days_needed(found, found + more, days)
    assert wanted is not None
    assert wanted * found / days >= (found + more) * (1 - 1e-6)
    assert (wanted - 1) * found / days < found + more


@pytest.mark.parametrize(
    ("labelled", "words"),
    [
        (50, "about 36 days of window would do at this pace (--lookback-days)"),
        (0, "none in 30 days of window gives no pace; try 60 days or more (--lookback-days)"),
    ],
)
def test_step_4_says_how_long_a_window_would_do(labelled: int, words: str) -> None:
    work: Any = SimpleNamespace(
        settings=SimpleNamespace(regimes=SimpleNamespace(minimum_events=60)),
        request=SimpleNamespace(regime="bear"),
    )
    learnt = pd.DataFrame({"label": [0, 1] * (labelled // 2)})
    with pytest.raises(PartitionSkipped) as skipped:
        _check_trainable(cast(Any, work), learnt, 30.0)
    found = f"{labelled} labelled bear events in development; 60 are needed; "
    assert str(skipped.value) == found + words
