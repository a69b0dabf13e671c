"""Step 12, Final Parameters Optimization: thresholds, exits and sizes by search over backtests.

Belongs here: reading, the search on development, the assembled model.  Does not belong here:
the search, the cache and the kernel (``ares_resources/backtesting``).

The decisions searched over are out of fold: each probability comes from models that never saw
its time, so the search cannot reward what training has memorised.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ares_assets.engine import Result, StepSpec, Work
from ares_resources.provenance import code_fingerprint
from ares_resources.storage.artifacts import Artifact

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ares_assets.release.partition_model import PartitionModel
    from ares_resources.backtesting.cached import CachedBacktester
    from ares_resources.backtesting.engine import Signals
    from ares_resources.backtesting.search import Range, SearchResult

SEARCHED = ("enter_margin", "stop_width", "target_width", "size_multiple")
_NEVER = 10**9


@dataclass(frozen=True)
class Development:
    """The development bars with the out-of-fold decisions on them."""

    signals: Signals
    decisions: pd.DataFrame


def final_parameters(
    work: Work,
    market_data: Artifact,
    analyst_dataset: Artifact,
    analyst_ensemble: Artifact,
    tactician_ensemble: Artifact,
    calibrated_confidence: Artifact,
) -> Result:
    """The chosen parameters, every trial, and the whole model that steps 13 to 16 use."""
    from dataclasses import replace

    from ares_assets.counted_trials import record_training
    from ares_assets.release.search_report import search_metadata, trial_table
    from ares_resources.backtesting.ledger_held import held_open

    record_training(work, analyst_dataset)
    draft = draft_model(
        work, market_data, analyst_ensemble, tactician_ensemble, calibrated_confidence
    )
    bars = development_signals(work, market_data, analyst_dataset, draft, tactician_ensemble)
    backtester = _backtester(work, bars)
    space, journal = _space(work, bars), _journal(work, backtester)
    with held_open(work.workspace.ledger.path):
        found = _search(work, backtester, space, journal)
        # Trials answered from the journal of a killed run count like those that were run now.
        sets = [_strategy(work, dict(trial.parameters)) for trial in found.trials]
        backtester.evaluate_many(sets)
    never = bool(tactician_ensemble.metadata["never_trades"])
    chosen = None if found.chosen is None else dict(found.chosen.parameters)
    model = replace(draft, parameters=chosen or dict(draft.parameters))
    degraded = () if chosen or never else (f"step 12: {found.rule}; the middle of each range",)
    value = {
        **model.to_files(),
        "trials.parquet": trial_table(found),
        "daily_returns.parquet": _daily_returns(work, bars, found),
        "search.json": {"rule": found.rule, "stopped_early": found.stopped_early},
    }
    metadata = {
        **search_metadata(found, patience=_patience(work)),
        "distinct_sets": len(set(sets)),
        "never_trades": never,
        "decisions": len(bars.decisions),
        "largest_size_multiple": space["size_multiple"].high,
        **{f"chosen_{name}": value for name, value in sorted(model.parameters.items())},
    }
    # Not removed here: the step may yet be killed before its result is stored.
    # Not among the figures: how often a search was stopped, and where, is not its result.
    cost = {
        "search_journal": found.journal,
        "resumed_trials": found.resumed,
        "dropped_journal_trials": found.dropped,
    }
    return Result(value, metadata, degraded, cost)


def forget_journal(work: Work, artifact: Artifact) -> dict[str, Any]:
    """Remove the search's journal, whose trials stand in the stored result, and stale ones.

    Stale are the journals of earlier searches of this partition and mode: their code, data or
    settings are gone with the result that they were for.  One that another process works on stays.
    """
    from ares_resources.backtesting.search_journal import discard_journals

    name = artifact.cost.get("search_journal")
    # It is there once, after the search; a result that is only found again ends no search.
    if name and (_journals(work) / name).exists():
        discard_journals(_journals(work), _searcher(work))
    return {}


def draft_model(
    work: Work,
    market_data: Artifact,
    analyst_ensemble: Artifact,
    tactician_ensemble: Artifact,
    calibrated_confidence: Artifact,
) -> PartitionModel:
    """The model before the search, with the middle of every range."""
    from ares_assets.analyst.model import AnalystModel
    from ares_assets.evidence.calibrators import calibrator_from_dict
    from ares_assets.release.partition_model import ModelSettings, PartitionModel
    from ares_assets.tactician.model import TacticianModel

    settings, calibrated = work.settings, calibrated_confidence.load()
    middle = {name: (low + high) / 2 for name, (low, high) in _ranges(work).items()}
    return PartitionModel(
        regime=work.request.regime,
        settings=ModelSettings(
            timeframe=market_data.metadata["timeframe"],
            labels=settings.labels,
            features=settings.features,
            regimes=settings.regimes,
            costs=settings.costs,
            tactician=settings.tactician,
        ),
        analyst=AnalystModel.from_files(analyst_ensemble.load()),
        calibrator=calibrator_from_dict(calibrated["calibrator.json"]),
        conformal=calibrated["conformal.json"],
        tactician=TacticianModel.from_files(tactician_ensemble.load()),
        parameters=middle,
    )


def _ranges(work: Work) -> dict[str, tuple[float, float]]:
    search = work.settings.search
    return {name: getattr(search, name) for name in SEARCHED}


def _space(work: Work, bars: Development) -> dict[str, Range]:
    """The ranges; no multiple takes a decided size beyond the tactician's largest position."""
    from ares_resources.backtesting.search import Range

    ranges, largest = _ranges(work), float(bars.signals.size.max(initial=0.0))
    low, high = ranges["size_multiple"]
    if largest > 0:
        high = min(high, work.settings.tactician.maximum_position / largest)
    ranges["size_multiple"] = (min(low, high), high)
    return {name: Range(*ends) for name, ends in ranges.items()}


