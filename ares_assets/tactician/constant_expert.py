"""A tactician that always says the same: what remains when labels have one class only.

Belongs here: the constant model and the loader that knows it.  Does not belong here: any
learner (``ares_assets.analyst.experts``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ares_resources.errors import CorruptArtifact

if TYPE_CHECKING:
    from ares_assets.analyst.experts.base import FittedExpert

KIND = "constant"
FILE = "constant.json"


@dataclass(frozen=True)
class ConstantExpert:
    """P(y = 1) equal to a base rate, whatever the features."""

    base_rate: float
    kind: str = KIND
    features: tuple[str, ...] = ()

    def probability(self, features: pd.DataFrame) -> np.ndarray:
        """The base rate, float64 (n,)."""
        return np.full(len(features), self.base_rate)

    def to_files(self) -> dict[str, bytes]:
        """One JSON file."""
        return {FILE: json.dumps({"base_rate": self.base_rate}).encode()}


def constant_expert(labels: np.ndarray) -> ConstantExpert:
    """The base rate of (n,) labels, kept off 0 and 1 by what n labels cannot rule out."""
    y = np.asarray(labels, dtype=np.float64)
    margin = 1.0 / (y.size + 2.0)
    rate = float(y.mean()) if y.size else 0.5
    return ConstantExpert(float(np.clip(rate, margin, 1.0 - margin)))


def load_tactician_expert(kind: str, files: Mapping[str, bytes]) -> FittedExpert:
    """Rebuild any expert that a tactician may hold; their bytes are verified by the caller.

    Raises
    ------
    CorruptArtifact
        The file is missing or holds no base rate in (0, 1).
    """
    if kind != KIND:
        from ares_assets.analyst.experts.base import load_expert

        return load_expert(kind, files)
    try:
        rate = float(json.loads(files[FILE])["base_rate"])
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptArtifact(f"{FILE} holds no base rate: {error}") from error
    if not 0.0 < rate < 1.0:
        raise CorruptArtifact(f"{FILE}: base rate {rate!r} is not inside (0, 1)")
    return ConstantExpert(rate)
