"""Properties: the order and overlap of appends do not count; spans behave like sets."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from fakes.fake_binance import made_up_bars
from hypothesis import given, settings
from hypothesis import strategies as st

from ares_resources.storage import gap_ledger
from ares_resources.storage.catalogue import Catalogue, Series
from ares_resources.storage.frames import empty_rows
from ares_resources.storage.merging import merge
from ares_resources.symbols import SymbolKey

START = 1_675_123_200_000  # 2023-01-31: two months are touched
BARS = made_up_bars(START, 48, "1h", seed=3)
HOURS = Series(SymbolKey.parse("ETHUSDT.BINANCE"), "bars", "1h")
SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=6)


@settings(max_examples=25, deadline=None)
@given(
    cuts=st.lists(st.tuples(st.integers(0, 47), st.integers(1, 30)), min_size=1, max_size=6),
    data=st.data(),
)
def test_appends_commute(cuts: list[tuple[int, int]], data: st.DataObject) -> None:
    chunks = [BARS.iloc[first : first + count] for first, count in cuts]
    shuffled = [chunk.sample(frac=1, random_state=len(chunk)) for chunk in chunks]
    order = data.draw(st.permutations(range(len(chunks))))
    rows = sorted({row for chunk in chunks for row in chunk.index})
    with tempfile.TemporaryDirectory() as folder:
        catalogue = Catalogue(Path(folder))
        reports = [catalogue.append(HOURS, shuffled[n], source=str(n)) for n in order]
        held = catalogue.read(HOURS, 0, 2**60)
        pd.testing.assert_frame_equal(held, BARS.loc[rows].reset_index(drop=True))
        assert sum(report.added for report in reports) == len(rows)
        assert sum(report.repeated for report in reports) == sum(map(len, chunks)) - len(rows)
        gaps = catalogue.gaps(HOURS, 0, 2**60)
        assert gaps["missing_bars"].sum() == rows[-1] - rows[0] + 1 - len(rows)
        window = catalogue.missing(HOURS, START, START + 48 * 3_600_000)
        assert sum(end - start for start, end in window) == (48 - len(rows)) * 3_600_000


def _merge_reference(rows: list[tuple[int, float]], policy: str) -> tuple[dict[int, float], int]:
    """The plain twin of ``merge`` for one value column: what stands, and disputed timestamps."""
    seen: dict[int, list[float]] = {}
    for stamp, value in rows:
        seen.setdefault(stamp, []).append(value)
    disputed = sum(len(set(values)) > 1 for values in seen.values())
    position = 0 if policy == "keep_first" else -1
    return {stamp: values[position] for stamp, values in sorted(seen.items())}, disputed


@settings(max_examples=150, deadline=None)
@given(
    parts=st.lists(
        st.lists(st.tuples(st.integers(1, 6), st.sampled_from([1.0, 2.0])), max_size=6),
        min_size=1,
        max_size=4,
    ),
    policy=st.sampled_from(["keep_first", "keep_last"]),
)
def test_merge_equals_its_plain_twin(parts: list[list[tuple[int, float]]], policy: str) -> None:
    frames = [
        {
            "timestamp": np.array([stamp for stamp, _ in part], dtype="int64"),
            "open_interest": np.array([value for _, value in part], dtype="float64"),
        }
        for part in parts
    ]
    merged = merge(empty_rows("open_interest"), frames, "open_interest", policy)
    expected, disputed = _merge_reference([row for part in parts for row in part], policy)
    assert dict(zip(*(column.tolist() for column in merged.rows.values()), strict=True)) == expected
    assert (merged.conflict.timestamps if merged.conflict else 0) == disputed
    counted = merged.added + merged.repeated + merged.conflicting
    assert counted.tolist() == [len(part) for part in parts]
    assert merged.added.sum() == len(expected)
    won = [stamp for stamps in merged.won for stamp in stamps.tolist()]
    assert sorted(won) == sorted(expected)


def _points(spans: list[tuple[int, int]]) -> set[int]:
    return {point for start, end in spans for point in range(start, end)}


@given(spans=SPANS, taken=SPANS)
def test_spans_behave_like_sets(spans: list[tuple[int, int]], taken: list[tuple[int, int]]) -> None:
    left = gap_ledger.subtract(spans, taken)
    assert _points(left) == _points(spans) - _points(taken)
    assert all(one[1] < other[0] for one, other in itertools.pairwise(left))
    assert _points(gap_ledger.union(spans)) == _points(spans)
    assert _points(gap_ledger.clip(spans, 10, 20)) == _points(spans) & set(range(10, 20))


@given(rows=st.sets(st.integers(0, 60), min_size=1))
def test_gaps_are_exactly_what_lacks_between_bars(rows: set[int]) -> None:
    stamps = np.array(sorted(rows), dtype="int64") * 1000
    gaps = gap_ledger.gaps_between(stamps, 1000)
    lacking = set(range(min(rows), max(rows) + 1)) - rows
    assert _points([(start // 1000, end // 1000) for start, end in gaps]) == lacking
