"""Checks of plain options of the toolkit, so that each refuses nonsense in one line.

Belongs here: whole numbers and numbers.  Does not belong here: checks of market data, of
settings (``settings``) and of strategies (``strategy``).
"""

from __future__ import annotations

import numbers
from typing import Any

from ares_resources.errors import BadInput

MOST = 2**53
"""Up to here every whole number is exact as float64 as well."""

_SHOWN = 40


def whole_number(name: str, value: Any, *, least: int) -> int:
    """The value as an int.

    Raises
    ------
    BadInput
        If it is not an integer (a bool, a float and a text are not) from ``least`` to ``MOST``.
    """
    integral = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not integral or not least <= value <= MOST:
        shown = repr(value) if not integral or abs(value) <= 10**_SHOWN else "of over 40 digits"
        raise BadInput(f"{name} {shown} must be a whole number of at least {least} (most: 2**53)")
    return int(value)


def is_number(value: Any) -> bool:
    """Whether it is a real number, not a bool."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
