"""Live results are kept once, in order, and never changed; a state is old or new."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ares_resources.errors import BadInput, CorruptArtifact
from ares_resources.storage.atomic import write_parquet
from ares_resources.storage.rollouts import RolloutStore

START = {"plan": {"stage": 0}, "level": 0.05, "live_from_ms": 1_700_000_000_000}


@pytest.fixture
def kept(tmp_path: Path) -> RolloutStore:
    store = RolloutStore(tmp_path, "a" * 64)
    store.begin(START)
    return store


def append(kept: RolloutStore, new: pd.DataFrame) -> int:
    before = len(kept.live())
    kept.keep(kept.joined(new))
    return len(kept.live()) - before


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
    assert append(kept, rows(0, 5)) == 5
    before = kept.live()
    assert append(kept, rows(0, 5)) == 0
    assert append(kept, rows(3, 4)) == 2
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
    append(kept, rows(0, 5))
    before = (kept.root / "live.parquet").read_bytes()
    with pytest.raises(BadInput, match=words):
        kept.joined(pd.concat([again, rows(9, 1)], ignore_index=True))
    assert (kept.root / "live.parquet").read_bytes() == before


def test_a_version_tried_anew_begins_after_its_earlier_results(kept: RolloutStore) -> None:
    append(kept, rows(0, 5))
    kept.begin(START)
    state = kept.state()
    assert state is not None
    assert (state["seen_rows"], state["stage_row"]) == (5, 5)


def test_damage_is_told(kept: RolloutStore) -> None:
    append(kept, rows(0, 5))
    state = kept.state()
    assert state is not None
    kept.write({**state, "seen_rows": 6})
    with pytest.raises(CorruptArtifact, match="seen 6 rows"):
        kept.state()
    (kept.root / "rollout.json").write_text("{")
    with pytest.raises(CorruptArtifact, match="no state"):
        kept.state()


def test_what_is_joined_is_not_written_before_it_is_kept(kept: RolloutStore) -> None:
    joined = kept.joined(rows(0, 5))
    assert kept.live().empty
    kept.keep(joined)
    pd.testing.assert_frame_equal(kept.live(), joined)


def test_the_last_place_of_a_float_is_no_other_result(kept: RolloutStore) -> None:
    append(kept, rows(0, 3, value=0.1))
    before = (kept.root / "live.parquet").read_bytes()
    assert append(kept, rows(0, 3, value=0.1 + 2e-17)) == 0
    assert append(kept, rows(0, 3, value=0.10000000000000002)) == 0
    assert (kept.root / "live.parquet").read_bytes() == before
    with pytest.raises(BadInput, match="challenger_return"):
        kept.joined(rows(0, 3, value=0.1 + 1e-9))


def test_a_state_that_is_gone_while_its_results_stand_is_damage(kept: RolloutStore) -> None:
    append(kept, rows(0, 5))
    (kept.root / "rollout.json").unlink()
    with pytest.raises(CorruptArtifact, match="is gone, its 5 results stand"):
        kept.state()


def test_a_state_that_lacks_something_and_foreign_results_are_damage(kept: RolloutStore) -> None:
    (kept.root / "rollout.json").write_text('{"seen_rows": 0, "plan": {}, "level": 0.05}')
    with pytest.raises(CorruptArtifact, match="lacks 'live_from_ms'"):
        kept.state()
    (kept.root / "rollout.json").write_text("[]")
    with pytest.raises(CorruptArtifact, match="no state"):
        kept.state()
    write_parquet(kept.root / "live.parquet", rows(0, 2).drop(columns="trades"))
    with pytest.raises(CorruptArtifact, match="other columns"):
        kept.live()
