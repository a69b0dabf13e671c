"""What looking again and again at a fixed test costs: its true error.

Belongs here: the error of a test that was made for one look.  Does not belong here: tests that
may be looked at (``sequential.py``).
"""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist

import numpy as np

from ares_resources.errors import BadInput

_LONGEST = 1_000
_NODES_A_DEVIATION = 6


def fixed_test_peeking_error(looks: int, level: float = 0.05) -> float:
    """Chance that a two-sided z-test of level ``level`` rejects a true null at some look.

    Parameters
    ----------
    looks
        Looks after equal parts of the data, 1 to 1,000.
    level
        Level of the test at each look, between 0 and 1; 0.05 looks past 1.96 deviations.

    Returns
    -------
    0.05 for one look, 0.374 for a hundred: the chance that the sum of k standard normals is,
    for some k up to ``looks``, further than z sqrt(k) from 0.

    Raises
    ------
    BadInput
        Looks or level out of range.

    Armitage, McPherson & Rowe (1969), Repeated significance tests on accumulating data, JRSS A
    132(2): the density of the sum among those not yet stopped, carried on from look to look by
    numerical integration (Gauss-Legendre here).
    """
    if not 1 <= looks <= _LONGEST:
        raise BadInput(f"looks = {looks}; allowed: 1 to {_LONGEST}")
    if not 0.0 < level < 1.0:
        raise BadInput(f"level = {level}; allowed: between 0 and 1")
    limit = NormalDist().inv_cdf(1.0 - level / 2.0)
    nodes, weights = _inside(limit, 1)
    density = _normal(nodes)
    for look in range(2, looks + 1):
        reached, next_weights = _inside(limit, look)
        density = _normal(reached[:, None] - nodes) @ (weights * density)
        nodes, weights = reached, next_weights
    return float(1.0 - weights @ density)


def _inside(limit: float, look: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of an integral over the sums that do not stop at this look."""
    width = limit * np.sqrt(look)
    nodes, weights = _legendre(32 * (1 + int(_NODES_A_DEVIATION * width) // 32))
    return nodes * width, weights * width


@lru_cache(maxsize=64)
def _legendre(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(nodes)


def _normal(values: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * values**2) / np.sqrt(2.0 * np.pi)