def development_signals(
    work: Work,
    market_data: Artifact,
    analyst_dataset: Artifact,
    draft: PartitionModel,
    tactician_ensemble: Artifact,
) -> Development:
    """Bars from the first development row to the first calibration row, and what is decided."""
    from ares_assets.market.roles import first_row, roles_of
    from ares_assets.release.partition_model import make_signals
    from ares_assets.tactician.model import Votes
    from ares_assets.tactician.trading import decision_arrays, market_arrays
    from ares_resources.backtesting.engine import Signals
    from ares_resources.timeframes import timeframe_ms

    frame, settings = market_data.load(), draft.settings
    roles = roles_of(
        frame, market_data.metadata, work.settings.window, settings.labels.horizon_bars
    )
    start, end = first_row(roles, "development"), first_row(roles, "calibration")
    frame = frame.iloc[:end]
    known = tactician_ensemble.load()["out_of_fold.parquet"]
    raw, rows = known["probability"].to_numpy(), known["row"].to_numpy()
    spread = make_signals(frame, rows, raw, settings.labels).spread[rows]
    decisions = draft.decide_from_votes(
        raw,
        Votes(
            take={name: known[f"take-{name}"].to_numpy() for name in draft.tactician.members},
            wait=known["wait"].to_numpy(),
            against=known["against"].to_numpy(),
        ),
        spread,
        rows,
        known.rename(columns={"settled_row": "exit_row"}),
        calibrated=_calibrated_on_development(work, analyst_dataset, rows, raw),
    )
    delay = settings.tactician.delay_bars
    arrays = decision_arrays(decisions, end, delay_bars=delay)
    market = market_arrays(frame, timeframe_ms(settings.timeframe)).rows(start, end)
    probability, size, management = (values[start:] for values in arrays)
    return Development(Signals(market, probability, size, management), decisions)


def _calibrated_on_development(
    work: Work, analyst_dataset: Artifact, rows: np.ndarray, raw: np.ndarray
) -> np.ndarray:
    """The probabilities calibrated by purged folds of development alone.

    Step 11's calibrator was fitted on later bars, which this search may not know.
    """
    import numpy as np

    from ares_assets.analyst.cross_validation import PurgedKFold
    from ares_assets.analyst.dataset import examples_of
    from ares_assets.evidence.calibration import cross_calibrated

    settings = work.settings.analyst
    known = examples_of(analyst_dataset.load(), "development")
    events = known.part(np.flatnonzero(np.isin(known.rows, rows)))
    return cross_calibrated(
        raw,
        events.labels,
        events.weights,
        events.rows,
        events.t1_rows,
        splitter=PurgedKFold(settings.folds, settings.embargo_bars),
    )


