"""An HTTP session whose requests end: by total time, and by size.

Belongs here: what ``requests`` lacks, since its time-out starts anew with every byte.  Does
not belong here: retries.  Imported only where ccxt is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import requests

_CHUNK = 8192
MAXIMUM_BODY_BYTES = 256 * 1024**2


class BoundedSession(requests.Session):
    """A session that gives up on a request after ``total_seconds``, however it drips.

    Two guards keep the time: the reader looks at ``clock`` (monotonic seconds) after every
    piece of the body, and the caller does not wait longer for a reader that is stuck.
    """

    def __init__(self, total_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.total_seconds = total_seconds
        self._clock = clock

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """As :meth:`requests.Session.request`, with the body read.

        Raises
        ------
        requests.exceptions.ReadTimeout
            If headers and body are not there in time.
        requests.exceptions.RequestException
            As ever, and if the body is too large.
        BaseException
            Whatever else the request came to, unchanged: a mistake of the program is loud.
        """
        outcome: dict[str, Any] = {}
        given_up = threading.Event()
        end = self._clock() + self.total_seconds

        def late() -> bool:
            return given_up.is_set() or self._clock() > end

        def work() -> None:
            try:
                response = super(BoundedSession, self).request(*args, **{**kwargs, "stream": True})
                _read_body(response, late)
                if late():
                    raise self._timed_out()
                outcome["response"] = response
            except BaseException as error:  # noqa: BLE001 - raised anew in the caller's thread
                outcome["error"] = error

        worker = threading.Thread(target=work, daemon=True, name="bounded-request")
        worker.start()
        worker.join(self.total_seconds)
        if worker.is_alive():
            given_up.set()
            raise self._timed_out()
        if "error" in outcome:
            raise outcome["error"]
        return outcome["response"]

    def _timed_out(self) -> requests.exceptions.ReadTimeout:
        return requests.exceptions.ReadTimeout(f"no whole answer in {self.total_seconds:g} s")


def _read_body(response: requests.Response, late: Callable[[], bool]) -> None:
    body = bytearray()
    for chunk in response.iter_content(_CHUNK):
        body += chunk
        if late():
            response.close()
            break
        if len(body) > MAXIMUM_BODY_BYTES:
            response.close()
            raise requests.exceptions.ContentDecodingError("body too large")
    # What Response.content itself leaves behind after reading a streamed body.
    response._content = bytes(body)
    response._content_consumed = True  # type: ignore[attr-defined]
