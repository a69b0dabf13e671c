"""Trades matched with the decisions behind them, and what those had claimed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ares_assets.release.claimed_equity import claimed_equity

BARS, LATENCY, DELAY, MINUTE = 4000, 2, 5, 60_000
STAMPS = 1_704_067_200_000 + MINUTE * np.arange(BARS)
CONFORMAL = {"method": "lac", "threshold": 0.6}


def _model(interval: Any = None) -> Any:
    calibrator = SimpleNamespace(**({"predict_interval": interval} if interval else {}))
    settings = SimpleNamespace(
        tactician=SimpleNamespace(delay_bars=DELAY), costs=SimpleNamespace(latency_bars=LATENCY)
    )
    return SimpleNamespace(settings=settings, conformal=CONFORMAL, calibrator=calibrator)


def _market(seed: int = 0, events: int = 300) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Decisions, the trades they led to, and labels that come true as often as was said."""
    rng = np.random.default_rng(seed)
    # Closer together than a wait is long: a later decision may fill before an earlier one.
    row = 4 * (1 + np.arange(events))
    p = rng.uniform(0.35, 0.65, events)
    side = np.where(p > 0.5, 1, -1)
    decisions = pd.DataFrame(
        {
            "row": row,
            "raw_probability": p,
            "probability": p,
            "side": side,
            "take": rng.random(events) < 0.7,
            "wait": rng.random(events) < 0.3,
            "prediction_set": np.where(
                np.abs(p - 0.5) > 0.1, np.where(p > 0.5, "up", "down"), "both"
            ),
        }
    )
    label = (rng.random(events) < p).astype(np.int64)
    taken = decisions[decisions["take"]]
    entry = taken["row"] + np.where(taken["wait"], DELAY, 0) + LATENCY
    proved = (label[taken.index] == 1) == (taken["side"] > 0)
    trades = pd.DataFrame(
        {
            "entry": STAMPS[entry],
            "side": taken["side"].to_numpy(),
            "net_return": np.where(proved, 0.011, -0.01),
        }
    ).sort_values("entry", ignore_index=True)
    return decisions, trades, pd.DataFrame({"row": row, "label": label})


def _claimed(
    decisions: pd.DataFrame, trades: pd.DataFrame, labels: pd.DataFrame, interval: Any = None
) -> dict[str, Any]:
    model = _model(interval)
    return claimed_equity(model, STAMPS, decisions, trades, labels, paths=400, seed=1)


def test_each_trade_is_that_of_its_decision_whether_it_waited_or_not() -> None:
    decisions, trades, labels = _market()
    found = _claimed(decisions, trades, labels)
    taken = decisions[decisions["take"]]
    said = np.maximum(taken["probability"], 1.0 - taken["probability"])
    assert found["trades"] == found["judged"] == len(taken)
    assert found["claimed"] == pytest.approx(said.mean())
    # A trade matched with a neighbour's label would pay by chance: the pools tell.
    assert found["right"] == pytest.approx((trades["net_return"] > 0).mean())
    assert found["intervals"] == "prediction sets"
    assert found["point"]["inside"] is True
    assert found["interval"]["mean_width"] > 0.0
    assert found["interval"]["low"] < found["point"]["low"]


def test_a_decision_that_was_not_acted_on_is_behind_no_trade() -> None:
    """Skipped, or calibrated to the other side than the tactician judged."""
    decisions, trades, labels = _market()
    extra = decisions.assign(row=decisions["row"] + 1, probability=0.99, side=1)
    skipped = extra.assign(take=False)
    turned = extra.assign(side=-1, take=True, row=decisions["row"] + 2)
    both = pd.concat([decisions, skipped, turned]).sort_values("row", ignore_index=True)
    assert _claimed(both, trades, labels) == _claimed(decisions, trades, labels)


def test_a_calibrators_own_intervals_stand_before_those_of_sets() -> None:
    decisions, trades, labels = _market()
    found = _claimed(decisions, trades, labels, lambda raw: (raw - 0.02, raw + 0.02))
    assert found["intervals"] == "calibrator"
    assert found["interval"]["mean_width"] == pytest.approx(0.04)
    assert found["interval"]["mean_chance"] == pytest.approx(found["point"]["mean_chance"])


def test_the_interval_of_a_short_is_turned_round() -> None:
    decisions, trades, labels = _market()
    shorts = trades[trades["side"] < 0]
    found = _claimed(decisions, shorts, labels, lambda raw: (raw, raw + 0.1))
    # More chance of "up" is less chance for a short.
    assert found["interval"]["middle"] < found["point"]["middle"]
    assert found["interval"]["mean_chance"] == pytest.approx(found["claimed"] - 0.05)


def test_trades_without_a_known_label_are_in_the_account_but_in_no_pool() -> None:
    decisions, trades, labels = _market()
    found = _claimed(decisions, trades, labels.iloc[:-40])
    assert found["judged"] < found["trades"] == len(trades)
    assert found["point"]["trades"] == len(trades)
    assert found["point"]["realised"] == pytest.approx(np.prod(1.0 + trades["net_return"]))


def test_where_nobody_knows_what_a_trade_pays_there_is_no_band() -> None:
    decisions, trades, labels = _market()
    assert _claimed(decisions, trades.iloc[:0], labels)["point"] is None
    winners = trades[trades["net_return"] > 0]
    one_sided = _claimed(decisions, winners, labels)
    assert one_sided["right"] == 1.0
    assert one_sided["interval"] is None
