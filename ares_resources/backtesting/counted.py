"""Trials that count from the moment they begin.

Belongs here: entering a batch into the ledger before it is run.  Does not belong here: the
ledger, the cache, the search.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ares_resources.backtesting.cached import CachedBacktester
    from ares_resources.backtesting.ledger import TrialLedger
    from ares_resources.backtesting.results import BacktestResult
    from ares_resources.backtesting.strategy import StrategyParameters


class CountedEvaluation:
    """Backtests for ``search_parameters``; each trial stands in the ledger before its result.

    A batch is entered as "killed" first.  Its results, computed or cached, stand before that
    entry; where the process dies between the two, or the search is never taken up again, the
    trials were begun all the same, and count.

    Parameters
    ----------
    backtester
        It must record into the same ledger and study.
    translate
        From a point of the search to the kernel's parameters.
    """

    def __init__(
        self,
        backtester: CachedBacktester,
        ledger: TrialLedger,
        study: str,
        translate: Callable[[Mapping[str, Any]], StrategyParameters],
    ) -> None:
        self._backtester, self._ledger = backtester, ledger
        self._study, self._translate = study, translate

    def __call__(self, points: Sequence[Mapping[str, Any]]) -> list[BacktestResult]:
        sets = [self._translate(point) for point in points]
        keys = dict.fromkeys(map(self._backtester.generate_cache_key, sets))
        self._ledger.record(self._study, [(key, "killed", (), None) for key in keys])
        return self._backtester.evaluate_many(sets)
