"""Live results are kept once, in order, and never changed; a state is old or new."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ares_resources.errors import BadInput, CorruptArtifact
from ares_resources.storage.rollouts import RolloutStore

START = {"plan": {"stage": 0}, "level": 0.05, "live_from_ms": 1_700_000_000_000}


@pytest.fixture
def kept(tmp_path: Path) -> RolloutStore:
    store = RolloutStore(tmp_path, "a" * 64)
    store.begin(START)
    return store


def rows(first: int, count: int, value: float = 0.001) -> pd.DataFrame:
    stamps = [1_700_000_000_000 + 86_400_000 * k for k in range(first, first + count)]
    return pd.DataFrame(
        {
            "timestamp": stamps,
            "challenger_return": [value] * count,
            "champion_return": [0.0] * count,
            "trades": [1] * count,
            "degraded": [""] * count,
        }
    )


def test_a_version_without_a_rollout_has_no_state(tmp_path: Path) -> None:
    assert RolloutStore(tmp_path, "b" * 64).state() is None
    assert RolloutStore(tmp_path, "b" * 64).live().empty


def test_what_begins_has_seen_nothing(kept: RolloutStore) -> None:
    assert kept.state() == {**START, "model": "a" * 64, "seen_rows": 0, "stage_row": 0}


def test_rows_are_appended_and_those_that_stand_may_come_again(kept: RolloutStore) -> None:
    assert kept.append(rows(0, 5)) == 5
    before = kept.live()
    assert kept.append(rows(0, 5)) == 0
    assert kept.append(rows(3, 4)) == 2
    pd.testing.assert_frame_equal(kept.live().iloc[:5], before)
    assert len(kept.live()) == 7


@pytest.mark.parametrize(
    ("again", "words"),
    [
        (rows(2, 2, value=0.5), "challenger_return"),
        (rows(1, 1).assign(trades=9), "trades"),
        (rows(1, 1).assign(timestamp=1_700_000_000_001), "earlier"),
    ],
)
def test_what_stands_is_never_changed(kept: RolloutStore, again: pd.DataFrame, words: str) -> None:
    kept.append(rows(0, 5))
    before = (kept.root / "live.parquet").read_bytes()
    with pytest.raises(BadInput, match=words):
        kept.append(pd.concat([again, rows(9, 1)], ignore_index=True))
    assert (kept.root / "live.parquet").read_bytes() == before


def test_a_version_tried_anew_begins_after_its_earlier_results(kept: RolloutStore) -> None:
    kept.append(rows(0, 5))
    kept.begin(START)
    state = kept.state()
    assert state is not None
    assert (state["seen_rows"], state["stage_row"]) == (5, 5)


def test_damage_is_told(kept: RolloutStore) -> None:
    kept.append(rows(0, 5))
    state = kept.state()
    assert state is not None
    kept.write({**state, "seen_rows": 6})
    with pytest.raises(CorruptArtifact, match="seen 6 rows"):
        kept.state()
    (kept.root / "rollout.json").write_text("{")
    with pytest.raises(CorruptArtifact, match="no state"):
        kept.state()
