"""An HTTP session whose requests end: by total time, and by size.

Belongs here: what ``requests`` lacks, since its time-out starts anew with every byte.  Does
not belong here: retries.  Imported only where ccxt is.
"""

from __future__ import annotations

import threading
from typing import Any

import requests

_CHUNK = 8192
MAXIMUM_BODY_BYTES = 256 * 1024**2


class BoundedSession(requests.Session):
    """A session that gives up on a request after ``total_seconds``, however it drips."""

    def __init__(self, total_seconds: float) -> None:
        super().__init__()
        self.total_seconds = total_seconds

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """As :meth:`requests.Session.request`, with the body read.

        Raises
        ------
        requests.exceptions.ReadTimeout
            If headers and body are not there in time.
        requests.exceptions.RequestException
            As ever, and if the body is too large.
        """
        outcome: dict[str, Any] = {}
        given_up = threading.Event()

        def work() -> None:
            try:
                response = super(BoundedSession, self).request(*args, **{**kwargs, "stream": True})
                _read_body(response, given_up)
                outcome["response"] = response
            except (requests.RequestException, OSError, ValueError) as error:
                outcome["error"] = error

        worker = threading.Thread(target=work, daemon=True, name="bounded-request")
        worker.start()
        worker.join(self.total_seconds)
        if worker.is_alive():
            given_up.set()
            raise requests.exceptions.ReadTimeout(f"no whole answer in {self.total_seconds:g} s")
        if "error" in outcome:
            raise outcome["error"]
        return outcome["response"]


def _read_body(response: requests.Response, given_up: threading.Event) -> None:
    body = bytearray()
    for chunk in response.iter_content(_CHUNK):
        body += chunk
        if given_up.is_set() or len(body) > MAXIMUM_BODY_BYTES:
            response.close()
            raise requests.exceptions.ContentDecodingError("body too large or too late")
    # What Response.content itself leaves behind after reading a streamed body.
    response._content = bytes(body)
    response._content_consumed = True  # type: ignore[attr-defined]
