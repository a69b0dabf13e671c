"""The numbers of the regime-switching GARCH.

Belongs here: the law and the order of its states.  Does not belong here: how it is found
(``switching_fit``), the loops over bars (``switching_kernel``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SwitchingLaw:
    """The law's numbers, in units of the standardised return and the standardised rate.

    ``level`` (3,) variance each state's recursion leans to; ``persistence``, ``shock``;
    ``jump_probability``, ``jump_ratio``; ``leave`` (3,) chance a bar to leave; ``first_exit``
    (3,) share of the exits that go to the first of the two other states; ``funding_mean`` (3,),
    ``funding_deviation``; ``power`` to which a bar's evidence counts.  ``converged`` and
    ``iterations`` tell how the search that found them ended.
    """

    level: Array
    persistence: float
    shock: float
    jump_probability: float
    jump_ratio: float
    leave: Array
    first_exit: Array
    funding_mean: Array
    funding_deviation: float
    power: float
    converged: bool = False
    iterations: int = 0

    @property
    def dynamics(self) -> Array:
        return np.array([self.persistence, self.shock])

    @property
    def jumps(self) -> Array:
        return np.array([self.jump_probability, self.jump_ratio])

    @property
    def transition(self) -> Array:
        """Chance to go from row to column a bar, (3, 3)."""
        matrix = np.diag(1.0 - self.leave)
        for state, (first, second) in enumerate(other_states()):
            matrix[state, first] = self.leave[state] * self.first_exit[state]
            matrix[state, second] = self.leave[state] * (1.0 - self.first_exit[state])
        return matrix


def other_states() -> tuple[tuple[int, int], ...]:
    """The two states besides each, in order."""
    return ((1, 2), (0, 2), (0, 1))


def reordered(law: SwitchingLaw, order: NDArray[np.int64]) -> SwitchingLaw:
    """The same law with state ``order[i]`` at place i."""
    moves = law.transition[np.ix_(order, order)]
    leave = law.leave[order]
    first = np.array([moves[state, pair[0]] for state, pair in enumerate(other_states())]) / leave
    return replace(
        law,
        level=law.level[order],
        leave=leave,
        first_exit=first,
        funding_mean=law.funding_mean[order],
    )
