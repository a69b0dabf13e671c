"""The boundary decorator: known exceptions become typed, unknown ones pass."""

from __future__ import annotations

import asyncio
import errno
import sqlite3

import pytest

from ares_resources.errors import (
    AresError,
    BadInput,
    StorageFull,
    full_disk_told,
    handle_specific_errors,
)

guard = handle_specific_errors({KeyError: (BadInput, "missing key")}, context="reading")


@guard
def fails(error: BaseException) -> None:
    raise error


@guard
async def fails_later(error: BaseException) -> None:
    raise error


def test_a_known_exception_becomes_typed_and_keeps_its_cause() -> None:
    with pytest.raises(BadInput, match="reading: missing key") as refused:
        fails(KeyError("x"))
    assert isinstance(refused.value.__cause__, KeyError)


def test_async_functions_are_guarded_too() -> None:
    with pytest.raises(BadInput, match="missing key"):
        asyncio.run(fails_later(KeyError("x")))


@pytest.mark.parametrize("error", [ZeroDivisionError("z"), AresError("known already")])
def test_others_pass_untouched(error: Exception) -> None:
    with pytest.raises(type(error)) as passed:
        fails(error)
    assert passed.value is error


def from_full(error: Exception) -> BadInput:
    wrapped = BadInput("the home cannot be written")
    wrapped.__cause__ = error
    return wrapped


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "Error writing bytes to file"),
        OSError(errno.EDQUOT, "over"),
        OSError("6400 requested and 512 written"),
        sqlite3.OperationalError("database or disk is full"),
        from_full(OSError(errno.ENOSPC, "No space left on device")),
    ],
)
def test_whatever_a_full_disk_makes_fail_ends_in_the_same_words(error: Exception) -> None:
    with pytest.raises(StorageFull, match="no room") as refused, full_disk_told(lambda: "no room"):
        raise error
    assert refused.value.__cause__ is error


@pytest.mark.parametrize("error", [OSError(errno.EACCES, "denied"), StorageFull("told already")])
def test_other_errors_are_not_called_a_full_disk(error: Exception) -> None:
    with pytest.raises(type(error)) as passed, full_disk_told(lambda: "no room"):
        raise error
    assert passed.value is error
