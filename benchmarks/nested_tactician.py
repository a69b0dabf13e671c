"""Does stacking inflate the tactician's out-of-fold score?  Seeds of a market with nothing to find.

Belongs here: the tacticians as steps 8 and 9 train them, beside ones whose analyst never saw the
fold under test either, on simulated null markets.  Does not belong here: any threshold that the
product uses.

The analyst's out-of-fold probability of a signal comes from a model that has seen the labels of
all other folds, also those of the fold on which the tactician is tested.  Nested, each fold of the
tactician has its own analyst, trained and cross-validated without that fold.

Folds, embargo, purging, weights, timeframes, outcomes and classifiers are the product's own
functions with its default settings.  Other than in the product: one expert in place of the
analysts' ensemble, and one regime that holds every decision.

    python -m benchmarks.nested_tactician --seeds 300
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ares_assets.analyst.cross_validation import PurgedKFold, Split
from ares_assets.analyst.dataset import Examples, MarketExamples, from_events
from ares_assets.analyst.events import labelled_events
from ares_assets.analyst.experts.base import get_expert
from ares_assets.analyst.features import compute_features, usable_features
from ares_assets.analyst.out_of_fold import fit_expert, fold_seed, out_of_fold
from ares_assets.analyst.scores import auc, event_log_loss
from ares_assets.market.bars import join_reference
from ares_assets.market.regimes.base import PROBABILITY_COLUMNS
from ares_assets.release.partition_model import make_signals
from ares_assets.tactician.model import TacticianContext
from ares_assets.tactician.outcomes import signal_outcomes
from ares_assets.tactician.specialists import purged_splits, train_take_specialists
from ares_assets.tactician.utility import cross_fitted_size, policy_utility
from ares_resources.exchanges.simulated import MarketRecipe, simulate
from ares_resources.exchanges.simulated.recipe import NOTHING
from ares_resources.provenance import code_fingerprint, library_versions
from ares_resources.settings import CostSettings, Settings
from ares_resources.timeframes import timeframe_ms
from benchmarks.measuring import machine
from benchmarks.nested_tables import markdown
from benchmarks.pages import put_table, write_results

DAYS, WARM_UP_ROWS, SEED = 14, 3000, 1
NULL = MarketRecipe("null", signal=NOTHING, daily_drift=(0.0, 0.0, 0.0))
NO_INTEREST = pd.DataFrame(
    {"timestamp": np.array([], np.int64), "open_interest": np.array([], np.float64)}
)
COSTS = {"costs": CostSettings(), "free": CostSettings(fee_bp=0, slippage_bp=0)}
MARK = "bench-nested"


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


def stacked(market: Market, probability: np.ndarray, kind: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Step 8's labels and the out-of-fold take probability of step 9's best specialist."""
    found = market.outcomes(probability)
    specialists = train_take_specialists(
        found.labels,
        found.features,
        found.labels["weight"].to_numpy(),
        splits=found.splits,
        seed=SEED,
        threads=1,
        kinds=(kind,),
    )
    return found.labels, min(specialists, key=lambda one: one.log_loss).model.out_of_fold


def nested(
    market: Market, probabilities: Sequence[np.ndarray], kind: str
) -> tuple[pd.DataFrame, np.ndarray]:
    """The same where fold i has the i-th probability, of an analyst that never saw that fold."""
    expert, together = get_expert(kind), []
    votes: dict[str, np.ndarray] = {}
    for fold, probability in enumerate(probabilities):
        found = market.outcomes(probability)
        train, test = found.splits[fold]
        take, weights = found.labels["take"].to_numpy(), found.labels["weight"].to_numpy()
        for timeframe, features in found.features.items():
            fitted = expert.fit(
                features.iloc[train],
                take[train],
                weights[train],
                parameters=expert.default_parameters(),
                seed=fold_seed(SEED, fold),
                threads=1,
            )
            place = votes.setdefault(timeframe, np.full(len(take), np.nan))
            place[test] = fitted.probability(features.iloc[test])
        together.append(found.labels.iloc[test])
    labels = pd.concat(together)
    take = labels["take"].to_numpy()
    return labels, min(votes.values(), key=lambda p: float(event_log_loss(take, p).mean()))


def judged(labels: pd.DataFrame, take_probability: np.ndarray, market: Market) -> dict[str, float]:
    """AUC of the take probability, and net utility of thresholds chosen on the other folds."""
    chosen = market.settings.analyst
    splits = purged_splits(
        labels["row"], labels["settled_row"], folds=chosen.folds, embargo_bars=chosen.embargo_bars
    )
    size = cross_fitted_size(labels, take_probability, splits)
    even = np.ones(len(labels))
    return {
        "auc": round(auc(labels["take"].to_numpy(), take_probability, even), 6),
        "utility": policy_utility(labels, size).mean,
        "always": float(labels["net_return"].mean()),
        "trades": float((size > 0).any()),
    }


def compared(seed: int, analyst: str, tactician: str) -> dict[str, Any]:
    """Both ways on one market, with the product's costs and without any."""
    market = null_market(seed)
    everything = np.arange(len(market.known))
    whole = market.analyst(analyst, everything)
    folds = [market.analyst(analyst, train) for train, _ in market.outcomes(whole).splits]
    run: dict[str, Any] = {"seed": seed, "signals": len(market.known)}
    for name, costs in COSTS.items():
        priced = market.with_costs(costs)
        run[name] = {
            "stacked": judged(*stacked(priced, whole, tactician), priced),
            "nested": judged(*nested(priced, folds, tactician), priced),
        }
    return run


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    chosen = _parser().parse_args(arguments)
    results: dict[str, Any] = {
        "command": "python -m benchmarks.nested_tactician " + " ".join(arguments or sys.argv[1:]),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "code": code_fingerprint(),
        "days": DAYS,
        "analyst": chosen.analyst,
        "tactician": chosen.tactician,
        "versions": library_versions(),
        "machine": machine(),
        "runs": [],
    }
    for seed in range(chosen.first_seed, chosen.first_seed + chosen.seeds):
        results["runs"].append(compared(seed, chosen.analyst, chosen.tactician))
        print(f"seed {seed} done", file=sys.stderr, flush=True)
        if chosen.out:
            write_results(Path(chosen.out), results)
    table = markdown(results)
    print(table)
    if chosen.page:
        put_table(Path(chosen.page), MARK, table)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nested_tactician")
    parser.add_argument("--seeds", type=int, default=300, help="how many markets, one a seed")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--analyst", default="linear", help="the expert in the analysts' place")
    parser.add_argument("--tactician", default="linear", help="kind of the take classifiers")
    parser.add_argument("--out", help="keep the results as JSON here, market by market")
    parser.add_argument("--page", help="replace the table between the marks of this page")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
