"""What time it is at the exchange, which decides which candle is still forming.

Belongs here: when to ask for the time again, and when not to believe it.  Does not belong
here: requests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ares_resources.errors import ExchangeUnavailable

BELIEVED_SECONDS = 600.0
_TOLERANCE_SECONDS = 2.0
_SUSPENDED_SECONDS = 5.0
_AGREEING, _MOST_ANSWERS = 3, 9


@dataclass(frozen=True)
class Sample:
    """An answer: the exchange's time, and this machine's two clocks when it had come, seconds."""

    exchange: float
    monotonic: float
    wall: float

    def at(self, monotonic: float) -> float:
        """The exchange's time at another moment, seconds."""
        return self.exchange + (monotonic - self.monotonic)


class ExchangeClock:
    """The exchange's clock, asked for every ten minutes.

    Parameters
    ----------
    ask
        One answer of the exchange, milliseconds UTC, and the monotonic second at which it came.
    monotonic, wall
        This machine's clocks, seconds.  A monotonic clock stands still while a machine is
        suspended; the wall clock tells.

    An answer that agrees with what was to be expected, by the answer before or by the wall
    clock, is believed.  Else three in a row have to agree with each other: a single server of
    the exchange that is hours ahead would make a forming candle look closed.
    """

    def __init__(
        self,
        ask: Callable[[], tuple[float, float]],
        monotonic: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._ask = ask
        self._monotonic = monotonic
        self._wall = wall
        self._known: Sample | None = None

    def now_ms(self) -> int:
        """The exchange's time, milliseconds UTC; not later than it is there.

        Raises
        ------
        ExchangeUnavailable
            If its answers contradict each other, or none comes.
        """
        if self._known is None or self._is_old(self._known):
            self._known = self._believed()
        return int(self._known.at(self._monotonic()) * 1000)

    def _is_old(self, known: Sample) -> bool:
        return self._age(known) > BELIEVED_SECONDS or self._was_suspended(known)

    def _age(self, known: Sample) -> float:
        return self._monotonic() - known.monotonic

    def _was_suspended(self, known: Sample) -> bool:
        return abs(self._wall() - known.wall - self._age(known)) > _SUSPENDED_SECONDS

    def _believed(self) -> Sample:
        answers = [self._answer()]
        if _agree(answers[0].exchange, self._expected(answers[0])):
            return answers[0]
        while len(answers) < _MOST_ANSWERS:
            answers.append(self._answer())
            latest = answers[-_AGREEING:]
            if len(latest) == _AGREEING and all(
                _agree(sample.at(latest[-1].monotonic), latest[-1].exchange) for sample in latest
            ):
                return latest[-1]
        apart = max(s.exchange for s in answers) - min(s.exchange for s in answers)
        raise ExchangeUnavailable(
            f"the exchange's clock jumps: {len(answers)} answers lie up to {apart:.0f} s apart"
        )

    def _expected(self, answer: Sample) -> float:
        if self._known is None or self._was_suspended(self._known):
            return answer.wall
        return self._known.at(answer.monotonic)

    def _answer(self) -> Sample:
        exchange_ms, came = self._ask()
        return Sample(exchange_ms / 1000, came, self._wall() - (self._monotonic() - came))


def _agree(one: float, other: float) -> bool:
    return abs(one - other) <= _TOLERANCE_SECONDS
