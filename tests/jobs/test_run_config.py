"""Settings that arrive by run config or tag are refused as on the command line, before step 1."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from ares_assets.partitions import SYMBOLS, partition_tags
from ares_jobs.definitions import defs
from ares_jobs.run_endings import problem_of
from ares_resources.dagster_resources import CONFIG_TAG
from ares_resources.errors import BadInput
from ares_resources.home import Home
from ares_resources.symbols import SymbolKey

SYMBOL = SymbolKey("ETHUSDT", "SIM")
TAGS = partition_tags("bull", SYMBOL)
pytestmark = pytest.mark.filterwarnings("ignore:Non-compliant tag keys:DeprecationWarning")

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"costs": {"latency_bars": 52_000_000}}, "fill an order on after 52000000 + 1 bars"),
    ({"tactician": {"delay_bars": 1_000_000}}, "tactician.delay_bars up to "),
    ({"labels": {"event_every_bars": 1_000_000}}, "one in 1000000 bars"),
    ({"labels": {"volatility_halflife_bars": 1e-300}}, "labels.volatility_halflife_bars = 1e-300"),
    ({"validation": {"confidence": 0.7}}, "validation.confidence = 0.7: "),
    ({"regimes": {"minimum_events": 20}}, "regimes.minimum_events = 20; allowed: 60 or more"),
    ({"tactician": {"maximum_position": True}}, "maximum_position = True: allowed: a number"),
    ({"labels": 3}, "labels = 3; allowed: a mapping"),
    ({"enhanced_training_manager": 3}, "enhanced_training_manager = 3; allowed: a mapping"),
    ({"lables": {}}, "unknown key 'lables'; did you mean 'labels'?"),
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("ARES_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return Home(tmp_path / "home")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def launchpad(overrides: dict[str, Any]) -> dict[str, Any]:
    return {"resources": {"workspace": {"config": {"overrides": overrides}}}}


@pytest.mark.parametrize("by_tag", [True, False])
@pytest.mark.parametrize(("overrides", "words"), WRONG)
def test_a_run_is_refused_in_one_line_and_nothing_is_made(
    overrides: dict[str, Any], words: str, by_tag: bool, home: Home, instance: dg.DagsterInstance
) -> None:
    job = defs.resolve_job_def("blank_training")
    tags = {**TAGS, CONFIG_TAG: json.dumps(overrides)} if by_tag else TAGS
    with pytest.raises(dg.DagsterError) as refused:
        job.execute_in_process(
            instance=instance, tags=tags, run_config={} if by_tag else launchpad(overrides)
        )
    told = refused.value.__cause__
    assert isinstance(told, BadInput)
    assert words in str(told)
    assert "\n" not in str(told)
    assert told.__cause__ is None
    assert told.__suppress_context__ or told.__context__ is None
    assert instance.get_dynamic_partitions(SYMBOLS) == []
    assert not home.root.exists()


def test_the_run_s_log_and_its_ending_say_the_one_line(
    home: Home, instance: dg.DagsterInstance
) -> None:
    job = defs.resolve_job_def("blank_training")
    result = job.execute_in_process(
        instance=instance,
        tags=TAGS,
        run_config=launchpad({"labels": {"horizon_bars": 1}}),
        raise_on_error=False,
    )
    line = "configuration: labels.horizon_bars = 1: Input should be greater than or equal to 2"
    assert problem_of(result.all_events, "") == line
    logged = [entry.user_message for entry in instance.all_logs(result.run_id)]
    assert line in logged


def test_a_key_that_stands_twice_in_the_tag_is_refused(
    home: Home, instance: dg.DagsterInstance
) -> None:
    tags = {**TAGS, CONFIG_TAG: '{"seed": 1, "seed": 2}'}
    with pytest.raises(dg.DagsterError) as refused:
        defs.resolve_job_def("blank_training").execute_in_process(instance=instance, tags=tags)
    assert "key 'seed' stands twice" in str(refused.value.__cause__)


def test_what_the_launchpad_makes_possible_is_not_refused(
    home: Home, instance: dg.DagsterInstance
) -> None:
    """Hourly bars by tag would need a longer window, which the launchpad gives."""
    instance.add_dynamic_partitions(SYMBOLS, [str(SYMBOL)])
    hourly = {"data": {"timeframe": "1h", "warmup_bars": 10}, "tracking": {"enabled": False}}
    longer = {"enhanced_training_manager": {"blank": {"lookback_days": 100}}}
    result = defs.resolve_job_def("blank_training").execute_in_process(
        instance=instance,
        tags={**TAGS, CONFIG_TAG: json.dumps(hourly)},
        run_config=launchpad({**longer, "tracking": {"enabled": False}}),
        asset_selection=[dg.AssetKey("market_data")],
    )
    assert result.success


def test_an_asset_alone_may_be_made_on_any_window(home: Home, instance: dg.DagsterInstance) -> None:
    instance.add_dynamic_partitions(SYMBOLS, [str(SYMBOL)])
    brief = {"lookback_days": 1, "blank": {"lookback_days": 1}}
    result = defs.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance,
        tags=TAGS,
        run_config=launchpad({"enhanced_training_manager": brief, "tracking": {"enabled": False}}),
        asset_selection=[dg.AssetKey("market_data")],
    )
    assert result.success
