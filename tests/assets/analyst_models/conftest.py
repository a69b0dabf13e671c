"""Made-up events whose truth is known, for the tests of the analyst's models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from ares_assets.analyst.dataset import Examples, MarketExamples
from ares_assets.analyst.experts.base import REGIME_COLUMNS


@dataclass
class MadeEvents:
    """Events with their features; `probability` is the truth that drew the labels.

    The features end with the regimes' probabilities, which say nothing here.
    """

    features: pd.DataFrame
    labels: np.ndarray
    weights: np.ndarray
    rows: np.ndarray
    t1_rows: np.ndarray
    probability: np.ndarray

    def known(self, member: np.ndarray | None = None) -> MarketExamples:
        """As what experts learn from; all events are the partition's own unless told."""
        everything = Examples(
            self.features, self.labels, self.weights, self.rows, self.t1_rows, self.rows * 60_000
        )
        own = np.ones(len(self.labels), bool) if member is None else member
        return MarketExamples(everything, own)


def _make(
    count: int = 1200, width: int = 6, strength: float = 0.6, span: int = 5, seed: int = 1
) -> MadeEvents:
    generator = np.random.default_rng(seed)
    matrix = generator.normal(size=(count, width))
    probability = 1 / (1 + np.exp(-strength * matrix[:, 0]))
    labels = (generator.random(count) < probability).astype(np.float64)
    # Ten bars apart, in fragments: after every hundred events the regime is away for a while.
    rows = np.arange(count) * 10 + (np.arange(count) // 100) * 500
    t1_rows = rows + generator.integers(1, span * 10, count)
    features = pd.DataFrame(matrix, columns=[f"feature_{i}" for i in range(width)])
    features[list(REGIME_COLUMNS)] = np.random.default_rng([seed, 1]).dirichlet((2, 1, 2), count)
    weights = generator.uniform(0.5, 1.5, count)
    return MadeEvents(features, labels, weights, rows, t1_rows, probability)


@pytest.fixture(scope="session")
def make_events() -> Callable[..., MadeEvents]:
    """A factory of events: count, width, strength, span, seed."""
    return _make
