"""One simulated market: trained by the product's steps, judged on the year after development.

Belongs here: the experiment of one market, length and seed.  Does not belong here: many of
them, tables (``benchmarks.learners``), measures (``learner_scores``).

Development ends on the same bar for every length, so that all lengths are judged on the same
year.  Steps 4 to 7 fit on development alone; nothing of the year after it is fitted on.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ares_assets.analyst.cross_validation import PurgedKFold
from ares_assets.market.bars import join_reference
from ares_assets.release.partition_model import decision_rows
from ares_resources.exchanges.simulated import simulate
from ares_resources.exchanges.simulated.oracle import oracle_filter, oracle_forecast
from ares_resources.exchanges.simulated.recipe import GENESIS_MS, MINUTE_MS
from ares_resources.exchanges.simulated.symbols import LABORATORY
from ares_resources.home import Home
from ares_resources.settings import Settings, load_settings
from ares_resources.symbols import SymbolKey
from ares_resources.timeframes import DAY_MS
from benchmarks import learner_scores as scores
from benchmarks.partitions import (
    Trained,
    choices_of,
    development_of,
    known_bars,
    out_of_fold_of,
    probabilities,
    train_regimes,
)

HORIZON = 60
TEST_DAYS = 365
LONGEST_DAYS = 365
DEVELOPMENT_END_MS = GENESIS_MS + (LONGEST_DAYS + 30) * DAY_MS
DEVELOPMENT_SHARE = 0.7
LAST_STEP_OF_FOLDS = 5


def settings_for(days: int, trials: int) -> Settings:
    """Full mode with a window of which development is exactly so many days."""
    window = window_minutes(days) * MINUTE_MS
    return load_settings(
        {
            "threads": 1,
            "enhanced_training_manager": {
                # Half a millisecond more, so that no rounding loses the first bar.
                "lookback_days": (window + 0.5) / DAY_MS,
                "n_trials": trials,
            },
            "window": {"development": DEVELOPMENT_SHARE},
            "tracking": {"enabled": False},
        },
        mode="full",
    )


def window_minutes(days: int) -> int:
    """The least window whose development share holds so many days."""
    return math.ceil(days * DAY_MS // MINUTE_MS / DEVELOPMENT_SHARE)


def trained_on(
    market: str, days: int, seed: int, trials: int, folder: Path, last_step: int = 7
) -> Trained:
    """Steps 1 to ``last_step`` of all three regimes of one simulated symbol."""
    after = window_minutes(days) * MINUTE_MS - days * DAY_MS
    return train_regimes(
        SymbolKey(f"{market}{seed}USDT", "SIM"),
        settings_for(days, trials),
        Home(folder),
        as_of_ms=DEVELOPMENT_END_MS + after,
        offline=False,
        last_step=last_step,
    )


def judged_year(market: str, days: int, seed: int, trials: int) -> dict[str, Any]:
    """Each learner's IC on the year after development beside the oracle's."""
    with tempfile.TemporaryDirectory(prefix="ares-bench-") as folder:
        trained = trained_on(market, days, seed, trials, Path(folder))
        frame, bars, funding = _bars_to_the_end(trained, market, seed)
        rows = _test_rows(trained, frame)
        predicted = probabilities(trained, *known_bars(trained, frame), rows)
        outcome, oracle = _truth(market, bars, funding, frame["timestamp"].to_numpy()[rows])
        best = scores.information_coefficient(oracle, outcome)
        found = {
            name: round(scores.information_coefficient(scores.logit(p), outcome), 5)
            for name, p in predicted.items()
        }
        return {
            "oracle_ic": round(best, 5),
            "decisions": len(rows),
            "share": {name: round(value / best, 4) for name, value in found.items()},
            **_record(trained),
        }


def null_folds(market: str, days: int, seed: int) -> dict[str, Any]:
    """Each expert's fold AUCs with their noise, all regimes together."""
    with tempfile.TemporaryDirectory(prefix="ares-bench-") as folder:
        trained = trained_on(market, days, seed, 1, Path(folder), LAST_STEP_OF_FOLDS)
        analyst = trained.settings.analyst
        splitter = PurgedKFold(analyst.folds, analyst.embargo_bars)
        together: dict[str, list[list[float]]] = {}
        for found in trained.artifacts.values():
            if "analyst_specialists" not in found or found["analyst_specialists"].skipped:
                continue
            events, predicted = out_of_fold_of(found)
            row, last_row = events["row"].to_numpy(), events["last_row"].to_numpy()
            folds = [test for _, test in splitter.split(row, last_row)]
            for name, each in scores.fold_scores(events, predicted, folds).items():
                together.setdefault(name, []).extend(each)
        return {
            "null_folds": together,
            "skipped": trained.skipped(),
            "seconds": trained.seconds(),
        }


def _bars_to_the_end(
    trained: Trained, market: str, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Step 1's frame going on to the end of the test year; and the market from its genesis.

    Raises
    ------
    ValueError
        If step 1's development bars are not these: then it would be another market's year.
    """
    minutes = (DEVELOPMENT_END_MS - GENESIS_MS) // MINUTE_MS + TEST_DAYS * 1440
    whole = simulate(LABORATORY[market], seed=seed, minutes=minutes)
    bars, funding = whole.bars(), whole.funding()
    stored = trained.market.load()
    first = int(stored["timestamp"].iloc[0])
    nothing = pd.DataFrame({"timestamp": np.empty(0, np.int64), "open_interest": np.empty(0)})
    frame = join_reference(
        bars[bars["timestamp"] >= first].reset_index(drop=True),
        funding[funding["timestamp"] >= first].reset_index(drop=True),
        nothing,
        trained.settings.data.timeframe,
    )
    known = int((stored["timestamp"] < DEVELOPMENT_END_MS).sum())
    if not frame.iloc[:known].equals(stored.iloc[:known]):
        raise ValueError(f"{market} {seed}: the bars of step 1 are not the simulated ones")
    return frame, bars, funding


def _test_rows(trained: Trained, frame: pd.DataFrame) -> np.ndarray:
    """Decisions after development whose outcome is known."""
    _, start = development_of(trained, frame)
    rows = np.arange(start, len(frame) - HORIZON)
    settings = trained.settings
    return decision_rows(frame, rows, settings.labels, settings.data.timeframe)


def _truth(
    market: str, bars: pd.DataFrame, funding: pd.DataFrame, stamps: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """R / sqrt(W) of the next hour, and the oracle's score, at the decisions."""
    recipe = LABORATORY[market]
    forecast = oracle_forecast(recipe, oracle_filter(recipe, bars, funding), horizon=HORIZON)
    ahead = scores.returns_ahead(bars["open"].to_numpy(), bars["close"].to_numpy(), HORIZON)
    places = (stamps - int(bars["timestamp"].iloc[0])) // MINUTE_MS
    return (ahead / np.sqrt(forecast.variance))[places], forecast.score[places]


def _record(trained: Trained) -> dict[str, Any]:
    skipped = trained.skipped()
    return {
        "choices": {
            regime: choices_of(found)
            for regime, found in trained.artifacts.items()
            if regime not in skipped
        },
        "skipped": skipped,
        "seconds": trained.seconds(),
    }
