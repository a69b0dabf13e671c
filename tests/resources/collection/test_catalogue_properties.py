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
from ares_resources.storage.frames import Rows
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


Row = tuple[int, float, float]  # time, volume, and the taker's share, which may be unknown
VALUES = st.sampled_from([1.0, 2.0])
SHARES = st.sampled_from([0.0, 0.5, np.nan])
PARTS = st.lists(
    st.lists(st.tuples(st.integers(1, 6), VALUES, SHARES), max_size=6), min_size=1, max_size=4
)


def _folded(rows: list[Row], policy: str) -> tuple[dict[int, tuple[float, float]], set[int]]:
    """The plain twin of ``merge``: row after row; what stands, and the disputed timestamps."""
    standing: dict[int, tuple[float, float]] = {}
    disputed = set()
    for stamp, volume, share in rows:
        if stamp not in standing:
            standing[stamp] = (volume, share)
            continue
        known_volume, known_share = standing[stamp]
        both_known = not np.isnan(share) and not np.isnan(known_share)
        if volume != known_volume or (both_known and share != known_share):
            disputed.add(stamp)
            if policy == "keep_last":
                standing[stamp] = (volume, share)
        elif np.isnan(known_share):
            standing[stamp] = (volume, share)
    return standing, disputed


def _rows(part: list[Row]) -> Rows:
    table = np.array(part, dtype="float64").reshape(-1, 3)
    rows: Rows = {"timestamp": table[:, 0].astype("int64"), "volume": table[:, 1]}
    return {**rows, "taker_buy_share": table[:, 2]}


@settings(max_examples=300, deadline=None)
@given(parts=PARTS, policy=st.sampled_from(["keep_first", "keep_last"]))
def test_merge_equals_its_plain_twin(parts: list[list[Row]], policy: str) -> None:
    merged = merge(_rows([]), [_rows(part) for part in parts], "bars", policy)
    expected, disputed = _folded([row for part in parts for row in part], policy)
    columns = (column.tolist() for column in merged.rows.values())
    assert str(list(zip(*columns, strict=True))) == str(
        [(stamp, *values) for stamp, values in sorted(expected.items())]
    )
    assert set(merged.disputed.tolist()) == disputed
    assert (merged.conflict is None) == (not disputed)
    counted = merged.added + merged.repeated + merged.conflicting
    assert counted.tolist() == [len(part) for part in parts]
    assert merged.added.sum() == len(expected)
    won = [stamp for stamps in merged.won for stamp in stamps.tolist()]
    assert sorted(won) == sorted(expected)


@settings(max_examples=300, deadline=None)
@given(parts=PARTS, policy=st.sampled_from(["keep_first", "keep_last"]))
def test_merging_at_once_or_one_after_another_is_the_same(
    parts: list[list[Row]], policy: str
) -> None:
    at_once = merge(_rows([]), [_rows(part) for part in parts], "bars", policy)
    standing = _rows([])
    for part in parts:
        for row in part:
            standing = merge(standing, [_rows([row])], "bars", policy).rows
    assert str(standing) == str(at_once.rows)


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
