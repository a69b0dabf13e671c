"""Regime algorithms and models by name.

Belongs here: the two tables.  A new algorithm adds a line to each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ares_assets.market.regimes.base import RegimeAlgorithm, RegimeModel
from ares_assets.market.regimes.filtered_hmm import FilteredHmmAlgorithm, FilteredHmmModel
from ares_assets.market.regimes.gaussian_mixture import (
    GaussianMixtureAlgorithm,
    GaussianMixtureModel,
)
from ares_assets.market.regimes.jump_model import JumpModel, JumpModelAlgorithm
from ares_assets.market.regimes.rule_based import RuleBasedAlgorithm, RuleBasedModel
from ares_resources.errors import BadInput, CorruptArtifact

_ALGORITHMS: dict[str, Callable[[], RegimeAlgorithm]] = {
    "filtered_hmm": FilteredHmmAlgorithm,
    "gaussian_mixture": GaussianMixtureAlgorithm,
    "jump_model": JumpModelAlgorithm,
    "rule_based": RuleBasedAlgorithm,
}
_MODELS: dict[str, Callable[[dict[str, Any]], RegimeModel]] = {
    "filtered_hmm": FilteredHmmModel.from_dict,
    "gaussian_mixture": GaussianMixtureModel.from_dict,
    "jump_model": JumpModel.from_dict,
    "rule_based": RuleBasedModel.from_dict,
}

ALGORITHM_NAMES = tuple(sorted(_ALGORITHMS))


def get_algorithm(name: str) -> RegimeAlgorithm:
    """The algorithm of that name.

    Raises
    ------
    BadInput
        If there is none; the message lists those there are.
    """
    if name not in _ALGORITHMS:
        allowed = ", ".join(ALGORITHM_NAMES)
        raise BadInput(f"regimes.algorithm {name!r} is not known; allowed: {allowed}")
    return _ALGORITHMS[name]()


def load_model(values: Mapping[str, Any]) -> RegimeModel:
    """The model that ``to_dict`` wrote.

    Raises
    ------
    CorruptArtifact
        If the form is not one that a model of this version writes.
    """
    name = values.get("algorithm")
    if name not in _MODELS:
        raise CorruptArtifact(f"regime model: algorithm {name!r} is none of {sorted(_MODELS)}")
    try:
        return _MODELS[name](dict(values))
    except (TypeError, KeyError) as error:
        raise CorruptArtifact(f"regime model {name!r}: fields do not fit: {error}") from error
