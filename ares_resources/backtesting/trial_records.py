"""Trials of one study, entered into the ledger before they begin and when they have ended.

Belongs here: what a trial counts as that has begun, ended, or ended otherwise than before.  Does
not belong here: the ledger's file (``ledger``), backtests from the cache (``cached``), which
enter themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ares_resources.backtesting.ledger import Record, TrialLedger
from ares_resources.errors import DataConflict
from ares_resources.hashing import cache_key


class TrialRecords:
    """Enters trials of ``study`` into ``ledger``, each once under its own key.

    A trial that has begun stands as killed until it ends; what it ended as then stands in place
    of that.  One that ends with other values than before is another trial (other code, another
    evaluator), and counts beside the first.
    """

    def __init__(self, ledger: TrialLedger, study: str) -> None:
        self.ledger, self.study = ledger, study

    def begun(self, keys: Sequence[str]) -> None:
        """From here on these count, whatever happens."""
        if keys:
            self.ledger.record(self.study, [(key, "killed", (), None) for key in keys])

    def ended(self, records: Sequence[Record]) -> None:
        """What became of trials, as :meth:`TrialLedger.record` takes it."""
        if not records:
            return
        try:
            self.ledger.record(self.study, records)
        except DataConflict:
            for record in records:
                self._one(record)

    @contextmanager
    def running(self, keys: Sequence[str]) -> Iterator[None]:
        """Begin these; where the block raises an error they have failed."""
        self.begun(keys)
        try:
            yield
        except Exception:
            self.ended([(key, "failed", (), None) for key in keys])
            raise

    def _one(self, record: Record) -> None:
        try:
            self.ledger.record(self.study, [record])
        except DataConflict:
            key, state, values, sharpe = record
            other = cache_key((key, [float(value) for value in values], sharpe))
            self.ledger.record(self.study, [(other, state, values, sharpe)])
