"""The rules beside the take decision, each kept only where it proved itself out of fold.

Belongs here: judging coordination, timing, size rule and management in their order, and what
the release needs of them.  Does not belong here: the rules themselves.

Each is a paired comparison on the same out-of-fold signals: with the rule against without it,
one-sided, at the confidence that enhancements of the analyst have to reach as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ares_assets.analyst.cross_validation import Split
from ares_assets.tactician.coordination import Coordination, judge_coordination
from ares_assets.tactician.meta_labels import side_cost
from ares_assets.tactician.positions import PositionManagement, judge_management
from ares_assets.tactician.size_rules import SizeRule, judge_size_rules
from ares_assets.tactician.tactician_ensemble import TacticianEnsemble
from ares_assets.tactician.timing import Timing, train_timing
from ares_resources.settings import CostSettings, TacticianSettings


@dataclass(frozen=True)
class Rules:
    """The rules beside the ensemble, each kept or not, and on what evidence."""

    coordination: Coordination
    timing: Timing
    sizing: SizeRule
    management: PositionManagement
    band: float

    def to_json(self) -> dict[str, object]:
        """Plain values for the report."""
        return {
            "coordination": self.coordination.to_json(),
            "timing": self.timing.to_json(),
            "sizing": self.sizing.to_json(),
            "management": self.management.to_json(),
        }

    def parameters(self) -> dict[str, Any]:
        """What the release needs of them (see ``decisions.decide``)."""
        timing, rule = self.timing.to_json(), self.coordination
        return {
            "coordination": {
                "kept": rule.kept,
                "timeframe": rule.timeframe,
                "raised_by": rule.raised_by,
            },
            "timing": {"kept": timing["kept"], "wait_above": timing["wait_above"]},
            "sizing": self.sizing.parameters,
            "management": {"kept": self.management.kept, "band": self.band},
        }


def judge_rules(
    labels: pd.DataFrame,
    features: Mapping[str, pd.DataFrame],
    ensemble: TacticianEnsemble,
    *,
    base_timeframe: str,
    splits: Sequence[Split],
    costs: CostSettings,
    settings: TacticianSettings,
    confidence: float,
    seed: int,
    threads: int,
) -> Rules:
    """Judge each rule on the signals that those before it let through.

    Parameters
    ----------
    labels
        Meta-labels of step 8 with its targets, (n, ...).
    features
        Timeframe -> features of the signals, (n, k).
    splits
        Purged folds over the meta-labels.
    confidence
        One-sided confidence that a paired gain must reach.
    """
    coordination = judge_coordination(
        labels, features, ensemble, base_timeframe=base_timeframe, confidence=confidence
    )
    taken = coordination.taken
    timing = train_timing(
        labels,
        features[base_timeframe],
        labels["weight"].to_numpy(),
        taken=taken,
        splits=splits,
        confidence=confidence,
        seed=seed,
        threads=threads,
    )
    sizing = judge_size_rules(
        labels,
        ensemble.out_of_fold,
        taken=taken,
        move=labels["move"].to_numpy(),
        annual_volatility=labels["annual_volatility"].to_numpy(),
        splits=splits,
        settings=settings,
        confidence=confidence,
    )
    managed = labels["managed_return"].to_numpy()
    management = judge_management(labels, managed, taken=taken, confidence=confidence)
    return Rules(coordination, timing, sizing, management, side_cost(costs))
