"""Markets with nothing to find, as the analyst's and the tactician's steps see them.

Belongs here: bars, events, outcomes and folds of one simulated null market, made by the product's
own functions with its settings.  Does not belong here: what is compared on it
(``nested_tactician``).

Other than in the product: one expert in place of the analysts' ensemble, and one regime that holds
every decision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ares_assets.analyst.cross_validation import PurgedKFold, Split
from ares_assets.analyst.dataset import Examples, MarketExamples, from_events
from ares_assets.analyst.events import labelled_events
from ares_assets.analyst.experts.base import get_expert
from ares_assets.analyst.features import compute_features, usable_features
from ares_assets.analyst.out_of_fold import fit_expert, out_of_fold
from ares_assets.market.bars import join_reference
from ares_assets.market.regimes.base import PROBABILITY_COLUMNS
from ares_assets.release.partition_model import make_signals
from ares_assets.tactician.model import TacticianContext
from ares_assets.tactician.outcomes import signal_outcomes
from ares_assets.tactician.specialists import purged_splits
from ares_resources.exchanges.simulated import MarketRecipe, simulate
from ares_resources.exchanges.simulated.recipe import NOTHING
from ares_resources.settings import CostSettings, Settings
from ares_resources.timeframes import timeframe_ms

DAYS, WARM_UP_ROWS, SEED = 14, 3000, 1
NULL = MarketRecipe("null", signal=NOTHING, daily_drift=(0.0, 0.0, 0.0))
NO_INTEREST = pd.DataFrame(
    {"timestamp": np.array([], np.int64), "open_interest": np.array([], np.float64)}
)


@dataclass(frozen=True)
class Outcomes:
    """Of n signals: step 8's labels, its features by timeframe, and step 9's folds."""

    labels: pd.DataFrame
    features: Mapping[str, pd.DataFrame]
    splits: list[Split]


@dataclass(frozen=True)
class Market:
    """One null market: bars, the analyst's examples (n), and the settings of every step."""

    frame: pd.DataFrame
    known: Examples
    settings: Settings

    def with_costs(self, costs: CostSettings) -> Market:
        return replace(self, settings=self.settings.model_copy(update={"costs": costs}))

    @property
    def context(self) -> TacticianContext:
        chosen = self.settings
        return TacticianContext(
            chosen.data.timeframe, chosen.labels.horizon_bars, chosen.costs, chosen.tactician
        )

    def outcomes(self, probability: np.ndarray) -> Outcomes:
        """What step 8 makes of the signals with these probabilities (n,), and step 9's folds."""
        context, analyst = self.context, self.settings.analyst
        signals = make_signals(self.frame, self.known.rows, probability, self.settings.labels)
        labels, signals = signal_outcomes(self.frame, signals, context)
        if len(labels) != len(probability):
            raise ValueError(f"{len(labels)} of {len(probability)} signals have an outcome")
        even = {name: np.full(len(self.frame), 1 / 3) for name in PROBABILITY_COLUMNS}
        features = context.features(
            self.frame, pd.DataFrame(even), signals, context.settled(labels)
        )
        splits = purged_splits(
            labels["row"],
            labels["settled_row"],
            folds=analyst.folds,
            embargo_bars=analyst.embargo_bars,
        )
        return Outcomes(labels, features, splits)

    def analyst(self, kind: str, train: np.ndarray) -> np.ndarray:
        """Probability of every event: out of fold inside ``train``, from its model outside."""
        expert, chosen = get_expert(kind), self.settings.analyst
        options = {"parameters": expert.default_parameters(), "seed": SEED, "threads": 1}
        own = MarketExamples(self.known.part(train), np.ones(len(train), bool))
        found = fit_expert(expert, own, **options).probability(self.known.features)
        splitter = PurgedKFold(chosen.folds, chosen.embargo_bars)
        found[train] = out_of_fold(expert, own, splitter=splitter, **options)
        return found


def null_market(seed: int) -> Market:
    """Two weeks of minutes in which no feature tells anything about the next return."""
    path, settings = simulate(NULL, seed=seed, minutes=DAYS * 1440), Settings()
    base = settings.data.timeframe
    frame = join_reference(path.bars(), path.funding(), NO_INTEREST, base)
    market = Market(frame, Examples(pd.DataFrame(), *[np.empty(0)] * 5), settings)
    # The tactician's windows are the longer ones: what has no outcome there trains no analyst.
    rows = np.arange(WARM_UP_ROWS, len(frame))
    events = labelled_events(frame, rows, settings=settings.labels, timeframe_ms=timeframe_ms(base))
    whole = events["row"] + market.context.reach < len(frame)
    events = events[whole].reset_index(drop=True)
    table = compute_features(frame, timeframe=base, settings=settings.features)
    features = table.iloc[events["row"]].reset_index(drop=True)
    kept, _ = usable_features(
        features, np.ones(len(features), bool), settings.features.maximum_nan_share
    )
    return replace(market, known=from_events(events, features[list(kept)]))
