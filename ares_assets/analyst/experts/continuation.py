"""What must hold before trees may be added to a model.

Belongs here: checks that all continuable experts share.  Does not belong here: adding the
trees (each learner's module), and whether a refit should continue (`IncrementalTrainer`).
"""

from __future__ import annotations

from ares_assets.analyst.experts.training_data import TrainingData
from ares_resources.errors import BadInput


def check_continuation(features: tuple[str, ...], data: TrainingData, trees: int) -> None:
    """Check the data and the number of trees against the features of the model so far.

    Raises
    ------
    BadInput
        Names or order of the features differ, or `trees` is not a whole number above 0.
    """
    if not isinstance(trees, int) or isinstance(trees, bool) or trees < 1:
        raise BadInput(f"a continuation of {trees!r} trees; allowed: whole, at least 1")
    if features == data.features:
        return
    if sorted(features) == sorted(data.features):
        raise BadInput("the features are those of the model to continue, but in another order")
    apart = sorted(set(features) ^ set(data.features))
    raise BadInput(
        f"the features differ from those of the model to continue in {len(apart)}, "
        f"first {apart[0]!r}"
    )
