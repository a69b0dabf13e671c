"""What a failure of ccxt means: wait and try again, give up, or the caller's mistake.

Belongs here: the one mapping of ccxt's exceptions and HTTP statuses, and clean messages.
Does not belong here: the content of good answers (:mod:`ares_resources.exchanges.pages`).

ccxt's classes alone do not tell: 429 and 418 are both DDoSProtection, 451 looks retryable,
and a documented 5xx code may come as a plain ExchangeError.  So the status decides first.
"""

from __future__ import annotations

import re

from ares_resources.errors import AresError, BadInput, ExchangeUnavailable
from ares_resources.exchanges.ccxt_client import LastAnswer
from ares_resources.exchanges.retries import TransientFailure

BANNED, TOO_MANY = 418, 429
_RETRIED_REFUSALS = (408, 425, 429)
_LONGEST_MESSAGE = 200

# What ccxt's own parsing raises on a body of another shape than it expects.
SHAPE_ERRORS = (KeyError, IndexError, TypeError, ValueError, AttributeError, ArithmeticError)


def translate(error: Exception, answer: LastAnswer, what: str) -> AresError | TransientFailure:
    """The exception to raise instead of one that came out of ccxt."""
    import ccxt

    status, told = answer.status, f"{type(error).__name__}: {clean(error)}"
    if not isinstance(error, ccxt.BaseError):
        return TransientFailure(f"an answer of unexpected shape ({type(error).__name__})")
    if status == BANNED:
        return ExchangeUnavailable(f"{what}: banned by the exchange (HTTP 418), stopping: {told}")
    if status == 451 or "restricted location" in told:
        return ExchangeUnavailable(f"{what}: not served from this location (HTTP 451)")
    if isinstance(error, ccxt.BadSymbol):
        return BadInput(f"{what}: the exchange does not know this symbol: {told}")
    if status is None and isinstance(error, (ccxt.BadRequest, ccxt.NotSupported)):
        return BadInput(f"{what}: the client cannot ask for this: {told}")
    if status is not None and 400 <= status < 500 and status not in _RETRIED_REFUSALS:
        return ExchangeUnavailable(f"{what}: refused (HTTP {status}): {told}")
    if _passes(error, status):
        return TransientFailure(told, answer.retry_after())
    return ExchangeUnavailable(f"{what}: {told}")


def clean(error: BaseException) -> str:
    """One short line without query strings, in which keys and signatures travel."""
    text = re.sub(r"\?[^\s\"'<>]*", "", str(error))
    text = " ".join(text.split()) or type(error).__name__
    return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 3] + "..."


def _passes(error: Exception, status: int | None) -> bool:
    import ccxt

    if isinstance(error, ccxt.OperationFailed):
        return True
    answered = status is not None and (status < 400 or status >= 500 or status == 429)
    return answered and not isinstance(error, (ccxt.NotSupported, ccxt.AuthenticationError))
