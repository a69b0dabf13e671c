"""Does stacking inflate the tactician's out-of-fold score?  Seeds of a market with nothing to find.

Belongs here: the tactician as steps 8 and 9 train it, beside one whose analyst never saw the fold
under test either, on simulated null markets.  Does not belong here: any threshold that the
product uses.

The analyst's out-of-fold probability of a signal comes from a model that has seen the labels of
all other folds, also those of the fold on which the tactician is tested.  Nested, each fold of the
tactician has its own analyst, trained and cross-validated without that fold.

    python -m benchmarks.nested_tactician --seeds 300
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ares_assets.analyst.cross_validation import PurgedKFold
from ares_assets.analyst.dataset import Examples, MarketExamples
from ares_assets.analyst.events import labelled_events
from ares_assets.analyst.experts.base import get_expert
from ares_assets.analyst.features import compute_features
from ares_assets.analyst.out_of_fold import out_of_fold
from ares_assets.analyst.scores import auc
from ares_assets.market.bars import join_reference
from ares_assets.release.partition_model import make_signals
from ares_assets.tactician.model import TacticianContext
from ares_assets.tactician.specialists import purged_splits, train_binary
from ares_assets.tactician.utility import cross_fitted_size, policy_utility
from ares_resources.exchanges.simulated import MarketRecipe, simulate
from ares_resources.exchanges.simulated.recipe import NOTHING
from ares_resources.settings import CostSettings, FeatureSettings, LabelSettings, TacticianSettings

DAYS, WARM_UP_ROWS, FOLDS = 14, 3000, 5
NULL = MarketRecipe("null", signal=NOTHING, daily_drift=(0.0, 0.0, 0.0))
NO_INTEREST = pd.DataFrame(
    {"timestamp": np.array([], np.int64), "open_interest": np.array([], np.float64)}
)


@dataclass(frozen=True)
class Market:
    """One null market: bars, events with features, and what the tactician's data need."""

    frame: pd.DataFrame
    events: pd.DataFrame
    features: pd.DataFrame
    context: TacticianContext

    def tactician_data(self, probability: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Meta-labels and features of the signals (n events each, truncated ones left out)."""
        rows, labels = self.events["row"].to_numpy(), LabelSettings()
        found = self.context.label(self.frame, make_signals(self.frame, rows, probability, labels))
        kept = np.isin(rows, found["row"])
        signals = make_signals(self.frame, rows[kept], probability[kept], labels)
        even = {
            name: np.full(len(self.frame), 1 / 3) for name in ("p_bull", "p_bear", "p_sideways")
        }
        closed = self.context.settled(found)
        known = self.context.features(self.frame, pd.DataFrame(even), signals, closed)
        return found, known[self.context.timeframe]

    def analyst(self, kind: str, train: np.ndarray) -> np.ndarray:
        """Probability of every event: out of fold inside ``train``, from its model outside."""
        expert, part = get_expert(kind), self.events.iloc[train]
        y, w, rows, t1 = (part[c].to_numpy() for c in ("label", "uniqueness", "row", "t1_row"))
        options = {"parameters": expert.default_parameters(), "seed": 1, "threads": 1}
        known = self.features.iloc[train]
        found = expert.fit(known, y, w, **options).probability(self.features)
        examples = Examples(known, y, w, rows, t1, rows)
        own = MarketExamples(examples, np.ones(len(y), bool))
        found[train] = out_of_fold(expert, own, splitter=PurgedKFold(FOLDS, 0), **options)
        return found


def null_market(seed: int, costs: CostSettings) -> Market:
    """Two weeks of minutes in which no feature tells anything about the next return."""
    path = simulate(NULL, seed=seed, minutes=DAYS * 1440)
    frame = join_reference(path.bars(), path.funding(), NO_INTEREST, "1m")
    labels = LabelSettings()
    rows = np.arange(WARM_UP_ROWS, len(frame))
    events = labelled_events(frame, rows, settings=labels, timeframe_ms=60_000)
    table = compute_features(frame, timeframe="1m", settings=FeatureSettings())
    features = table.iloc[events["row"]].reset_index(drop=True)
    features = features.loc[:, features.isna().mean() < FeatureSettings().maximum_nan_share]
    settings = TacticianSettings(timeframes=())
    return Market(
        frame, events, features, TacticianContext("1m", labels.horizon_bars, costs, settings)
    )


def scores(market: Market, *, analyst: str, tactician: str, nested: bool) -> dict[str, float]:
    """AUC of the take probability and net utility of cross-fitted thresholds, out of fold."""
    everything = np.arange(len(market.events))
    labels, features = market.tactician_data(market.analyst(analyst, everything))
    splits = purged_splits(labels["row"], labels["t1_row"], folds=FOLDS, embargo_bars=0)
    weights = np.ones(len(labels))
    if nested:
        labels, p = _nested(market, labels, splits, analyst=analyst, tactician=tactician)
    else:
        take = labels["take"].to_numpy()
        p = train_binary(
            features, take, weights, kind=tactician, splits=splits, seed=1, threads=1
        ).out_of_fold
    size = cross_fitted_size(labels, p, splits)
    return {
        "auc": auc(labels["take"].to_numpy(), p, weights),
        "utility": policy_utility(labels, size).mean,
        "always": float(labels["net_return"].mean()),
        "trades": float((size > 0).any()),
    }


def _nested(
    market: Market, labels: pd.DataFrame, splits: list, *, analyst: str, tactician: str
) -> tuple[pd.DataFrame, np.ndarray]:
    p, seen = np.full(len(labels), np.nan), labels.copy()
    expert = get_expert(tactician)
    for train, test in splits:
        own, features = market.tactician_data(market.analyst(analyst, train))
        fitted = expert.fit(
            features.iloc[train],
            own["take"].to_numpy()[train],
            np.ones(train.size),
            parameters=expert.default_parameters(),
            seed=1,
            threads=1,
        )
        p[test] = fitted.probability(features.iloc[test])
        for column in ("take", "net_return"):
            seen.loc[test, column] = own[column].to_numpy()[test]
    return seen, p


def main(arguments: list[str] | None = None) -> int:
    """Print mean and standard error of each figure over the seeds, and their paired difference."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nested_tactician")
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--analyst", default="linear")
    parser.add_argument("--tactician", default="linear")
    parser.add_argument("--free", action="store_true", help="without fees and slippage")
    chosen = parser.parse_args(arguments)
    costs = CostSettings(fee_bp=0, slippage_bp=0) if chosen.free else CostSettings()
    tables = {
        name: pd.DataFrame(
            [
                scores(
                    null_market(seed, costs),
                    analyst=chosen.analyst,
                    tactician=chosen.tactician,
                    nested=name == "nested",
                )
                for seed in range(1, chosen.seeds + 1)
            ]
        )
        for name in ("stacked", "nested")
    }
    tables["difference"] = tables["stacked"] - tables["nested"]
    for name, table in tables.items():
        error = table.std() / np.sqrt(len(table))
        print(name, *(f"{c} {table[c].mean():.3g} +- {error[c]:.2g}" for c in table), sep="; ")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
