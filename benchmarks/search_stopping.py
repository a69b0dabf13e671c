"""Early stopping where trials train models: ``python -m benchmarks.search_stopping``.

Belongs here: searches whose trials train an expert, with and without early stopping.  Does not
belong here: stopping (``progressive_front``), tables (``search_tables``).

A trial is the expert's hyperparameters with entry margin, stop and target.  For each of eight
purged blocks of a simulated market a model is trained on the events of the others, and its
decisions are backtested on the block's bars; the objectives are means over the blocks, and there
must be step 12's minimum of trades in the mean block.  Both
searches use the same sampler, seed and number of trials, and half as many trials without
stopping stand beside them, which cost about the same bars; only trials that were seen through
count for the hypervolume.  Options were chosen on seeds 200 and 201, which are not reported.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ares_assets.analyst.experts.base import get_expert
from ares_resources.backtesting.engine import Signals
from ares_resources.backtesting.progressive import Block, purged_blocks
from ares_resources.backtesting.progressive_front import ProgressiveFront
from ares_resources.backtesting.search import Range, Space, distributions
from ares_resources.provenance import library_versions
from benchmarks.arguments import add_results, add_seeds
from benchmarks.measuring import machine
from benchmarks.pages import put_table, write_results
from benchmarks.recorded import code_hash, continued
from benchmarks.search_problems import (
    SIZE,
    SPACE_NAMES,
    LabelledMarket,
    backtest_volume,
    labelled_market,
    strategy,
)
from benchmarks.search_tables import stopping_table

MARKET, DAYS, BLOCKS = "CONSISTENT", 60, 8
TRIALS, BATCH = 60, 10
EVERY = 6
"""Of neighbouring events, whose windows overlap, every sixth trains: a fit takes milliseconds."""
MARK = "bench-search-stopping"
SAME = ("code", "versions", "machine", "expert", "trials")
"""What the recorded figures depend on, beside the seed."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    chosen = _parser().parse_args(arguments)
    results: dict[str, Any] = {
        "command": "python -m benchmarks.search_stopping " + " ".join(arguments or sys.argv[1:]),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "code": code_hash(),
        "expert": chosen.expert,
        "trials": TRIALS,
        "versions": library_versions(),
        "machine": machine(),
        "runs": [],
    }
    results = continued(chosen.out, results, SAME)
    seeds = range(chosen.first_seed, chosen.first_seed + chosen.seeds)
    left = [seed for seed in seeds if seed not in {run["seed"] for run in results["runs"]}]
    began = time.perf_counter()
    for number, seed in enumerate(left, 1):
        results["runs"].append(compared(seed, chosen.expert))
        results["runs"].sort(key=lambda run: run["seed"])
        if chosen.out:
            write_results(chosen.out, results)
        rest = (time.perf_counter() - began) / number * (len(left) - number)
        print(f"{number}/{len(left)}, about {rest:,.0f} s left", file=sys.stderr, flush=True)
    table = stopping_table(results["runs"])
    print(table)
    if chosen.page:
        put_table(chosen.page, MARK, table)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.search_stopping", description=__doc__
    )
    parser.add_argument("--expert", choices=("linear", "catboost"), default="linear")
    add_seeds(parser, first=4001, count=20)
    add_results(parser, "runs", mark=MARK)
    return parser


def compared(seed: int, expert: str, **options: Any) -> dict[str, Any]:
    """One market searched in full and with early stopping."""
    work = Training(labelled_market(MARKET, DAYS, seed), expert, seed)
    full = searched(work, seed, enabled=False)
    halved = searched(work, seed, enabled=True, **options)
    return {
        "seed": seed,
        "full_volume": round(full[0][-1], 6),
        "half_volume": round(full[0][TRIALS // BATCH // 2 - 1], 6),
        "stopped_volume": round(halved[0][-1], 6),
        "full_bars": full[1],
        "stopped_bars": halved[1],
        "full_seconds": round(full[2], 2),
        "stopped_seconds": round(halved[2], 2),
    }


class Training:
    """Trials on one market: train on the other blocks' events, backtest on a block's bars."""

    def __init__(self, known: LabelledMarket, expert: str, seed: int) -> None:
        self._known, self._expert, self._seed = known, get_expert(expert), seed
        self._events = known.events.part(np.arange(0, len(known.events), EVERY))
        horizon = known.settings.labels.horizon_bars
        self.blocks = purged_blocks(len(known.bars), blocks=BLOCKS, purge_rows=horizon)
        self._own = {
            name: Range(one.low, one.high, integer=isinstance(one.default, int), log=one.log)
            for name, one in self._expert.table.items()
        }
        search = known.settings.search
        rules = {name: Range(*getattr(search, name)) for name in SPACE_NAMES}
        self.space: Space = {**self._own, **rules}
        self._least = search.minimum_trades
        self.bars = 0

    def judge(self, points: Sequence[Mapping[str, Any]], blocks: Sequence[Block]) -> np.ndarray:
        """Losses and missing trades ``(points, blocks, 4)``."""
        return np.array([[self._on_block(point, block) for block in blocks] for point in points])

    def _on_block(self, point: Mapping[str, Any], block: Block) -> list[float]:
        events = self._events
        tested = (events.rows >= block.start) & (events.t1_rows < block.stop)
        embargo = self._known.settings.analyst.embargo_bars
        apart = (events.t1_rows < block.start) | (events.rows >= block.stop + embargo)
        part = events.part(np.flatnonzero(apart))
        model = self._expert.fit(
            part.features,
            part.labels,
            part.weights,
            parameters={name: point[name] for name in self._own},
            seed=self._seed,
            threads=1,
        )
        rows = events.rows[tested] - block.start
        market = self._known.bars.rows(block.start, block.stop)
        probability, size = np.full(len(market), np.nan), np.zeros(len(market))
        probability[rows] = model.probability(events.features.iloc[np.flatnonzero(tested)])
        size[rows] = SIZE
        rule = strategy(self._known.settings, {name: point[name] for name in SPACE_NAMES})
        found = Signals(market, probability, size).sweep([rule], threads=1).result(0)
        self.bars += len(market)
        return [-found.sharpe, found.max_drawdown, found.turnover, self._least - found.trades]


def searched(
    work: Training, seed: int, *, enabled: bool, **options: Any
) -> tuple[list[float], int, float]:
    """Hypervolume of what was seen through, after each batch; bars evaluated; processor seconds."""
    import optuna

    from ares_resources.backtesting.sampler import PARTIAL, AdaptiveSampler

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(directions=["minimize"] * 3, sampler=AdaptiveSampler(seed))
    front = ProgressiveFront[Mapping[str, Any]](
        work.blocks, backtest_volume, enabled=enabled, **options
    )
    space, whole, before = distributions(work.space), [], work.bars
    volumes: list[float] = []
    began = time.process_time()
    for _ in range(TRIALS // BATCH):
        asked = [study.ask(space) for _ in range(BATCH)]
        report = front.evaluate_many([dict(one.params) for one in asked], work.judge)
        for one, losses, state in zip(asked, report.losses, report.states, strict=True):
            if state == "failed":
                study.tell(one, state=optuna.trial.TrialState.FAIL)
                continue
            one.set_user_attr(PARTIAL, state == "pruned")
            one.set_constraint("trades", float(losses[-1]))
            study.tell(one, losses[:-1].tolist())
            if state == "complete" and losses[-1] <= 0:
                whole.append(losses[:-1])
        volumes.append(backtest_volume(np.array(whole).reshape(-1, 3)))
    return volumes, work.bars - before, time.process_time() - began


if __name__ == "__main__":
    raise SystemExit(main())
