"""The schedule waits for bars enough to make another look at a holdout worth its price."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from ares_assets.partitions import REGIMES, SYMBOLS
from ares_jobs.schedules import enhanced_training_schedule
from ares_resources.errors import BadInput
from ares_resources.exchanges import registry
from ares_resources.exchanges.simulated.exchange import CLOCK_MS
from ares_resources.home import Home
from ares_resources.settings import load_settings
from ares_resources.storage.artifacts import ArtifactStore, Place
from ares_resources.symbols import SymbolKey

MINUTE, DAY_MS = 60_000, 86_400_000
LOOKED_TO_MS = 1_700_006_400_000  # 2023-11-15
HOLDOUT_DAYS = 73
# Dagster's own tags of two-dimensional partitions do not please its check of tag names.
pytestmark = pytest.mark.filterwarnings("ignore:Non-compliant tag keys:DeprecationWarning")
DUE = "2023-11-22T07:12:00Z"  # 7.3 days later
BINANCE = "ETHUSDT.BINANCE"


class FakeExchange:
    """An exchange with a bar a minute up to its clock; counts how often it is asked."""

    name = "BINANCE"
    now = LOOKED_TO_MS
    asked = 0

    def now_ms(self) -> int:
        return self.now

    def check_symbol(self, instrument: str) -> None:
        self.asked += 1

    def bars(self, instrument: str, timeframe: str, start: int, end: int) -> Iterator[pd.DataFrame]:
        yield pd.DataFrame({"timestamp": list(range(start, end, MINUTE))[:1000]})


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> FakeExchange:
    made = FakeExchange()
    opened = registry.open_exchange

    def fake(name: str, **options: Any) -> Any:
        return opened(name, **options) if name == "SIM" else made

    monkeypatch.setattr(registry, "open_exchange", fake)
    return made


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("ARES_HOME", str(tmp_path))
    monkeypatch.delenv("ARES_SCHEDULE_CONFIG", raising=False)
    return Home(tmp_path)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as made:
        yield made


def looked(
    home: Home,
    regime: str,
    end_ms: int = LOOKED_TO_MS,
    *,
    symbol: str = BINANCE,
    mode: str = "full",
    skipped: str | None = None,
    **changed: int | None,
) -> None:
    """Leave behind what steps 1 and 13 of a training leave."""
    store, folder = ArtifactStore(home.artifacts, home.runs), SymbolKey.parse(symbol).folder
    told = {"holdout_start_ms": end_ms - HOLDOUT_DAYS * DAY_MS, "window_end_ms": end_ms, **changed}
    told = {name: value for name, value in told.items() if value is not None}
    for place, metadata, reason in (
        (
            Place("market_data", folder, None),
            {"window_end_ms": end_ms, "timeframe": "1m"},
            None,
        ),
        (
            Place("walk_forward_report", folder, regime),
            {"skipped": skipped} if skipped else told,
            skipped,
        ),
    ):
        artifact = store.publish(
            place,
            f"k{end_ms}",
            {"x": 1},
            kind="report",
            inputs={},
            metadata=metadata,
            degraded=[],
            skipped=reason,
        )
        store.point(artifact, run_id="earlier", mode=mode)


def tick(
    instance: dg.DagsterInstance, exchange: FakeExchange, days: float, symbol: str = BINANCE
) -> tuple[list[str], str]:
    """Regimes that are asked for so long after the last look, and the skip message."""
    exchange.now = LOOKED_TO_MS + round(days * DAY_MS)
    instance.add_dynamic_partitions(SYMBOLS, [symbol])
    when = datetime.fromtimestamp(exchange.now / 1000, UTC)
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=when)
    data = enhanced_training_schedule.evaluate_tick(context)
    regimes = [request.tags["dagster/partition/regime"] for request in data.run_requests or []]
    return regimes, data.skip_message or ""


def share_is(share: float, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home.root / "schedule.yaml"
    path.write_text(f"retrain: {{fresh_holdout_share: {share}}}\n")
    monkeypatch.setenv("ARES_SCHEDULE_CONFIG", str(path))


def test_without_a_training_all_are_due_at_once(
    home: Home, instance: dg.DagsterInstance, exchange: FakeExchange
) -> None:
    assert tick(instance, exchange, 0)[0] == list(REGIMES)


@pytest.mark.parametrize("days", [1 / 24, 1, 7.29])
def test_until_a_tenth_of_the_holdout_is_new_nothing_is_asked_for_and_the_tick_says_when(
    home: Home, instance: dg.DagsterInstance, exchange: FakeExchange, days: float
) -> None:
    for regime in REGIMES:
        looked(home, regime)
    assert tick(instance, exchange, days) == (
        [],
        f"{BINANCE}: {', '.join(REGIMES)} next due when bars reach {DUE} "
        "(retrain.fresh_holdout_share)",
    )
    assert exchange.asked == 0  # a week of minutes would be ten thousand requests


@pytest.mark.parametrize("days", [7.3, 8])
def test_once_a_tenth_of_the_holdout_is_new_all_are_due(
    home: Home, instance: dg.DagsterInstance, exchange: FakeExchange, days: float
) -> None:
    for regime in REGIMES:
        looked(home, regime)
    assert tick(instance, exchange, days)[0] == list(REGIMES)


@pytest.mark.parametrize(("share", "days"), [(0, MINUTE / DAY_MS), (0.5, 36.5), (1, 73)])
def test_the_share_is_a_setting_and_0_asks_for_one_bar(
    home: Home,
    instance: dg.DagsterInstance,
    exchange: FakeExchange,
    monkeypatch: pytest.MonkeyPatch,
    share: float,
    days: float,
) -> None:
    share_is(share, home, monkeypatch)
    for regime in REGIMES:
        looked(home, regime)
    assert tick(instance, exchange, days - MINUTE / DAY_MS)[0] == []
    assert tick(instance, exchange, days)[0] == list(REGIMES)


def test_each_regime_waits_by_its_own_last_look(
    home: Home, instance: dg.DagsterInstance, exchange: FakeExchange
) -> None:
    looked(home, "bear", LOOKED_TO_MS - 7 * DAY_MS)
    looked(home, "bull")
    looked(home, "sideways", skipped="3 decisions in the holdout")
    assert tick(instance, exchange, 0.25)[0] == [r for r in REGIMES if r == "sideways"]
    assert tick(instance, exchange, 0.5)[0] == [r for r in REGIMES if r != "bull"]


@pytest.mark.parametrize("left", [{"mode": "blank"}, {"holdout_start_ms": None}])
def test_looks_of_another_mode_or_of_reports_without_a_holdout_s_begin_hold_nothing_back(
    home: Home, instance: dg.DagsterInstance, exchange: FakeExchange, left: dict[str, Any]
) -> None:
    for regime in REGIMES:
        looked(home, regime, **left)
    assert tick(instance, exchange, 1)[0] == list(REGIMES)


@pytest.mark.parametrize(("days_ago", "due"), [(1, False), (8, True)])
def test_of_sim_its_own_clock_counts(
    home: Home, instance: dg.DagsterInstance, exchange: FakeExchange, days_ago: int, due: bool
) -> None:
    for regime in REGIMES:
        looked(home, regime, CLOCK_MS - days_ago * DAY_MS, symbol="ETHUSDT.SIM")
    regimes, message = tick(instance, exchange, -3_650, "ETHUSDT.SIM")
    assert bool(regimes) is due
    assert due or "next due when bars reach" in message


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_beyond_a_whole_holdout_is_refused(share: float) -> None:
    with pytest.raises(BadInput, match="fresh_holdout_share"):
        load_settings({"retrain": {"fresh_holdout_share": share}})
