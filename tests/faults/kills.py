"""Real deaths: a forked child that is killed at one of its operations, without any clean-up.

Belongs here: counting operations and dying.  Does not belong here: what the child does.
"""

from __future__ import annotations

import json
import os
import pathlib
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from faults.transport import Transport

_CRASHED = 70


@dataclass(frozen=True)
class Death:
    """How a child ended: ``killed`` with its last words, or with what it returned."""

    killed: bool
    returned: Any


def die_at(operation: int, action: Callable[[], Any], last_words: Callable[[], Any]) -> Death:
    """Run ``action`` in a child that is killed at its n-th request, write, fsync or rename.

    What ``last_words`` returns just before is handed to the parent through the pipe, so that
    nothing that the child noticed is lost with it.

    Raises
    ------
    AssertionError
        If the child ended in any other way than death or a value.
    """
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        _live(operation, action, last_words, write_end)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL, f"signal {os.WTERMSIG(status)}"
        return Death(True, json.loads(told))
    assert os.WEXITSTATUS(status) == 0, told.decode(errors="replace")
    return Death(False, json.loads(told))


def _live(
    operation: int, action: Callable[[], Any], last_words: Callable[[], Any], write_end: int
) -> None:
    def die() -> None:
        os.write(write_end, json.dumps(last_words()).encode())
        os.kill(os.getpid(), signal.SIGKILL)

    code = _CRASHED
    try:
        _arm(operation, die)
        told = json.dumps(action()).encode()
        code = 0
    except BaseException:  # noqa: BLE001 - the parent shows it
        told = traceback.format_exc().encode()
    finally:
        os.write(write_end, told)
        os._exit(code)


def _arm(operation: int, die: Callable[[], None]) -> None:
    left = [operation]

    def count() -> bool:
        left[0] -= 1
        return left[0] < 0

    def fatal(original: Callable[..., Any], *, after: bool = False) -> Callable[..., Any]:
        def operate(*args: Any, **options: Any) -> Any:
            dies = count()
            if dies and not after:
                die()
            result = original(*args, **options)
            if dies:
                die()
            return result

        return operate

    written = pathlib.Path.write_bytes

    def write_half(path: pathlib.Path, data: bytes) -> int:
        if count():
            written(path, bytes(data)[: len(data) // 2])
            die()
        return written(path, data)

    pathlib.Path.write_bytes = write_half  # type: ignore[method-assign]
    os.fsync = fatal(os.fsync)
    os.replace = fatal(os.replace, after=operation % 2 == 0)
    os.rename = fatal(os.rename)
    Transport.send = fatal(Transport.send, after=operation % 2 == 0)  # type: ignore[method-assign]
