"""One request to an exchange, tried again as its failures deserve.

Belongs here: the bond between a client's answers, the meaning of failures, and retries.
Does not belong here: what is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ares_resources.errors import ExchangeUnavailable
from ares_resources.exchanges import ccxt_faults
from ares_resources.exchanges.ccxt_client import LastAnswer
from ares_resources.exchanges.retries import Deadline, TransientFailure, call_with_retries
from ares_resources.settings import DataSettings

T = TypeVar("T")


class Requests:
    """Asks under one deadline; after a ban nothing is asked any more.

    ``name`` begins every message; ``answer`` is where the client notes its last answer.
    """

    def __init__(
        self,
        name: str,
        answer: LastAnswer,
        settings: DataSettings,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self.answer = answer
        self._name = name
        self._max_retries = settings.max_retries
        self._deadline = Deadline(settings.deadline_seconds, clock)
        self._sleep = sleep
        self._stopped: str | None = None

    def ask(self, what: str, action: Callable[[], Any], read: Callable[[Any], T]) -> T:
        """One request, tried again as its failures deserve, its answer read by ``read``."""
        what = f"{self._name}: {what}"
        if self._stopped is not None:
            raise ExchangeUnavailable(f"{what}: not asked: {self._stopped}")
        return call_with_retries(
            lambda: read(self._attempt(what, action)),
            what=what,
            max_retries=self._max_retries,
            deadline=self._deadline,
            sleep=self._sleep,
        )

    def _attempt(self, what: str, action: Callable[[], Any]) -> Any:
        import ccxt

        self.answer.forget()
        try:
            content = action()
        except (ccxt.BaseError, *ccxt_faults.SHAPE_ERRORS) as error:
            failure = ccxt_faults.translate(error, self.answer, what)
            if self.answer.status == ccxt_faults.BANNED:
                self._stopped = str(failure)
            raise failure from None  # the cause's message may hold a whole address
        if self.answer.body is not None and self.answer.rows() is None:
            raise TransientFailure("the body is neither a JSON list nor an object")
        return content
