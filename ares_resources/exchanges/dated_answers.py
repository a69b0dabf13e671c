"""The time at an exchange that has no endpoint for it: its answers are dated.

Belongs here: which answer's date counts, and what to ask for the sake of a date.  Does not
belong here: whether to believe it (:mod:`ares_resources.exchanges.exchange_clock`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ares_resources.exchanges.ccxt_markets import Market
from ares_resources.exchanges.ccxt_requests import Requests
from ares_resources.exchanges.retries import TransientFailure

_FRESH_SECONDS = 60.0


class DatedAnswers:
    """Dates in the headers of a client's answers, each of which counts once.

    The list of markets is megabytes, so it is asked for only where no market is known yet;
    else the latest bar of ``market`` (ccxt's unified name) brings a date.
    """

    def __init__(
        self,
        client: Any,
        requests: Requests,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self.market: str | None = None
        self._client = client
        self._requests = requests
        self._clock, self._wall = clock, wall
        self._counted: tuple[float, float] | None = None

    def time(self) -> tuple[float, float]:
        """Milliseconds UTC, and the monotonic second at which they came.

        A date that came within the last minute and was not counted yet needs no request.
        The last resort is this machine's own clock.
        """
        if not self._is_new():
            self._ask()
        self._counted = self._requests.answer.dated
        return self._counted or (self._wall() * 1000, self._clock())

    def _is_new(self) -> bool:
        dated = self._requests.answer.dated
        if dated is None or dated == self._counted:
            return False
        return self._clock() - dated[1] <= _FRESH_SECONDS

    def _ask(self) -> None:
        client, market = self._client, self.market
        if market is None:
            self._requests.ask("its markets", lambda: client.load_markets(True), some_markets)
            return
        timeframe = next(iter(client.timeframes or {"1m": "1m"}))
        self._requests.ask(
            "its clock", lambda: client.fetch_ohlcv(market, timeframe, None, 1), _any_list
        )


def some_markets(answer: object) -> dict[str, Market]:
    """The markets by name, if there are some."""
    if not isinstance(answer, dict) or not answer:
        raise TransientFailure("its list of markets is empty or no list")
    return answer


def _any_list(answer: object) -> None:
    if not isinstance(answer, list):
        raise TransientFailure("its latest bar is no list")
