"""Meta-labels against hand-computed outcomes, the plain twin, and a cut future."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares_assets.tactician import meta_labels_kernel, meta_labels_reference
from ares_assets.tactician.meta_labels import LABEL_DTYPES, meta_labels, side_of
from ares_resources.errors import BadInput
from ares_resources.settings import CostSettings

FREE = CostSettings(fee_bp=0, slippage_bp=0, latency_bars=1)


def bars(ohlc: list[tuple[float, float, float, float]], payment: dict[int, float] | None = None):
    frame = pd.DataFrame(ohlc, columns=["open", "high", "low", "close"], dtype=float)
    frame.insert(0, "timestamp", 60_000 * np.arange(len(frame), dtype=np.int64))
    frame["funding_payment"] = 0.0
    for row, rate in (payment or {}).items():
        frame.loc[row, "funding_payment"] = rate
    return frame


FLAT = (100.0, 100.5, 99.5, 100.0)


def label(frame, *, p=0.8, row=0, costs=FREE, horizon=3, delay=1, width=0.02):
    events = pd.DataFrame({"row": [row], "t1_row": [row + horizon]})
    return meta_labels(
        frame,
        events,
        np.array([p]),
        upper_width=np.array([width]),
        lower_width=np.array([width]),
        horizon_bars=horizon,
        timeframe_ms=60_000,
        costs=costs,
        delay_bars=delay,
    ).iloc[0]


def test_target_first_for_a_long() -> None:
    got = label(bars([FLAT, FLAT, (100, 102.5, 99, 102), FLAT, FLAT]))
    assert got["side"] == 1
    assert got["gross_return"] == pytest.approx(0.02)
    assert (got["exit_row"], got["holding_bars"], got["take"]) == (2, 2, 1)
    assert got["favourable_excursion"] == pytest.approx(0.02)
    assert got["adverse_excursion"] == pytest.approx(0.01)  # the low may have come first


def test_stop_first_for_a_short_hides_the_bars_best() -> None:
    got = label(bars([FLAT, (100, 102.5, 98.5, 99), FLAT, FLAT, FLAT]), p=0.3)
    assert got["side"] == -1
    assert got["gross_return"] == pytest.approx(-0.02)
    assert (got["exit_row"], got["holding_bars"], got["take"]) == (1, 1, 0)
    assert got["favourable_excursion"] == 0.0
    assert got["adverse_excursion"] == pytest.approx(0.02)


def test_double_touch_is_adverse_for_either_side() -> None:
    wide = bars([FLAT, (100, 103, 97, 100), FLAT, FLAT, FLAT])
    assert label(wide, p=0.9)["gross_return"] == pytest.approx(-0.02)
    assert label(wide, p=0.1)["gross_return"] == pytest.approx(-0.02)


def test_gap_through_the_stop_fills_at_the_open() -> None:
    got = label(bars([FLAT, FLAT, (95, 96, 94, 95), FLAT, FLAT]))
    assert got["gross_return"] == pytest.approx(-0.05)
    assert (got["exit_row"], got["holding_bars"]) == (2, 1)
    assert got["adverse_excursion"] == pytest.approx(0.05)  # not the low, which came later


def test_gap_through_the_target_fills_at_the_open() -> None:
    got = label(bars([FLAT, FLAT, (106, 107, 99, 100), FLAT, FLAT]))
    assert got["gross_return"] == pytest.approx(0.06)


def test_horizon_ends_at_the_close_of_its_last_bar() -> None:
    got = label(bars([FLAT, FLAT, FLAT, (100, 101, 99.5, 101), FLAT]))
    assert got["gross_return"] == pytest.approx(0.01)
    assert (got["exit_row"], got["holding_bars"]) == (3, 3)


def test_entry_is_at_the_open_after_latency() -> None:
    frame = bars([FLAT, FLAT, (101, 101.5, 100.5, 101), FLAT, (100, 100.5, 99, 99.99), FLAT])
    late = CostSettings(fee_bp=0, slippage_bp=0, latency_bars=2)
    got = label(frame, costs=late)
    assert got["entry_row"] == 2
    assert got["gross_return"] == pytest.approx(99.99 / 101 - 1)


def test_costs_are_paid_on_both_notionals() -> None:
    frame = bars([FLAT, FLAT, (100, 102.5, 99, 102), FLAT, FLAT])
    got = label(frame, costs=CostSettings(fee_bp=4, slippage_bp=1, latency_bars=1))
    assert got["cost"] == pytest.approx(0.0005 * (1 + 1.02))
    assert got["net_return"] == pytest.approx(0.02 - 0.0005 * 2.02)


def test_funding_of_the_holding_span_only() -> None:
    calm = [FLAT] * 6
    paid = bars(calm, {0: 0.5, 1: 0.001, 3: 0.002, 4: 0.5})  # rows 1..3 are held
    assert label(paid)["funding"] == pytest.approx(0.003)
    assert label(paid, p=0.2)["funding"] == pytest.approx(-0.003)
    assert label(paid)["net_return"] == pytest.approx(-0.003)


def test_funding_inside_the_exit_bar_counts_only_against_us() -> None:
    ohlc = [FLAT, FLAT, (100, 102.5, 99, 102), FLAT, FLAT]
    assert label(bars(ohlc, {2: 0.001}))["funding"] == pytest.approx(0.001)
    assert label(bars(ohlc, {2: -0.001}))["funding"] == 0.0
    gap = [FLAT, FLAT, (95, 96, 94, 95), FLAT, FLAT]
    assert label(bars(gap, {2: 0.001}))["funding"] == 0.0  # left at that bar's open


def test_waiting_label_and_its_t1() -> None:
    dip = bars([FLAT, FLAT, (98.5, 99, 98.2, 98.5), FLAT, FLAT, (100, 100.5, 99.5, 100)])
    got = label(dip)
    assert got["delayed_net_return"] == pytest.approx(0.02)  # 98.5 -> target 100.47 at row 3
    assert (got["net_return"], got["wait"]) == (0.0, 1)
    assert got["t1_row"] == 3
    calm = label(bars([FLAT] * 6))
    assert calm["wait"] == 0
    assert calm["t1_row"] == 4  # the delayed variant runs one bar longer


def test_truncated_and_unpredicted_events_are_counted() -> None:
    events = pd.DataFrame({"row": [0, 1, 2, 3], "t1_row": [3, 4, 5, 6]})
    one = np.full(4, 0.02)
    got = meta_labels(
        bars([FLAT] * 6),
        events,
        np.array([np.nan, 0.6, 0.6, 0.6]),
        upper_width=one,
        lower_width=one,
        horizon_bars=3,
        timeframe_ms=60_000,
        costs=FREE,
        delay_bars=1,
    )
    assert got["row"].tolist() == [1]  # row + 1 + 1 + 3 - 1 <= 5
    assert got.attrs == {"dropped_without_probability": 1, "dropped_truncated": 2}


def test_no_events_keep_the_schema() -> None:
    nothing = np.empty(0)
    got = meta_labels(
        bars([FLAT] * 6),
        pd.DataFrame({"row": [], "t1_row": []}, dtype="int64"),
        nothing,
        upper_width=nothing,
        lower_width=nothing,
        horizon_bars=3,
        timeframe_ms=60_000,
        costs=FREE,
        delay_bars=1,
    )
    assert got.empty
    assert {name: str(kind) for name, kind in got.dtypes.items()} == LABEL_DTYPES


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"p": 1.2}, r"probability 1.2 is outside"),
        ({"width": 0.0}, r"upper width of the event at row 0 is 0.0"),
        ({"horizon": 0}, r"horizon_bars 0"),
        ({"row": 9}, r"within 0..5"),
    ],
)
def test_bad_values_are_named(changes: dict, complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint):
        label(bars([FLAT] * 6), **changes)


def test_bad_prices_are_named() -> None:
    frame = bars([FLAT] * 6)
    frame.loc[4, "low"] = np.nan
    with pytest.raises(BadInput, match="low at row 4 is"):
        label(frame)


def gappy(rows: list[int], ohlc: list[tuple[float, float, float, float]]) -> pd.DataFrame:
    frame = bars(ohlc)
    frame["timestamp"] = 60_000 * np.array(rows, dtype=np.int64)
    return frame


def test_the_horizon_is_a_span_of_time() -> None:
    up = (101.0, 101.2, 100.8, 101.1)
    # Entry in minute 1, three minutes: out at the close of minute 3, the third row here.
    got = label(gappy([0, 1, 3, 9, 10, 12], [FLAT, FLAT, up, FLAT, FLAT, FLAT]))
    assert (got["exit_row"], got["holding_bars"]) == (2, 2)
    assert got["gross_return"] == pytest.approx(101.1 / 100 - 1)
    # Minute 3 is missing: out at the open of the bar after the gap, however late that is.
    late = label(gappy([0, 1, 2, 50, 51, 53], [FLAT, FLAT, FLAT, up, FLAT, FLAT]))
    assert (late["exit_row"], late["holding_bars"]) == (3, 2)
    assert late["gross_return"] == pytest.approx(0.01)
    paid = gappy([0, 1, 2, 50, 51, 53], [FLAT, FLAT, FLAT, up, FLAT, FLAT])
    paid.loc[[2, 3], "funding_payment"] = [0.001, 0.5]
    assert label(paid)["funding"] == pytest.approx(0.001)  # gone by minute 50
    beyond = gappy([0, 1, 2, 50, 51], [FLAT, FLAT, FLAT, (95, 96, 94, 95), FLAT])
    assert label(beyond, horizon=5)["gross_return"] == pytest.approx(-0.05)  # gapped stop first


def test_funding_of_a_gap_is_paid_by_what_was_held_over_it() -> None:
    frame = gappy([0, 1, 2, 50, 51, 53], [FLAT] * 6)
    frame["gap_payment"] = [0.5, 0.5, 0.0, 0.002, 0.5, 0.5]
    assert label(frame)["funding"] == pytest.approx(0.002)  # left at the open of minute 50
    assert label(frame, p=0.2)["funding"] == pytest.approx(-0.002)
    # Entered at the open after the gap, by waiting a bar longer than minute 2: nothing is due.
    assert label(frame, row=1, horizon=1)["delayed_net_return"] == 0.0
    stopped = gappy([0, 1, 2, 50, 51, 53], [FLAT, FLAT, FLAT, (95, 96, 94, 95), FLAT, FLAT])
    stopped["gap_payment"] = frame["gap_payment"]
    assert label(stopped)["funding"] == pytest.approx(0.002)
    frame.loc[3, "gap_payment"] = np.nan
    with pytest.raises(BadInput, match="gap_payment at row 3 is"):
        label(frame)


def test_a_window_that_ends_in_a_gap_at_the_end_is_not_known() -> None:
    frame = gappy([0, 1, 2, 3], [FLAT] * 4)
    events = pd.DataFrame({"row": [0], "t1_row": [0]})
    one = np.array([0.02])
    for horizon, kept in ((2, 1), (3, 0)):  # the delayed entry is minute 2
        got = meta_labels(
            frame,
            events,
            np.array([0.6]),
            upper_width=one,
            lower_width=one,
            horizon_bars=horizon,
            timeframe_ms=60_000,
            costs=FREE,
            delay_bars=1,
        )
        assert len(got) == kept


def test_a_short_through_a_settlement_and_a_gap_net_of_everything() -> None:
    costs = CostSettings(fee_bp=4, slippage_bp=1, latency_bars=1)
    ohlc = [FLAT, FLAT, FLAT, (103, 104, 102.5, 103), FLAT, FLAT]
    frame = bars(ohlc, {2: 0.0002, 3: 0.5})
    got = label(frame, p=0.2, costs=costs)
    assert (got["side"], got["exit_row"]) == (-1, 3)
    assert got["gross_return"] == pytest.approx(-0.03)  # the gap fills at 103, not at 102
    assert got["cost"] == pytest.approx(0.0005 * (1 + 1.03))
    assert got["funding"] == pytest.approx(-0.0002)  # received by the short; gone before row 3
    assert got["net_return"] == pytest.approx(-0.03 - 0.0005 * 2.03 + 0.0002)
    # The delayed variant enters a bar later and meets the same settlement and gap.
    assert got["delayed_net_return"] == pytest.approx(-0.03 - 0.0005 * 2.03 + 0.0002)
    long = label(frame, p=0.8, costs=costs)
    assert long["net_return"] == pytest.approx(0.03 - 0.0005 * 2.03 - 0.0002)


def random_market(seed: int, n: int) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(0.01 * generator.standard_normal(n)))
    open_ = close * np.exp(0.004 * generator.standard_normal(n))
    high = np.maximum(open_, close) * (1 + 0.005 * generator.random(n))
    low = np.minimum(open_, close) * (1 - 0.005 * generator.random(n))
    payment = np.where(generator.random(n) < 0.2, 0.001 * generator.standard_normal(n), 0.0)
    present = np.sort(generator.choice(n + n // 8, size=n, replace=False))
    gap = np.where(np.diff(present, prepend=-1) > 1, 0.001 * generator.standard_normal(n), 0.0)
    return pd.DataFrame(
        {
            "timestamp": 60_000 * present.astype(np.int64),
            "open": open_,
            "high": high,
            "low": low,
            "close": close,
            "funding_payment": payment,
            "gap_payment": gap,
        }
    )


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    horizon=st.integers(1, 12),
    width=st.floats(0.002, 0.05),
    cost=st.floats(0, 0.002),
)
def test_kernel_equals_its_plain_twin(seed: int, horizon: int, width: float, cost: float) -> None:
    frame = random_market(seed, 80)
    generator = np.random.default_rng(seed + 1)
    entry = np.sort(generator.choice(80 - horizon, size=15, replace=False)).astype(np.int64)
    side = generator.choice(np.array([-1, 1]), size=15).astype(np.int64)
    target, stop = width * (0.5 + generator.random(15)), width * (0.5 + generator.random(15))
    columns = ("open", "high", "low", "close", "funding_payment", "gap_payment")
    arrays = [frame[name].to_numpy() for name in columns]
    ends_at_open = (generator.random(15) < 0.3) & (horizon > 1)
    last = entry + generator.integers(0, horizon, size=15)
    last = np.maximum(last, entry + ends_at_open)
    tail = (entry, side, target, stop, last, ends_at_open, cost)
    money, rows = meta_labels_kernel.act_on_signals(*arrays, *tail)
    twin_money, twin_rows = meta_labels_reference.act_on_signals(*arrays, *tail)
    np.testing.assert_array_equal(money, twin_money)
    np.testing.assert_array_equal(rows, twin_rows)


def labelled(frame: pd.DataFrame, row: np.ndarray, p: np.ndarray) -> pd.DataFrame:
    width = np.full(row.size, 0.015)
    return meta_labels(
        frame,
        pd.DataFrame({"row": row, "t1_row": row + 5}),
        p,
        upper_width=width,
        lower_width=width,
        horizon_bars=6,
        timeframe_ms=60_000,
        costs=CostSettings(),
        delay_bars=2,
    )


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), cut=st.integers(20, 119))
def test_a_label_depends_on_no_bar_after_its_t1(seed: int, cut: int) -> None:
    frame, row = random_market(seed, 120), np.arange(3, 110, 4)
    p = np.random.default_rng(seed).random(row.size)
    whole = labelled(frame, row, p)
    noisy = frame.copy()
    noisy.loc[cut:, ["open", "high", "low", "close"]] *= 3.0
    changed = labelled(noisy, row, p)
    known = (whole["t1_row"] < cut).to_numpy()
    pd.testing.assert_frame_equal(whole[known], changed[known])
    assert (changed.loc[~known, "t1_row"] >= cut).all()
    # Cutting the bars off instead: what is still labelled is labelled the same.
    before = row[row < cut]
    part = labelled(frame.iloc[:cut], before, p[: before.size])
    pd.testing.assert_frame_equal(part, whole.iloc[: len(part)])


def test_ties_are_long() -> None:
    assert side_of(np.array([0.5, 0.49999, 0.50001])).tolist() == [1, -1, 1]
