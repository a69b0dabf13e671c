"""The boundary decorator: known exceptions become typed, unknown ones pass."""

from __future__ import annotations

import asyncio

import pytest

from ares_resources.errors import AresError, BadInput, handle_specific_errors

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
