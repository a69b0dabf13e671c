"""The search for parameters: high Sharpe ratio, low drawdown, low turnover.

Belongs here: asking for trials in batches, telling their results, stopping, and choosing a
point.  Does not belong here: proposing (``sampler``), evaluating (``cached``), the file of
finished trials (``search_journal``).

A study lives in memory, since Optuna's storages cost more than the backtests.  A search that
is started again on its journal asks the sampler for the same batches and answers them from
the journal, so it goes on exactly as if it had not been killed.  On another kind of processor
the sampler's arithmetic may differ in a last bit, and it asks for other trials: from that batch on
the journal is dropped and the search goes its own way.

The batch belongs to the search: proposals of one batch know nothing of each other's results, so
another batch is another search.  Nothing else about the evaluation matters: not threads, not
what a cache holds, not in how many pieces ``evaluate_many`` works.
"""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ares_resources import progress
from ares_resources.backtesting.options import is_number, whole_number
from ares_resources.backtesting.pareto import domination_ranks, hypervolume
from ares_resources.backtesting.search_journal import FinishedTrial, SearchJournal, lock_of
from ares_resources.errors import BadInput
from ares_resources.hashing import cache_key
from ares_resources.storage.atomic import file_lock

if TYPE_CHECKING:
    import optuna

SHARPE_TOLERANCE = 0.1
"""How far below the best Sharpe ratio, relatively, a calmer point may lie to be chosen."""

_BETTER = 1 + 1e-9


