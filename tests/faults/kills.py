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
    """How a child ended: ``killed``, or what it returned."""

    killed: bool
    returned: Any


def die_at(operation: int, action: Callable[[], Any]) -> Death:
    """Run ``action`` in a child that is killed at its n-th request, write, fsync or rename.

    Raises
    ------
    AssertionError
        If the child ended in any other way than death or a value.
    """
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        _live(operation, action, write_end)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL, f"signal {os.WTERMSIG(status)}"
        return Death(True, None)
    assert os.WEXITSTATUS(status) == 0, told.decode(errors="replace")
    return Death(False, json.loads(told))


def _live(operation: int, action: Callable[[], Any], write_end: int) -> None:
    code = _CRASHED
    try:
        _arm(operation)
        told = json.dumps(action()).encode()
        code = 0
    except BaseException:  # noqa: BLE001 - the parent shows it
        told = traceback.format_exc().encode()
    finally:
        os.write(write_end, told)
        os._exit(code)


def _arm(operation: int) -> None:
    left = [operation]

    def count() -> bool:
        left[0] -= 1
        return left[0] < 0

    def fatal(original: Callable[..., Any], *, after: bool = False) -> Callable[..., Any]:
        def operate(*args: Any, **options: Any) -> Any:
            dies = count()
            if dies and not after:
                _die()
            result = original(*args, **options)
            if dies:
                _die()
            return result

        return operate

    written = pathlib.Path.write_bytes

    def write_half(path: pathlib.Path, data: bytes) -> int:
        if count():
            written(path, bytes(data)[: len(data) // 2])
            _die()
        return written(path, data)

    pathlib.Path.write_bytes = write_half  # type: ignore[method-assign]
    os.fsync = fatal(os.fsync)
    os.replace = fatal(os.replace, after=operation % 2 == 0)
    os.rename = fatal(os.rename)
    Transport.send = fatal(Transport.send, after=operation % 2 == 0)  # type: ignore[method-assign]


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
