"""The analyst's experts: one learner a module over the small protocol of ``base``."""

from ares_assets.analyst.experts.base import (
    EXPERT_KINDS,
    ContinuableExpert,
    Expert,
    FittedExpert,
    Parameters,
    get_expert,
    load_expert,
)

__all__ = [
    "EXPERT_KINDS",
    "ContinuableExpert",
    "Expert",
    "FittedExpert",
    "Parameters",
    "get_expert",
    "load_expert",
]
