"""Many parameter sets over the cores.

Belongs here: the seeds' name for it and its budget of threads.  Does not belong here: the
sweep itself (``engine``), which shares the bars between threads instead of copying them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from ares_resources.backtesting.cached import (
    Parameters,
    as_parameters,
    in_order,
    key_head,
    ledger_entry,
    market_fingerprint,
    result_key,
)
from ares_resources.backtesting.engine import Signals
from ares_resources.backtesting.ledger import TrialLedger
from ares_resources.backtesting.market import MarketArrays
from ares_resources.backtesting.options import whole_number
from ares_resources.backtesting.results import BacktestResult, SweepResult
from ares_resources.backtesting.trial_records import TrialRecords
from ares_resources.errors import BadInput


class ParallelBacktester:
    """Backtests of one market and one signal on several cores, without a cache.

    Parameters
    ----------
    market, probability, size, management
        See :class:`ares_resources.backtesting.Signals`; checked once, never copied.
    max_workers
        Threads to use, at least 1; never more than the machine has are used.  Results and
        their order are the same for every number.
    ledger, study
        Where each look is recorded, under the key and with the figures that
        :class:`CachedBacktester` records: the same look by either counts once.

    Raises
    ------
    BadInput
        If the market or signals are unusable, ``max_workers`` is no whole number of at least 1,
        or a ledger has no study.
    """

    def __init__(
        self,
        market: MarketArrays,
        probability: np.ndarray,
        size: np.ndarray,
        *,
        max_workers: int = 2,
        management: np.ndarray | None = None,
        ledger: TrialLedger | None = None,
        study: str = "",
    ) -> None:
        max_workers = whole_number("max_workers", max_workers, least=1)
        if ledger is not None and not study:
            raise BadInput("a ledger needs the name of a study, not ''")
        self.signals = Signals(market, probability, size, management)
        self._records = None if ledger is None else TrialRecords(ledger, study)
        self._head = b"" if ledger is None else key_head(market_fingerprint(self.signals))
        self.threads = min(max_workers, os.cpu_count() or 1)

    def evaluate_many(self, parameters: Sequence[Parameters]) -> list[BacktestResult]:
        """Results in the order of the parameters."""
        return self.sweep(parameters).results()

    def sweep(self, parameters: Sequence[Parameters], *, daily: bool = False) -> SweepResult:
        """The same as arrays; ``daily`` keeps the daily returns as well."""
        sets = [as_parameters(one) for one in parameters]
        if self._records is None:
            return self.signals.sweep(sets, threads=self.threads, daily=daily)
        keys = [result_key(self._head, in_order(one)) for one in sets]
        with self._records.running([key.hex() for key in keys]):
            found = self.signals.sweep(sets, threads=self.threads, daily=daily)
        told = zip(keys, found.results(), strict=True)
        self._records.ended([ledger_entry(key, "complete", result) for key, result in told])
        return found
