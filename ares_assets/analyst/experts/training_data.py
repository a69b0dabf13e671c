"""What reaches a learner: checked arrays, and the columns of a frame taken by name.

Belongs here: checks that all experts share.  Does not belong here: imputing and scaling,
which are part of a model and are fitted with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ares_resources.errors import BadInput, PartitionSkipped

MINIMUM_ROWS = 30
MINIMUM_ROWS_PER_CLASS = 5
PROBABILITY_FLOOR = 1e-6
# Below this, OpenMP's waiting costs more than its threads gain (1 s became 17 s on a busy machine).
ROWS_WORTH_THREADS = 50_000


@dataclass(frozen=True)
class TrainingData:
    """Checked input of a fit; rows of weight zero are gone and weights have mean one.

    Weights are rescaled so that the strength of regularisation does not depend on the unit
    in which they come; ``effective_rows`` is their sum before, the number of independent events
    where they are average uniqueness.
    """

    features: tuple[str, ...]
    matrix: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    usable: np.ndarray
    effective_rows: float

    @property
    def evidence(self) -> np.ndarray:
        """Weights that sum to the number of independent events, (n,): what a prior is held
        against.  Counting overlapping events one by one would believe them six times over."""
        return self.weights * (self.effective_rows / len(self.labels))


def training_data(features: pd.DataFrame, labels: np.ndarray, weights: np.ndarray) -> TrainingData:
    """Check and convert: matrix float64 (n, k), labels and weights float64 (n,).

    `usable` (k,) marks the features that hold at least two different finite values.

    Raises
    ------
    BadInput
        Lengths disagree, a column name repeats, a value is infinite, a label is not 0 or 1,
        a weight is negative or not finite.
    PartitionSkipped
        Too few rows, one class only, or no usable feature.
    """
    names = tuple(str(name) for name in features.columns)
    matrix = feature_matrix(features, names)
    labels = np.asarray(labels, dtype=np.float64)
    weights = np.asarray(weights, dtype=np.float64)
    _check_vectors(len(matrix), labels, weights)
    kept = weights > 0
    matrix, labels, weights = matrix[kept], labels[kept], weights[kept]
    _check_enough(labels)
    usable = _varies(matrix)
    if not usable.any():
        raise PartitionSkipped(f"no usable feature: all {len(names)} are constant or missing")
    total = float(weights.sum())
    return TrainingData(names, matrix, labels, weights / weights.mean(), usable, total)


def feature_matrix(features: pd.DataFrame, names: tuple[str, ...]) -> np.ndarray:
    """The named columns in this order, C-contiguous float64 (n, k); NaN stays.

    Raises
    ------
    BadInput
        A column is missing, repeated or not numeric, or a value is infinite.
    """
    present = [str(column) for column in features.columns]
    missing = [name for name in names if name not in set(present)]
    if missing:
        raise BadInput(f"feature column {missing[0]!r} is missing ({len(missing)} in all)")
    repeated = [name for name in names if present.count(name) > 1]
    if repeated:
        raise BadInput(f"feature column {repeated[0]!r} appears more than once")
    try:
        selected = features.loc[:, list(names)].to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadInput(f"feature columns must be numeric: {error}") from error
    infinite = np.argwhere(np.isinf(selected))
    if len(infinite):
        row, column = infinite[0]
        value = selected[row, column]
        raise BadInput(f"feature {names[column]!r}, row {row}: {value}; allowed: finite or NaN")
    return np.ascontiguousarray(selected)


def useful_threads(rows: int, threads: int) -> int:
    """Threads for a fit on so many rows; a function of its arguments, not of the machine."""
    return threads if rows >= ROWS_WORTH_THREADS else 1


def inside_unit_interval(probability: np.ndarray) -> np.ndarray:
    """Clip to [1e-6, 1 - 1e-6], so that every later log and logit is finite."""
    return np.clip(probability, PROBABILITY_FLOOR, 1.0 - PROBABILITY_FLOOR)


def _check_vectors(rows: int, labels: np.ndarray, weights: np.ndarray) -> None:
    for name, values in (("labels", labels), ("weights", weights)):
        if values.shape != (rows,):
            raise BadInput(f"{name} of shape {values.shape}; allowed: ({rows},), as the features")
    wrong = np.flatnonzero((labels != 0) & (labels != 1))
    if len(wrong):
        raise BadInput(f"label at row {wrong[0]}: {labels[wrong[0]]}; allowed: 0 or 1")
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        raise BadInput(f"weight at row {wrong[0]}: {weights[wrong[0]]}; allowed: finite, >= 0")


def _check_enough(labels: np.ndarray) -> None:
    if len(labels) < MINIMUM_ROWS:
        raise PartitionSkipped(f"{len(labels)} training rows; at least {MINIMUM_ROWS} are needed")
    ones = int(labels.sum())
    if min(ones, len(labels) - ones) < MINIMUM_ROWS_PER_CLASS:
        raise PartitionSkipped(
            f"{ones} of {len(labels)} training labels are 1; at least "
            f"{MINIMUM_ROWS_PER_CLASS} of each class are needed"
        )


def _varies(matrix: np.ndarray) -> np.ndarray:
    finite = np.isfinite(matrix)
    lowest = np.where(finite, matrix, np.inf).min(axis=0)
    highest = np.where(finite, matrix, -np.inf).max(axis=0)
    return highest > lowest
