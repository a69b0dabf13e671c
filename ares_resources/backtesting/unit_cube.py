"""Parameters of a search as coordinates in [0, 1], and back.

Belongs here: where a value of a range, grid or choice lies.  Does not belong here: which values
are proposed (``sampler``).  It names Optuna's classes, so import it inside functions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna.distributions import (  # noqa: TID253 - see above: imported lazily
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from ares_resources.errors import BadInput


class UnitCube:
    """The parameters of a search, one coordinate each, in the order of their mapping."""

    def __init__(self, search_space: Mapping[str, BaseDistribution]) -> None:
        self._space = dict(search_space)
        self.options = np.array([_options(one) for one in search_space.values()])
        self._cells = np.array([_grid(one) for one in search_space.values()])

    def __len__(self) -> int:
        return len(self._space)

    def place(self, parameters: Mapping[str, Any]) -> list[float]:
        """Coordinates of one trial's parameters."""
        return [to_unit(one, parameters[name]) for name, one in self._space.items()]

    def parameters(self, place: np.ndarray) -> dict[str, Any]:
        """The parameters at these coordinates."""
        pairs = zip(self._space.items(), place, strict=True)
        return {name: from_unit(one, float(unit)) for (name, one), unit in pairs}

    def snapped(self, places: np.ndarray) -> np.ndarray:
        """``(n, parameters)`` moved to the middle of their cells where there is a grid."""
        cells = np.maximum(self._cells, 1)
        middle = (np.minimum(np.floor(places * cells), cells - 1) + 0.5) / cells
        return np.where(self._cells > 0, middle, places)

    @property
    def number_columns(self) -> np.ndarray:
        """Where the coordinates of numbers, in their order, stand among the encoded columns."""
        ends = np.cumsum(np.maximum(self.options, 1))
        return (ends - 1)[self.options == 0]

    def encoded(self, places: np.ndarray) -> np.ndarray:
        """``(n, columns)`` in which two different options of a choice are one apart."""
        columns = []
        for column, options in enumerate(self.options):
            value = places[:, column]
            if options == 0:
                columns.append(value[:, None])
                continue
            chosen = np.minimum((value * options).astype(np.int64), options - 1)
            columns.append(np.eye(options)[chosen] * math.sqrt(0.5))
        return np.concatenate(columns, axis=1)


def to_unit(distribution: BaseDistribution, value: Any) -> float:
    """A parameter's place in [0, 1]; grid values lie at the middle of their cells."""
    inner = distribution.to_internal_repr(value)
    cells = _grid(distribution)
    if cells:
        low, step = getattr(distribution, "low", 0), getattr(distribution, "step", 1)
        return (round((inner - low) / step) + 0.5) / cells
    low, high = _bounds(distribution)
    place = math.log(inner) if distribution.log else inner  # type: ignore[attr-defined]
    return (place - low) / (high - low) if high > low else 0.5


def from_unit(distribution: BaseDistribution, unit: float) -> Any:
    """The value at a place in [0, 1]."""
    cells = _grid(distribution)
    if cells:
        low, step = getattr(distribution, "low", 0), getattr(distribution, "step", 1)
        return distribution.to_external_repr(low + step * min(cells - 1, int(unit * cells)))
    low, high = _bounds(distribution)
    place = low + float(unit) * (high - low)
    value = math.exp(place) if distribution.log else place  # type: ignore[attr-defined]
    if isinstance(distribution, IntDistribution):
        value = round(value)
    return min(max(value, distribution.low), distribution.high)  # type: ignore[attr-defined]


def _options(distribution: BaseDistribution) -> int:
    """Number of choices; 0 for numbers."""
    if isinstance(distribution, CategoricalDistribution):
        return len(distribution.choices)
    return 0


def _grid(distribution: BaseDistribution) -> int:
    """Number of values on a linear grid; 0 for a continuum or a logarithmic scale."""
    if isinstance(distribution, CategoricalDistribution):
        return len(distribution.choices)
    if not isinstance(distribution, FloatDistribution | IntDistribution):
        raise BadInput(f"distribution {distribution!r} is not one that AdaptiveSampler knows")
    if distribution.log or distribution.step is None:
        return 0
    return round((distribution.high - distribution.low) / distribution.step) + 1


def _bounds(distribution: BaseDistribution) -> tuple[float, float]:
    """Ends of the axis on which a number is spread; whole numbers get cells of width one."""
    if not isinstance(distribution, FloatDistribution | IntDistribution):
        raise BadInput(f"distribution {distribution!r} has no bounds")
    low, high = float(distribution.low), float(distribution.high)
    if isinstance(distribution, IntDistribution):
        low, high = low - 0.5, high + 0.5
    return (math.log(low), math.log(high)) if distribution.log else (low, high)