def _backtester(work: Work, bars: Development) -> CachedBacktester:
    from ares_assets.counted_trials import study_prefix
    from ares_resources.backtesting.cached import CachedBacktester

    optimisation = work.settings.computational_optimization
    manager = work.settings.enhanced_training_manager
    parallel = optimisation.parallelization.enabled and manager.enable_parallelization
    workers = min(
        work.settings.threads, optimisation.parallelization.max_workers, os.cpu_count() or 1
    )
    return CachedBacktester(
        work.workspace.home.cache / "backtests",
        market=bars.signals.market,
        probability=bars.signals.probability,
        size=bars.signals.size,
        management=bars.signals.management,
        max_cache_size=optimisation.caching.max_cache_size,
        ledger=work.workspace.ledger,
        study=f"{study_prefix(work)}parameters",
        threads=workers if parallel else 1,
        enabled=optimisation.caching.enabled and manager.enable_caching,
    )


def _journals(work: Work) -> Path:
    return work.workspace.home.cache / "searches" / f"{work.request.symbol.folder}"


def _searcher(work: Work) -> str:
    # A trial run in blank mode must not take a killed full training's journal away.
    return f"{work.request.regime}-{work.request.settings.mode}-"


def _journal(work: Work, backtester: CachedBacktester) -> Path:
    name = f"{_searcher(work)}{backtester.data_fingerprint[:16]}-{work.seed}.jsonl"
    return _journals(work) / name


def _search(
    work: Work, backtester: CachedBacktester, space: Mapping[str, Range], journal: Path
) -> SearchResult:
    from ares_resources.backtesting.search import search_parameters

    settings, patience = work.settings, _patience(work)
    return search_parameters(
        lambda points: backtester.evaluate_many([_strategy(work, point) for point in points]),
        space,
        n_trials=settings.max_trials,
        batch=settings.search.batch,
        patience=_NEVER if patience is None else patience,
        seed=work.seed,
        minimum_trades=settings.search.minimum_trades,
        journal_path=journal,
        journal_key=repr((backtester.data_fingerprint, code_fingerprint(), _costs(work))),
        progress=lambda done, total: work.advanced("trial", done, total),
    )


def _patience(work: Work) -> int | None:
    """Batches without a better front before the search ends; None: it never ends early."""
    stopping = work.settings.computational_optimization.early_stopping
    early = stopping.enabled and work.settings.enhanced_training_manager.enable_early_stopping
    return stopping.patience if early else None


def _costs(work: Work) -> tuple[object, int]:
    return work.settings.costs, work.settings.labels.horizon_bars


def _strategy(work: Work, point: Mapping[str, Any]) -> Any:
    from ares_assets.tactician.trading import strategy_parameters

    settings = work.settings
    return strategy_parameters(
        point, horizon_bars=settings.labels.horizon_bars, costs=settings.costs
    )


def _daily_returns(work: Work, bars: Development, found: SearchResult) -> pd.DataFrame:
    """Daily net returns of every trial on development, (days, trials): what PBO is made of."""
    import pandas as pd

    sets = [_strategy(work, dict(trial.parameters)) for trial in found.trials]
    returns = bars.signals.sweep(sets, threads=1, daily=True).daily_return
    names = [str(trial.number) for trial in found.trials]
    return pd.DataFrame(None if returns is None else returns.T, columns=names)


SPEC = StepSpec(
    number=12,
    name="final_parameters",
    title="Final Parameters Optimization",
    description="Entry margin, stop and target, and where asked for a size, by multi-objective "
    "search on development.",
    group="evidence",
    kind="bundle",
    inputs=(
        "market_data",
        "analyst_dataset",
        "analyst_ensemble",
        "tactician_ensemble",
        "calibrated_confidence",
    ),
    uses=(
        "analyst",
        "computational_optimization",
        "costs",
        "enhanced_training_manager",
        "features",
        "labels",
        "max_trials",
        "regimes",
        "search",
        "tactician",
        "window",
    ),
    function=final_parameters,
    after=forget_journal,
)
