"""Does stacking inflate the tactician's out-of-fold score?  Seeds of a market with nothing to find.

Belongs here: the tacticians as step 9 trains them, beside ones whose analyst never saw the fold
under test either.  Does not belong here: the markets (``null_markets``), the table
(``nested_tables``), any threshold that the product uses.

The analyst's out-of-fold probability of a signal comes from a model that has seen the labels of
all other folds, also those of the fold on which the tactician is tested.  Nested, each fold of the
tactician has its own analyst, trained and cross-validated without that fold.

    python -m benchmarks.nested_tactician --seeds 300

The results file keeps every finished seed; a command that was cut off goes on where it stood.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from ares_assets.analyst.experts.base import EXPERT_KINDS, get_expert
from ares_assets.analyst.out_of_fold import fold_seed
from ares_assets.analyst.scores import auc, event_log_loss
from ares_assets.tactician.specialists import purged_splits, train_take_specialists
from ares_assets.tactician.tactician_ensemble import cross_fitted_stakes
from ares_assets.tactician.utility import policy_utility
from ares_resources.hashing import cache_key
from ares_resources.provenance import code_fingerprint, library_versions
from ares_resources.settings import CostSettings
from benchmarks.arguments import add_results, add_seeds
from benchmarks.measuring import machine
from benchmarks.nested_tables import markdown
from benchmarks.null_markets import DAYS, SEED, Market, null_market
from benchmarks.pages import put_table, write_results

COSTS = {"costs": CostSettings(), "free": CostSettings(fee_bp=0, slippage_bp=0)}
MARK = "bench-nested"
OPTIONS = ("code", "analyst", "tactician", "days")
Votes: TypeAlias = dict[str, np.ndarray]


def stacked(market: Market, probability: np.ndarray, kind: str) -> tuple[pd.DataFrame, Votes]:
    """Step 8's labels, and the out-of-fold take probability of each of step 9's specialists."""
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
    return found.labels, {one.timeframe: one.model.out_of_fold for one in specialists}


def nested(
    market: Market, probabilities: Sequence[np.ndarray], kind: str
) -> tuple[pd.DataFrame, Votes]:
    """The same where fold i has the i-th probability, of an analyst that never saw that fold."""
    expert, together = get_expert(kind), []
    votes: Votes = {}
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
    return pd.concat(together), votes


def judged(labels: pd.DataFrame, votes: Votes, market: Market) -> dict[str, float]:
    """AUC of the take probability, and step 10's cross-fitted utility.

    ``auc`` is of the specialist with the least log-loss, as step 9 names it; ``auc_all`` is the
    mean over all specialists, for which nothing was chosen.
    """
    take, even = labels["take"].to_numpy(), np.ones(len(labels))
    best = min(votes.values(), key=lambda p: float(event_log_loss(take, p).mean()))
    chosen = market.settings.analyst
    splits = purged_splits(
        labels["row"], labels["settled_row"], folds=chosen.folds, embargo_bars=chosen.embargo_bars
    )
    size = cross_fitted_stakes(
        labels.reset_index(drop=True),
        votes,
        splits,
        minimum_trades=market.settings.search.minimum_trades,
    )
    return {
        "auc": round(auc(take, best, even), 6),
        "auc_all": round(float(np.mean([auc(take, p, even) for p in votes.values()])), 6),
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
        "code": cache_key((code_fingerprint(), _own_code())),
        "days": DAYS,
        "analyst": chosen.analyst,
        "tactician": chosen.tactician,
        "versions": library_versions(),
        "machine": machine(),
        "runs": [],
    }
    seeds = range(chosen.first_seed, chosen.first_seed + chosen.seeds)
    results["runs"] = _kept(Path(chosen.out), results, seeds) if chosen.out else []
    for seed in sorted(set(seeds) - {run["seed"] for run in results["runs"]}):
        results["runs"].append(compared(seed, chosen.analyst, chosen.tactician))
        print(f"seed {seed} done", file=sys.stderr, flush=True)
        if chosen.out:
            write_results(Path(chosen.out), results)
    table = markdown(results)
    print(table)
    if chosen.page:
        put_table(Path(chosen.page), MARK, table)
    return 0


def _own_code() -> str:
    """Hash of what makes and judges the markets; the product's fingerprint leaves it out."""
    here = Path(__file__)
    files = (here, here.with_name("null_markets.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _kept(path: Path, results: dict[str, Any], seeds: range) -> list[dict[str, Any]]:
    """Seeds that an earlier command finished with the same code, libraries and options."""
    if not path.is_file():
        return []
    before = json.loads(path.read_text(encoding="utf-8"))
    same = all(before.get(name) == results[name] for name in OPTIONS)
    return [run for run in before["runs"] if run["seed"] in seeds] if same else []


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nested_tactician")
    add_seeds(parser, first=1, count=300)
    parser.add_argument(
        "--analyst", choices=EXPERT_KINDS, default="linear", help="in the analysts' place"
    )
    parser.add_argument(
        "--tactician", choices=EXPERT_KINDS, default="linear", help="kind of the take classifiers"
    )
    add_results(parser, "runs", mark=MARK)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
