"""The level of one test among many against the same rival.

Belongs here: how an error is shared out among attempts.  Does not belong here: the tests
(``sequential.py``) and counting the attempts (``ares_resources/storage/attempts.py``).
"""

from __future__ import annotations

import math

from ares_resources.errors import BadInput


def level_of_attempt(level: float, attempt: int) -> float:
    """Level of the ``attempt``-th test (from 1) of a row that may go on for ever.

    The shares 6 / (pi k)^2 add up to 1 over all k, since the sum of 1 / k^2 is pi^2 / 6; so by
    Boole's inequality ``level`` bounds the chance of ever erring in any attempt, however many
    there are and however their data overlap.  The first has .61 of it, the tenth .006.

    Source: alpha-spending, as in Tian & Ramdas (2021), Online control of the familywise error
    rate, Statistical Methods in Medical Research 30(4); the series is Euler's.
    """
    if attempt < 1:
        raise BadInput(f"attempt = {attempt}; needed: 1 or more")
    return level * 6.0 / (math.pi * attempt) ** 2
