"""One regime's analyst as it is released: weighted members behind one probability.

Belongs here: what step 7 produces and steps 8-16 use, with its files.
Does not belong here: training, and choosing the weights (``ensemble.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ares_assets.analyst.ensemble import combine
from ares_assets.analyst.experts.base import load_expert

if TYPE_CHECKING:
    from ares_assets.analyst.experts.base import FittedExpert


@dataclass(frozen=True)
class AnalystModel:
    """Members by name and their weights, which sum to 1."""

    members: Mapping[str, FittedExpert]
    weights: Mapping[str, float]

    def probability(self, features: pd.DataFrame) -> np.ndarray:
        """P(up), float64 (n,), before calibration; NaN-free for any row with features."""
        votes = {name: m.probability(features) for name, m in sorted(self.members.items())}
        return combine(votes, self.weights)

    def feature_names(self) -> list[str]:
        """Every feature that some member reads, sorted."""
        return sorted({name for member in self.members.values() for name in member.features})

    def to_files(self) -> dict[str, Any]:
        """Native files of every member, prefixed by its name, and ``analyst.json``."""
        files: dict[str, Any] = {}
        for name, member in sorted(self.members.items()):
            files |= {f"analyst-{name}-{file}": data for file, data in member.to_files().items()}
        files["analyst.json"] = {
            "members": {name: member.kind for name, member in sorted(self.members.items())},
            "weights": dict(sorted(self.weights.items())),
        }
        return files

    @classmethod
    def from_files(cls, files: Mapping[str, Any]) -> AnalystModel:
        """The inverse of :meth:`to_files`."""
        described = files["analyst.json"]
        members = {
            name: load_expert(kind, _below(files, f"analyst-{name}-"))
            for name, kind in described["members"].items()
        }
        return cls(members, described["weights"])


def _below(files: Mapping[str, Any], prefix: str) -> dict[str, bytes]:
    return {name[len(prefix) :]: data for name, data in files.items() if name.startswith(prefix)}
