"""Input there is nothing to learn from: skipped or degraded with the reason, no traceback."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.partition_runs import CLOCK, HELD, carried_out, findings, trained

from ares_assets.engine import place_of
from ares_assets.steps import STEPS
from ares_assets.stored import Stored
from ares_jobs.runner import PartitionOutcome, TrainingRequest, train
from ares_resources.exchanges.simulated.exchange import SimulatedExchange
from ares_resources.home import Home
from ares_resources.storage.catalogue import Catalogue, Series
from ares_resources.timeframes import DAY_MS
from ares_resources.workspace import Workspace

PRICES = ["open", "high", "low", "close"]
SMALL = {
    "enhanced_training_manager": {"blank": {"lookback_days": 8, "max_trials": 2}},
    "data": {"warmup_bars": 1_500},
    "regimes": {"minimum_events": 60},
    "analyst": {"experts": ["catboost", "linear"]},
}
Events = tuple[pd.DataFrame, pd.DataFrame]


@cache
def bars() -> pd.DataFrame:
    pages = SimulatedExchange(as_of_ms=CLOCK).bars("ETHUSDT", "1m", CLOCK - 10 * DAY_MS, CLOCK)
    return pd.concat(list(pages), ignore_index=True)


def only_rising() -> pd.DataFrame:
    found = bars()
    steps = np.abs(np.random.default_rng(0).normal(0, 2e-4, len(found)))
    close = 2_000 * np.exp(np.cumsum(steps))
    opens = np.concatenate([[2_000.0], close[:-1]])
    return found.assign(open=opens, high=close, low=opens, close=close)


def without_trades() -> pd.DataFrame:
    return bars().assign(volume=0.0, taker_buy_share=np.nan)


# -- bars, through steps 1 to 10 -----------------------------------------------------------


def test_labels_of_one_class_skip_step_4_with_their_number(tmp_path: Path) -> None:
    stored = trained(tmp_path, bars=only_rising(), regime="sideways", last=10, **SMALL)
    reason = stored["analyst_dataset"].skipped
    assert reason == "all 800 development labels are 1; there is nothing to tell apart"


def test_bars_without_volume_taker_share_and_funding_train_on_what_is_left(tmp_path: Path) -> None:
    stored = trained(tmp_path, bars=without_trades(), regime="bull", last=10, **SMALL)
    assert list(stored) == [spec.name for spec in STEPS[:10]]
    assert all(artifact.skipped is None for artifact in stored.values())
    dropped = stored["analyst_dataset"].load()["summary.json"]["dropped"]
    for name in ("taker_share", "taker_flow_30", "funding_rate", "open_interest_change_60"):
        assert dropped[name] == "missing on every development row"
    assert dropped["volume_z_240"] == "constant (0) on development rows"
    assert stored["analyst_dataset"].metadata["dropped_features"] == len(dropped)
    wrong = {name for name, found in findings(stored).items() if not found.passed}
    # The bars are refused as they must be; nothing is wrong with what was made of them.
    assert wrong <= {"bars_are_plausible", "regimes_are_balanced"}


def outcome(root: Path, frame: pd.DataFrame) -> PartitionOutcome:
    """How a whole training on these bars ends, Dagster and asset checks included."""
    home = Home(root)
    home.create()
    Catalogue(home.catalogue).append(Series(HELD, "bars", "1m"), frame, source="test")
    request = TrainingRequest(
        HELD,
        ("bear",),
        mode="blank",
        overrides={"tracking": {"enabled": False}},
        as_of="2024-01-01T00:00:00Z",
        offline=True,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        (found,) = train(request, home=home)
    return found


def constant() -> pd.DataFrame:
    return bars().assign(**dict.fromkeys(PRICES, 2_000.0))


def constant_without_trades() -> pd.DataFrame:
    return constant().assign(volume=0.0, taker_buy_share=np.nan)


def frozen() -> pd.DataFrame:
    """From the middle on at the last price before it."""
    found = bars().copy()
    half = len(found) // 2
    found.loc[half:, PRICES] = found["close"][half - 1]
    return found


def twelve() -> pd.DataFrame:
    return bars().tail(12).reset_index(drop=True)


@pytest.mark.parametrize(
    ("frame", "status", "reason"),
    [
        (constant, "skipped", "the price never moves: all 14400 bars stand at 2000"),
        (constant_without_trades, "skipped", "the price never moves"),
        # Such bars are wrong, not poor: a check of step 1 stops the run.
        (frozen, "failed", "the price stands still for 120.0 hours"),
        (twelve, "skipped", "a window of 12 bars"),
    ],
)
def test_bars_without_anything_in_them_are_refused_in_one_line(
    frame: Callable[[], pd.DataFrame],
    status: str,
    reason: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = outcome(tmp_path, frame())
    assert "without gating" not in caplog.text
    assert found.status == status
    assert reason in found.reason
    assert "\n" not in found.reason
    assert found.release is None


# -- events, through steps 5 to 10 ---------------------------------------------------------


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    return trained(tmp_path_factory.mktemp("labelled"), regime="bull", last=4, **SMALL)


def development(events: pd.DataFrame) -> int:
    return int((events["role"] == "development").sum())


def first(count: int) -> Callable[[pd.DataFrame, pd.DataFrame], Events]:
    def change(events: pd.DataFrame, features: pd.DataFrame) -> Events:
        kept = np.r_[:count, development(events) : len(events)]
        return events.iloc[kept], features.iloc[kept]

    return change


def one_class(events: pd.DataFrame, features: pd.DataFrame) -> Events:
    return events.assign(label=1), features


def ones_in_the_first_fold_alone(events: pd.DataFrame, features: pd.DataFrame) -> Events:
    return events.assign(label=(np.arange(len(events)) < development(events) // 5) * 1), features


def one_feature_missing(events: pd.DataFrame, features: pd.DataFrame) -> Events:
    return events, features.assign(return_1=np.nan)


def one_feature_missing_in_training(events: pd.DataFrame, features: pd.DataFrame) -> Events:
    """Known in the first fold alone, so that its own training part never saw a value."""
    known = np.arange(len(features)) < development(events) // 5
    return events, features.assign(return_1=features["return_1"].where(known))


def every_feature_missing(events: pd.DataFrame, features: pd.DataFrame) -> Events:
    return events, features * np.nan


def every_feature_constant(events: pd.DataFrame, features: pd.DataFrame) -> Events:
    return events, features * 0.0


def one_label_in_eight(events: pd.DataFrame, features: pd.DataFrame) -> Events:
    return events.assign(label=(np.arange(len(events)) % 8 == 0) * 1), features


def no_calibration(events: pd.DataFrame, features: pd.DataFrame) -> Events:
    return first(development(events))(events.iloc[: development(events)], features)


CASES = [
    pytest.param(first(4), "4 events cannot fill 5 folds", id="four events"),
    pytest.param(first(12), "fold 0: ", id="twelve events"),
    pytest.param(first(40), "training rows; at least 30 are needed", id="forty events"),
    (one_class, "training labels are 1; at least 5 of each class are needed"),
    (ones_in_the_first_fold_alone, "at least 5 of each class are needed"),
    (every_feature_missing, "no usable feature: all "),
    (every_feature_constant, "no usable feature: all "),
    (one_feature_missing, None),
    (one_feature_missing_in_training, None),
    (one_label_in_eight, "training labels are 1; at least 5 of each class are needed"),
    (no_calibration, None),
]


@pytest.mark.parametrize(("change", "reason"), CASES)
def test_events_that_teach_nothing_are_skipped_with_the_reason_and_others_train(
    change: Callable[[pd.DataFrame, pd.DataFrame], Events],
    reason: str | None,
    labelled: Stored,
    tmp_path: Path,
) -> None:
    stored = with_events(labelled, change, tmp_path)
    carried_out(stored, 5, 10)
    last = list(stored.values())[-1]
    if reason is None:
        assert set(stored) == {spec.name for spec in STEPS[:10]}
        assert last.skipped is None
    else:
        assert last.skipped is not None
        assert reason in last.skipped
    for finding in findings(stored).values():
        assert finding.words


def with_events(
    labelled: Stored, change: Callable[[pd.DataFrame, pd.DataFrame], Events], root: Path
) -> Stored:
    """The partition with a changed result of step 4, in a home of its own."""
    home, spec = Home(root), STEPS[3]
    home.create()
    found = Stored({name: labelled[name] for name in spec.inputs})
    found["market_regimes"] = labelled["market_regimes"]
    found.request, found.workspace = labelled.request, Workspace(home)
    bundle = labelled["analyst_dataset"].load()
    events, features = change(bundle["events.parquet"], bundle["features.parquet"])
    found[spec.name] = found.workspace.store.publish(
        place_of(spec, found.request),
        "0" * 32,
        {
            **bundle,
            "events.parquet": events.reset_index(drop=True),
            "features.parquet": features.reset_index(drop=True),
        },
        kind=spec.kind,
        inputs={},
        metadata=labelled[spec.name].metadata,
        degraded=[],
        skipped=None,
        cost={},
    )
    return found
