"""A search with everything that step 12 keeps: cache, trial ledger, journal.

Belongs here: that stack at its default settings, new for each search.  Does not belong here: any
row, and the step itself (``ares_assets/step12_final_parameters_optimization.py``), which reads its
bars from artifacts.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

NEVER = 10**9


def search(
    folder: Path,
    signals: Mapping[str, Any],
    strategy: Callable[..., Any],
    space: Mapping[str, Any],
    *,
    trials: int,
    seed: int,
    threads: int,
    batch: int | None = None,
    sampler: Any = None,
) -> Any:
    """A whole search of step 12 with new stores, all trials of it.

    ``signals`` are ``market``, ``probability`` and ``size`` as :class:`CachedBacktester` takes
    them, and ``batch`` None is the setting's default.  Like the step, it looks at every trial once
    more at the end, for those that a killed run left in the journal.
    """
    from ares_resources.backtesting.cached import CachedBacktester
    from ares_resources.backtesting.ledger import TrialLedger
    from ares_resources.backtesting.ledger_held import held_open
    from ares_resources.backtesting.search import search_parameters
    from ares_resources.settings import Settings

    settings, home = Settings(), Path(tempfile.mkdtemp(dir=folder))
    ledger = TrialLedger(home / "ledger.sqlite")
    tester = CachedBacktester(
        home / "backtests",
        **signals,
        max_cache_size=settings.computational_optimization.caching.max_cache_size,
        ledger=ledger,
        study="bench/parameters",
        threads=threads,
    )

    def evaluate(points: Sequence[Mapping[str, Any]]) -> Any:
        return tester.evaluate_many([strategy(**point) for point in points])

    with held_open(ledger.path):
        found = search_parameters(
            evaluate,
            space,
            n_trials=trials,
            batch=settings.search.batch if batch is None else batch,
            patience=NEVER,
            seed=seed,
            minimum_trades=settings.search.minimum_trades,
            journal_path=home / "searches" / "bench.jsonl",
            journal_key=tester.data_fingerprint,
            sampler=sampler,
        )
        evaluate([dict(trial.parameters) for trial in found.trials])
    return found
