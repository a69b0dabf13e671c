"""One request to an exchange, tried again as its failures deserve.

Belongs here: the bond between a client's answers, the meaning of failures, retries, and what
stands against asking at all.  Does not belong here: what is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ares_resources import progress
from ares_resources.errors import ExchangeUnavailable, OutOfReach
from ares_resources.exchanges import ccxt_faults
from ares_resources.exchanges.ccxt_client import LastAnswer
from ares_resources.exchanges.restraints import Restraints, note_outage, outage
from ares_resources.exchanges.retries import Deadline, TransientFailure, Wait, call_with_retries
from ares_resources.settings import DataSettings

T = TypeVar("T")


class Requests:
    """Asks under one deadline; after a ban nothing is asked, by this or any other process.

    ``name`` begins every message; ``answer`` is where the client notes its last answer.
    """

    def __init__(
        self,
        name: str,
        answer: LastAnswer,
        settings: DataSettings,
        restraints: Restraints,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self.answer = answer
        self._name = name
        self._max_retries = settings.max_retries
        self._deadline = Deadline(settings.deadline_seconds, clock)
        self._restraints = restraints
        self._sleep = sleep

    def ask(self, what: str, action: Callable[[], Any], read: Callable[[Any], T]) -> T:
        """One request, tried again as its failures deserve, its answer read by ``read``.

        Raises
        ------
        OutOfReach
            If every try failed, now or before in this run, or the deadline has passed.
        ExchangeUnavailable
            If the exchange refuses, or has banned this machine.
        """
        what = f"{self._name}: {what}"
        try:
            return call_with_retries(
                lambda: read(self._attempt(what, action)),
                what=what,
                max_retries=self._max_retries,
                deadline=self._deadline,
                sleep=self._sleep,
                tell=_tell,
            )
        except OutOfReach as error:
            note_outage(self._name, str(error))
            raise

    def _attempt(self, what: str, action: Callable[[], Any]) -> Any:
        import ccxt

        self._refuse_or_wait(what)
        self.answer.forget()
        try:
            content = action()
        except (ccxt.BaseError, *ccxt_faults.SHAPE_ERRORS) as error:
            failure = ccxt_faults.translate(error, self.answer, what)
            raise self._remembered(failure, what) from None  # the cause may hold a whole address
        if self.answer.body is not None and self.answer.rows() is None:
            raise TransientFailure("the body is neither a JSON list nor an object")
        return content

    def _refuse_or_wait(self, what: str) -> None:
        """Return when nothing stands against asking; during a wait others may learn of more."""
        while (pause := self._pause(what)) > 0:
            _tell(Wait(what, "the exchange asked for a pause (HTTP 429)", 1, 1, pause))
            self._sleep(pause)

    def _pause(self, what: str) -> float:
        """Seconds to wait before another look; an exception if there is no use in waiting."""
        refusal = self._restraints.refusal(self._name)
        if refusal is not None:
            raise ExchangeUnavailable(f"{what}: not asked: {refusal}")
        earlier = outage(self._name)
        if earlier is not None:
            raise OutOfReach(f"{what}: not asked again in this run: {earlier}")
        pause, left = self._restraints.seconds_to_wait(self._name), self._deadline.remaining()
        if left <= 0:
            raise OutOfReach(f"{what}: deadline of {self._deadline.seconds:g} s: not asked in time")
        if pause >= left:
            raise OutOfReach(
                f"{what}: the exchange wants to be left alone for {pause:.0f} s, past the "
                f"deadline of {self._deadline.seconds:g} s"
            )
        return pause

    def _remembered(self, failure: Exception, what: str) -> Exception:
        """The failure, after what other processes have to know of it is written down."""
        status, wait = self.answer.status, self.answer.retry_after()
        if status == ccxt_faults.BANNED:
            until = self._restraints.ban(self._name, wait, str(failure))
            return ExchangeUnavailable(f"{failure}; nothing is asked until {until}")
        if status == ccxt_faults.TOO_MANY and wait is not None:
            self._restraints.pause(self._name, wait)
        return failure


def _tell(wait: Wait) -> None:
    progress.current().waiting(wait.what, wait.reason, wait.attempt, wait.attempts, wait.seconds)
