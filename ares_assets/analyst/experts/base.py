"""What an expert is: the protocol, the registry by kind, and nothing of any one learner.

Belongs here: the two protocols, `get_expert` and `load_expert`.  Does not belong here: the
learners (one module each), checks of training data (`training_data`), folds and scores.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, get_args, runtime_checkable

import numpy as np
import pandas as pd

from ares_assets.market.regimes.base import PROBABILITY_COLUMNS
from ares_resources.errors import BadInput
from ares_resources.settings import ExpertKind

if TYPE_CHECKING:
    import optuna

Parameters: TypeAlias = dict[str, float | int]

Scope: TypeAlias = Literal["regime", "market"]

# A further expert is a module here and its name in ``ExpertKind``.
EXPERT_KINDS: tuple[str, ...] = get_args(ExpertKind)
REGIME_COLUMNS = PROBABILITY_COLUMNS


@runtime_checkable
class FittedExpert(Protocol):
    """A trained model of P(y = 1); it holds no training data and no wall-clock time."""

    @property
    def kind(self) -> str:
        """The key under which `load_expert` finds its loader."""

    @property
    def features(self) -> tuple[str, ...]:
        """Column names, in the order in which the model was trained."""

    def probability(self, features: pd.DataFrame) -> np.ndarray:
        """P(y = 1), float64 (n,), strictly inside (0, 1); columns are taken by name.

        Raises
        ------
        BadInput
            A column is missing, or a value is infinite.  NaN is allowed.
        """

    def to_files(self) -> dict[str, bytes]:
        """The model in native formats (never pickle), the same bytes for the same fit."""


@runtime_checkable
class Expert(Protocol):
    """A way of training; it has no state."""

    @property
    def kind(self) -> str:
        """One of `EXPERT_KINDS`."""

    @property
    def scope(self) -> Scope:
        """What it trains on: its regime's events, or those of all regimes ("market").

        One that trains on all reads the columns `REGIME_COLUMNS` to tell them apart.
        """

    def default_parameters(self) -> Parameters:
        """Strongly regularised defaults for 500-30,000 rows of low signal."""

    def suggest(self, trial: optuna.trial.BaseTrial) -> Parameters:
        """One point of the search space; parameter names are prefixed by the kind."""

    def fit(
        self,
        features: pd.DataFrame,
        labels: np.ndarray,
        weights: np.ndarray,
        *,
        parameters: Mapping[str, float | int],
        seed: int,
        threads: int,
    ) -> FittedExpert:
        """Train on (n, k) features, labels in {0, 1} (n,) and weights >= 0 (n,).

        Weights are the events' average uniqueness: their sum is the number of independent ones.

        Raises
        ------
        BadInput
            Shapes disagree, a label is not 0 or 1, a weight is negative, a value is
            infinite, or a parameter is unknown.
        PartitionSkipped
            One class only, too few rows, or no usable feature.
        """


def get_expert(kind: str) -> Expert:
    """The expert of this kind.

    Raises
    ------
    BadInput
        The kind is none of `EXPERT_KINDS`.
    """
    return importlib.import_module(_module(kind)).EXPERT


def load_expert(kind: str, files: Mapping[str, bytes]) -> FittedExpert:
    """Rebuild a fitted expert from what its `to_files` gave.

    The bytes are trusted to be those that were recorded: verify their hashes first, since a
    mutated native model can crash the process.

    Raises
    ------
    BadInput
        The kind is unknown.
    CorruptArtifact
        A file is missing or does not describe a model of this kind.
    """
    return importlib.import_module(_module(kind)).load(files)


def _module(kind: str) -> str:
    if kind not in EXPERT_KINDS:
        raise BadInput(f"expert kind {kind!r}; allowed: {', '.join(EXPERT_KINDS)}")
    return f"{__package__}.{kind}"
