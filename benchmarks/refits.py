"""Refits of boosted trees, continued beside from scratch: ``python -m benchmarks.refits``.

Belongs here: the experiment, its table and its record.  Does not belong here: how a refit is made
(``ares_assets/release/refits.py``) and when it continues (``ares_resources/incremental.py``).

A market is simulated, its decisions are labelled and walked through with anchored refits at
the product's default sizes, once with continuing allowed and once without.  "regime" walks
the decisions of the truth's most frequent regime, "all" those of all regimes.  In DRIFT the
signal vanishes half-way through the blocks that are predicted.  Time is processor time, which
other work on the machine disturbs least.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ares_assets.analyst.dataset import Examples, from_events
from ares_assets.analyst.events import labelled_events
from ares_assets.analyst.experts.base import get_expert
from ares_assets.analyst.features import compute_features, usable_features
from ares_assets.analyst.scores import auc, event_log_loss, log_loss
from ares_assets.evidence.walk_forward import run_walk_forward, walk_forward_blocks
from ares_assets.market.bars import join_reference
from ares_assets.release.refits import MemberLearner, RefitMemory
from ares_resources.exchanges.simulated import recipe as law
from ares_resources.exchanges.simulated import simulate
from ares_resources.exchanges.simulated.symbols import LABORATORY
from ares_resources.provenance import code_fingerprint, library_versions
from ares_resources.settings import Settings
from ares_resources.timeframes import timeframe_ms
from benchmarks.arguments import add_results, add_seeds, real, whole
from benchmarks.measuring import machine
from benchmarks.pages import put_table, write_results

DAY = 1_440
WARMUP_DAYS = 10
# The top of the experts' search ranges.
LARGE = {
    "catboost": {"trees": 400, "depth": 6},
    "gradient_boosting": {"trees": 400, "leaves": 16},
}
RECORDED = ("train_days", "test_days", "refits", "extra_trees", "tolerance", "check_every")
HEAD = (
    "| market | decisions | trained on | expert | scratch, s | continued, s | times faster "
    "| continued of all | log-loss scratch | continued: more | after the break: more "
    "| AUC scratch | AUC continued |"
)
MARK = "bench-refits"
MARKETS = ("CONSISTENT", "FLIP", "DRIFT")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    chosen = _parser().parse_args(arguments)
    results = {
        "command": "python -m benchmarks.refits " + " ".join(arguments or sys.argv[1:]),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "code": code_fingerprint(),
        "seeds": list(range(1, chosen.seeds + 1)),
        "large": chosen.large,
        **{name: getattr(chosen, name) for name in RECORDED},
        "versions": library_versions(),
        "machine": machine(),
        "runs": [],
    }
    for market in chosen.markets:
        for seed in results["seeds"]:
            for which, known in _decisions(market, seed, chosen).items():
                for kind in chosen.experts:
                    named = {"market": market, "seed": seed, "which": which, "expert": kind}
                    results["runs"].append({**named, **_compared(kind, known, chosen)})
                    print(results["runs"][-1], file=sys.stderr, flush=True)
    table = markdown(results)
    print(table)
    if chosen.out:
        write_results(Path(chosen.out), results)
    if chosen.page:
        put_table(Path(chosen.page), MARK, table)
    return 0


def markdown(results: Mapping[str, Any]) -> str:
    """The table of the recorded runs: means over the seeds, and the error of what it costs."""
    rows: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for run in results["runs"]:
        rows.setdefault((run["market"], run["which"], run["expert"]), []).append(run)
    seeds = results["seeds"]
    sizes = f"experts changed to {LARGE}" if results["large"] else "default sizes"
    title = (
        f"{len(seeds)} seeds, {seeds[0]} to {seeds[-1]}; {sizes}; {results['refits']} refits; "
        f"tolerance {results['tolerance']:g}."
    )
    rule = "|---" * (HEAD.count("|") - 1) + "|"
    return "\n".join([title, "", HEAD, rule, *(_line(*key, row) for key, row in rows.items())])


def _parser() -> argparse.ArgumentParser:
    settings = Settings().validation
    parser = argparse.ArgumentParser(prog="python -m benchmarks.refits", description=__doc__)
    parser.add_argument("--markets", nargs="+", choices=sorted(LABORATORY), default=list(MARKETS))
    parser.add_argument("--which", nargs="+", choices=["regime", "all"], default=["regime", "all"])
    parser.add_argument("--experts", nargs="+", choices=tuple(LARGE), default=list(LARGE))
    parser.add_argument(
        "--large", action="store_true", help="400 trees of depth 6 or 16 leaves, not the defaults"
    )
    add_seeds(parser, first=None, count=3)
    parser.add_argument("--train-days", type=whole(10, 3650), default=160)
    parser.add_argument("--test-days", type=whole(1, 3650), default=60)
    parser.add_argument("--refits", type=whole(1, 1000), default=20)
    parser.add_argument("--extra-trees", type=whole(1, 10_000), default=settings.incremental_trees)
    parser.add_argument("--tolerance", type=real(0, 10), default=settings.incremental_tolerance)
    parser.add_argument("--check-every", type=whole(1, 1000), default=RefitMemory.check_every)
    add_results(parser, mark=MARK)
    return parser


def _decisions(name: str, seed: int, chosen: Any) -> dict[str, Examples]:
    """Labelled decisions of the market's bars, by which of them are walked."""
    test = chosen.test_days * DAY
    minutes = (WARMUP_DAYS + chosen.train_days) * DAY + test
    recipe = LABORATORY[name]
    if recipe.break_ms is not None:
        broken = law.GENESIS_MS + (minutes - test // 2) * law.MINUTE_MS
        recipe = dataclasses.replace(recipe, break_ms=broken)
    market = simulate(recipe, seed=seed, minutes=minutes)
    nothing = pd.DataFrame({"timestamp": np.empty(0, np.int64), "open_interest": np.empty(0)})
    frame = join_reference(market.bars(), market.funding(), nothing, "1m")
    settings = Settings()
    features = compute_features(frame, timeframe="1m", settings=settings.features)
    start = WARMUP_DAYS * DAY
    past = np.zeros(len(frame), bool)
    past[start : len(frame) - test] = True
    kept, _ = usable_features(features, past, settings.features.maximum_nan_share)
    truth = market.regime[start:]
    inside = {"regime": truth == np.bincount(truth).argmax(), "all": np.ones(len(truth), bool)}
    found = {}
    for which in chosen.which:
        rows = start + np.flatnonzero(inside[which])
        events = labelled_events(
            frame, rows, settings=settings.labels, timeframe_ms=timeframe_ms("1m")
        )
        found[which] = from_events(events, features[list(kept)].iloc[events["row"]])
    return found


def _compared(kind: str, known: Examples, chosen: Any) -> dict[str, Any]:
    """Processor seconds and scores of the blocks, with and without continuing."""
    scratch, _, scratch_seconds = _walked(kind, known, chosen, continuing=False)
    continued, memory, seconds = _walked(kind, known, chosen, continuing=True)
    judged = known.part(scratch.position)
    worse = event_log_loss(judged.labels, continued.prediction)
    worse -= event_log_loss(judged.labels, scratch.prediction)
    late = scratch.block >= chosen.refits // 2
    told = memory.report()[kind]
    scores = {
        "log_loss": log_loss(judged.labels, scratch.prediction, judged.weights),
        "more": float(np.average(worse, weights=judged.weights)),
        "more_late": float(np.average(worse[late], weights=judged.weights[late])),
        "auc": auc(judged.labels, scratch.prediction, judged.weights),
        "auc_continued": auc(judged.labels, continued.prediction, judged.weights),
    }
    return {
        "trained_on": int(scratch.trained_on.mean()),
        "scratch_seconds": round(scratch_seconds, 3),
        "seconds": round(seconds, 3),
        "continued": told["continued"],
        "reasons": told["reasons"],
        "compared": told["difference"],
        **{name: round(value, 6) for name, value in scores.items()},
    }


def _walked(kind: str, known: Examples, chosen: Any, *, continuing: bool) -> tuple[Any, Any, float]:
    settings = Settings()
    horizon = known.rows[-1] - chosen.test_days * DAY
    memory = RefitMemory(
        settings.analyst.embargo_bars,
        continuing=continuing,
        extra_trees=chosen.extra_trees,
        tolerance=chosen.tolerance,
        check_every=chosen.check_every,
    )
    blocks = walk_forward_blocks(
        known.rows,
        known.t1_rows,
        known.rows[known.rows >= horizon],
        refits=chosen.refits,
        embargo_bars=settings.analyst.embargo_bars,
    )
    member = {
        "kind": kind,
        "parameters": get_expert(kind).default_parameters() | (LARGE[kind] if chosen.large else {}),
        "features": list(known.features.columns),
    }
    learner = MemberLearner(member, settings.seed, settings.threads)
    begun = time.process_time()
    found = run_walk_forward(
        blocks,
        lambda block: memory.fit(kind, learner, known.part(block.train)),
        lambda model, test: model.probability(known.features.iloc[test]),
    )
    return found, memory, time.process_time() - begun


def _line(market: str, which: str, kind: str, row: Sequence[Mapping[str, Any]]) -> str:
    def values(name: str) -> np.ndarray:
        return np.array([one[name] for one in row], float)

    more = values("more")
    spread = more.std(ddof=1) / np.sqrt(len(more)) if len(more) > 1 else float("nan")
    cells = [
        market,
        which,
        f"{values('trained_on').mean():.0f}",
        kind,
        f"{values('scratch_seconds').mean():.1f}",
        f"{values('seconds').mean():.1f}",
        f"{values('scratch_seconds').sum() / values('seconds').sum():.2f}",
        f"{values('continued').mean():.1f}",
        f"{values('log_loss').mean():.4f}",
        f"{more.mean():+.4f} ± {spread:.4f}",
        f"{values('more_late').mean():+.4f}" if market == "DRIFT" else "",
        f"{values('auc').mean():.3f}",
        f"{values('auc_continued').mean():.3f}",
    ]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    raise SystemExit(main())