class Judged(Protocol):
    """What the search reads of a result; :class:`BacktestResult` has it."""

    @property
    def sharpe(self) -> float: ...
    @property
    def max_drawdown(self) -> float: ...
    @property
    def turnover(self) -> float: ...
    @property
    def trades(self) -> int: ...


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both included; whole ones, or on a log scale, if so."""

    low: float
    high: float
    integer: bool = False
    log: bool = False


@dataclass(frozen=True)
class Choice:
    """One of several plain values."""

    options: tuple[str | int | float | bool, ...]


Space = Mapping[str, Range | Choice]
EvaluateMany = Callable[[list[dict[str, Any]]], Sequence[Judged]]


@dataclass(frozen=True)
class SearchResult:
    """All trials, the feasible Pareto front by falling Sharpe ratio, and the chosen point.

    ``rule`` says in words how ``chosen`` was found, or why it is None.  ``resumed`` counts
    the trials taken from the journal, ``dropped`` those in it that this search does not ask for;
    ``stopped_early`` tells whether patience ran out.
    ``journal`` is the name of the journal's file, which whoever stored the result may remove.
    """

    trials: tuple[FinishedTrial, ...]
    pareto: tuple[FinishedTrial, ...]
    chosen: FinishedTrial | None
    rule: str
    resumed: int
    stopped_early: bool
    hypervolumes: tuple[float, ...]
    journal: str | None = None
    dropped: int = 0


def search_parameters(
    evaluate_many: EvaluateMany,
    space: Space,
    *,
    n_trials: int,
    batch: int,
    patience: int,
    seed: int,
    minimum_trades: int = 1,
    journal_path: Path | None = None,
    journal_key: str = "",
    progress: Callable[[int, int], None] | None = None,
    sampler: Callable[[int], optuna.samplers.BaseSampler] | None = None,
) -> SearchResult:
    """Search by ask and tell in batches.

    Parameters
    ----------
    evaluate_many
        Parameters of a batch to results in the same order, such as
        ``CachedBacktester.evaluate_many`` behind a translation of names.
    space
        What is searched, by name.
    n_trials, batch
        Trials in all and at once.
    patience
        Batches without a larger hypervolume of the feasible Pareto front before it stops.
    seed
        Root of the sampler's choices.
    minimum_trades
        A point that trades less often is infeasible.
    journal_path, journal_key
        Where finished batches rest, and what else identifies the search (the data's
        fingerprint).  The key of the search is added to the file's name, so that another
        search on the same path has its own file; an equal one, running at once, waits.
    progress
        Called with trials done and trials in all after every batch.
    sampler
        Makes an Optuna sampler from the seed; the default is :class:`AdaptiveSampler`.

    Raises
    ------
    BadInput
        If a number or range is not usable, the space is empty, or the journal's file is that of
        another search.
    """
    counts = {"n_trials": n_trials, "batch": batch, "patience": patience}
    for name, value in {**counts, "minimum_trades": minimum_trades}.items():
        whole_number(name, value, least=1 if name in counts else 0)
    if not space:
        raise BadInput("the search space is empty: name at least one range or choice")
    run = _Search(evaluate_many, space, seed=seed, minimum_trades=minimum_trades, sampler=sampler)
    key = cache_key((dict(space), batch, seed, minimum_trades, run.sampler_name, journal_key))
    path = None if journal_path is None else journal_file(journal_path, key)
    with _locked(path):
        journal = SearchJournal(path, search=key)
        while len(run.trials) < n_trials and run.idle_batches < patience:
            run.step(journal, min(batch, n_trials - len(run.trials)))
            if progress is not None:
                progress(len(run.trials), n_trials)
    pareto = pareto_front(run.trials)
    chosen, rule = choose(pareto, minimum_trades=minimum_trades)
    return SearchResult(
        trials=tuple(run.trials),
        pareto=tuple(pareto),
        chosen=chosen,
        rule=rule,
        resumed=run.resumed,
        stopped_early=len(run.trials) < n_trials,
        hypervolumes=tuple(run.hypervolumes),
        journal=None if path is None else path.name,
        dropped=run.dropped,
    )


def journal_file(path: Path, key: str) -> Path:
    """The journal of the search with this key, beside those of others on the same path."""
    return path.with_name(f"{path.stem}-{key[:16]}{path.suffix}")


def pareto_front(trials: Sequence[FinishedTrial]) -> list[FinishedTrial]:
    """Feasible trials that none dominates, by falling Sharpe ratio, then number."""
    feasible = [trial for trial in trials if trial.feasible and trial.state == "complete"]
    if not feasible:
        return []
    losses = np.array([(-one.sharpe, one.max_drawdown, one.turnover) for one in feasible])
    front = [feasible[i] for i in np.flatnonzero(domination_ranks(losses) == 0)]
    return sorted(front, key=lambda trial: (-trial.sharpe, trial.number))


def choose(
    pareto: Sequence[FinishedTrial], *, minimum_trades: int
) -> tuple[FinishedTrial | None, str]:
    """The calmest of the points nearly as good as the best, and the rule in words.

    Among the front's points within ``SHARPE_TOLERANCE`` of its best Sharpe ratio: smallest
    drawdown, then smallest turnover, then the earlier trial.
    """
    if not pareto:
        return None, f"no trial was feasible: none completed with {minimum_trades} trades or more"
    best = pareto[0].sharpe
    floor = best - SHARPE_TOLERANCE * abs(best)
    near = [trial for trial in pareto if trial.sharpe >= floor]
    chosen = min(near, key=lambda trial: (trial.max_drawdown, trial.turnover, trial.number))
    rule = (
        f"smallest drawdown, then turnover, of the {len(near)} feasible Pareto points with a"
        f" Sharpe ratio within {SHARPE_TOLERANCE:.0%} of the best, {best:.4g}"
    )
    return chosen, rule


def front_volume(pareto: Sequence[FinishedTrial]) -> float:
    """Hypervolume of a front; each objective is first bent into (0, 1), more being better."""
    losses = [(-trial.sharpe, trial.max_drawdown, trial.turnover) for trial in pareto]
    return hypervolume(bent(np.array(losses, dtype=np.float64).reshape(-1, 3)))


def bent(losses: np.ndarray) -> np.ndarray:
    """Gains in [0, 1] of losses ``(n, 3)``: minus the Sharpe ratio, drawdown, turnover."""
    return np.column_stack(
        [
            0.5 - np.arctan(losses[:, 0]) / math.pi,
            1 - np.clip(losses[:, 1], 0.0, 1.0),
            1 / (1 + np.log1p(np.maximum(losses[:, 2], 0.0))),
        ]
    )


class _Search:
    """The state of one search between its batches."""

    def __init__(
        self,
        evaluate_many: EvaluateMany,
        space: Space,
        *,
        seed: int,
        minimum_trades: int,
        sampler: Callable[[int], optuna.samplers.BaseSampler] | None,
    ) -> None:
        import optuna

        from ares_resources.backtesting.sampler import AdaptiveSampler

        made = AdaptiveSampler(seed) if sampler is None else sampler(seed)
        self.sampler_name = f"{type(made).__name__} {optuna.__version__}"
        with _quiet():
            self._study = optuna.create_study(
                directions=["maximize", "minimize", "minimize"], sampler=made
            )
        self._distributions = distributions(space)
        self._evaluate_many, self._minimum_trades = evaluate_many, minimum_trades
        self.trials: list[FinishedTrial] = []
        self._front: list[FinishedTrial] = []
        self.hypervolumes: list[float] = []
        self.idle_batches = self.resumed = self.dropped = 0

    def step(self, journal: SearchJournal, size: int) -> None:
        """Ask for one batch, answer it from the journal or by evaluation, and tell it."""
        with _quiet():
            asked = [self._study.ask(self._distributions) for _ in range(size)]
        done = len(self.hypervolumes)
        known = (journal.batches[done] if done < len(journal.batches) else [])[:size]
        if [one.parameters for one in known] != [one.params for one in asked[: len(known)]]:
            self._drop(journal, done)
            known = []
        # The journal sorts names; in the order of the space, as in a search that was not killed.
        known = [
            replace(one, parameters=dict(t.params)) for one, t in zip(known, asked, strict=False)
        ]
        finished = known
        if len(known) < size:
            finished = known + self._evaluate(asked[len(known) :])
            journal.put(done, finished)
        self.resumed += len(known)
        for trial, result in zip(asked, finished, strict=True):
            self._tell(trial, result)
        self._judge_progress(finished)

    def _drop(self, journal: SearchJournal, batch: int) -> None:
        self.dropped += (trials := journal.cut(batch))
        name = "in memory" if journal.path is None else journal.path.name
        progress.current().noted(
            f"search journal {name}: batch {batch + 1} is not what this search asks for, as on"
            f" another kind of processor; {trials} trials are dropped and searched anew (those in"
            " the ledger stay counted)"
        )

    def _evaluate(self, asked: Sequence[optuna.Trial]) -> list[FinishedTrial]:
        results = self._evaluate_many([dict(trial.params) for trial in asked])
        if len(results) != len(asked):
            raise BadInput(f"evaluate_many gave {len(results)} results for {len(asked)} trials")
        return [self._finished(*pair) for pair in zip(asked, results, strict=True)]

    def _finished(self, trial: optuna.Trial, result: Judged) -> FinishedTrial:
        values = (float(result.sharpe), float(result.max_drawdown), float(result.turnover))
        sound = all(map(math.isfinite, values))
        return FinishedTrial(
            trial.number,
            dict(trial.params),
            *values,
            trades=int(result.trades),
            feasible=sound and result.trades >= self._minimum_trades,
            state="complete" if sound else "failed",
        )

    def _tell(self, trial: optuna.Trial, result: FinishedTrial) -> None:
        import optuna

        with _quiet():
            if result.state == "failed":
                self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                trial.set_constraint("minimum_trades", self._minimum_trades - result.trades)
                self._study.tell(trial, result.values)
        self.trials.append(result)

    def _judge_progress(self, new: Sequence[FinishedTrial]) -> None:
        # What was off the front stays off it, so only the front and the new trials compete.
        self._front = pareto_front([*self._front, *new])
        volume = front_volume(self._front)
        better = volume > (max(self.hypervolumes) * _BETTER if self.hypervolumes else 0.0)
        self.idle_batches = 0 if better else self.idle_batches + 1
        self.hypervolumes.append(volume)


def distributions(space: Space) -> dict[str, optuna.distributions.BaseDistribution]:
    """The space in Optuna's words; BadInput names a range that is not usable."""
    return {name: _distribution(name, one) for name, one in space.items()}


def _distribution(name: str, one: Range | Choice) -> optuna.distributions.BaseDistribution:
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if isinstance(one, Range):
        _check_range(name, one)
    try:
        if isinstance(one, Choice):
            return CategoricalDistribution(one.options)
        if one.integer:
            return IntDistribution(int(one.low), int(one.high), log=one.log)
        return FloatDistribution(float(one.low), float(one.high), log=one.log)
    except ValueError as error:
        raise BadInput(f"search space {name!r} {one}: {error}") from error


def _check_range(name: str, one: Range) -> None:
    ends = (one.low, one.high)
    if not all(is_number(end) and abs(end) <= sys.float_info.max for end in ends):
        raise BadInput(f"search space {name!r} must have two finite numbers as its ends")
    if one.integer and any(end != int(end) for end in ends):
        raise BadInput(f"search space {name!r} {one}: both ends must be whole numbers")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna from writing a line for every study and trial."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


@contextlib.contextmanager
def _locked(journal_path: Path | None) -> Iterator[None]:
    if journal_path is None:
        yield
        return
    with file_lock(lock_of(journal_path)):
        yield
