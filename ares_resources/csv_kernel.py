"""Compiled parsing of plain decimal CSV.  Oracle: pyarrow's parser, which also takes every
block in which this one meets anything else than digits, signs, points and delimiters."""

from __future__ import annotations

import numpy as np
from numba import njit

SKIP, WHOLE, DECIMAL = 0, 1, 2
MOST_DIGITS = 18
EXACT = 2**53
POWERS_OF_TEN = 10.0 ** np.arange(MOST_DIGITS + 1)


@njit(cache=True, nogil=True)
def parse_decimals(
    text: np.ndarray,
    delimiter: int,
    kinds: np.ndarray,
    places: np.ndarray,
    whole: np.ndarray,
    decimal: np.ndarray,
    powers: np.ndarray,
) -> int:
    """Fill the wanted columns from ``text``; the number of rows, or -1 if it is not plain.

    An integer below 2**53 over a power of ten up to 10**22 is divided once, so the result is
    the double nearest to the decimal (Clinger 1990); what has more digits is not plain.

    Parameters
    ----------
    text
        Bytes (n,), ending with a line end.
    kinds
        One of SKIP, WHOLE, DECIMAL for each column of a line.
    places
        For each column its row in ``whole`` (int64) or ``decimal`` (float64), which have a
        column for every line that may come.
    powers
        :data:`POWERS_OF_TEN`.
    """
    size, columns, row, i = text.size, kinds.size, 0, 0
    while i < size:
        for column in range(columns):
            kind = kinds[column]
            if kind == SKIP:
                while text[i] != delimiter and text[i] != 10:
                    if text[i] == 34 or text[i] == 13:
                        if text[i] == 34 or text[i + 1] != 10:
                            return -1
                        break
                    i += 1
            else:
                negative = text[i] == 45
                if negative:
                    i += 1
                value, digits, point = np.int64(0), 0, -1
                while True:
                    digit = np.uint8(text[i] - 48)
                    if digit < 10:
                        value = value * 10 + digit
                        digits += 1
                    elif text[i] == 46 and point < 0:
                        point = digits
                    else:
                        break
                    i += 1
                if digits == 0 or digits > MOST_DIGITS or point == 0 or point == digits:
                    return -1
                if kind == WHOLE:
                    if point >= 0:
                        return -1
                    whole[places[column], row] = -value if negative else value
                else:
                    while value >= EXACT and digits > point >= 0 and value % 10 == 0:
                        value //= 10
                        digits -= 1
                    if value >= EXACT:
                        return -1
                    number = value / powers[digits - point if point >= 0 else 0]
                    decimal[places[column], row] = -number if negative else number
            if column < columns - 1:
                if text[i] != delimiter:
                    return -1
            else:
                if text[i] == 13:
                    i += 1
                if text[i] != 10:
                    return -1
            i += 1
        row += 1
    return row
