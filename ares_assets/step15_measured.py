"""Step 15's figures: one comparison, and all that the gate is told.

Belongs here: what both the step and the check of it (``release_checks.py``) make from stored
evidence.  Does not belong here: the rivals (``step15_rivals.py``) and the report
(``step15_ab_testing.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ares_assets.engine import SettingsView
from ares_assets.step15_rivals import Stretch
from ares_resources.errors import AresError
from ares_resources.storage.artifacts import Artifact

if TYPE_CHECKING:
    import numpy as np

    from ares_assets.evidence.gate_evidence import Comparison, GateEvidence
    from ares_resources.settings import Settings

_AT_VOLATILITY = "buy and hold at the model's volatility"
_FROM_STEP_14 = (
    "deflated_sharpe_development",
    "deflated_sharpe_holdout",
    "holdout_looks",
    "trials",
    "overfitting",
    "loss_probability",
    "distinct_sets",
    "ruin_share",
    "return_costs_stressed",
    "return_latency_stressed",
    "track_record_days",
)
_INFORMING = ("search_p_value", "calibration_within_noise", "equity_low")


def level_of(settings: Settings | SettingsView, attempt: int | None = None) -> float:
    """Of each sequential test; rounded, since 1 - 0.95 is not 0.05.

    Against one champion all attempts share it, so that retraining often wears it out for none.
    """
    from ares_assets.evidence.repeated_tests import level_of_attempt

    level = round(1.0 - float(settings.validation.confidence), 12)
    return level if attempt is None else level_of_attempt(level, attempt)


def holdout_share_of(settings: Settings | SettingsView) -> float:
    window = settings.window
    return round(1.0 - float(window.development) - float(window.calibration), 12)


def compare(
    settings: Settings | SettingsView,
    stretch: Stretch,
    rival: np.ndarray,
    *,
    name: str,
    attempt: int | None,
) -> tuple[Comparison, dict[str, Any]]:
    """The sequential test of the challenger's days against a rival's, and its outcome.

    ``attempt`` is the challenger's number among those that faced this champion.
    """
    import numpy as np

    from ares_assets.evidence.gate_evidence import Comparison
    from ares_assets.evidence.performance import sharpe_ratio
    from ares_assets.evidence.sequential import always_valid_test

    difference = stretch.daily - rival
    attempt = attempt if name == "champion" else None
    test = always_valid_test(difference, level=level_of(settings, attempt))
    varies = difference.size > 1 and np.ptp(difference) > 0.0
    comparison = Comparison(
        against=_AT_VOLATILITY if name == "buy and hold" else name,
        decision=test.decision,
        p_value=test.p_value,
        annual_sharpe=sharpe_ratio(difference) if varies else None,
        required=name != "buy and hold",
        level=test.level,
        attempt=attempt,
    )
    return comparison, {**test.as_dict(), "p_after_bar": _p_after_bar(test.p_values, stretch)}


def _p_after_bar(p_values: np.ndarray, stretch: Stretch) -> list[list[float]]:
    """The running p-value as a step function: [open of the bar after whose close it changed, p]."""
    import numpy as np

    from ares_assets.evidence.looks import p_values_by_bar

    p = p_values_by_bar(p_values, stretch.days, stretch.stamps, step_ms=stretch.step_ms)
    changed = np.flatnonzero(np.diff(p, prepend=np.inf) != 0.0)
    return [[int(stretch.stamps[bar]), float(p[bar])] for bar in changed]


def measured_of(
    settings: Settings | SettingsView,
    walk_forward: Artifact,
    monte_carlo: Artifact,
    comparisons: list[Comparison],
    stretch: Stretch,
    remark: str,
) -> GateEvidence:
    """What the gate is told.

    Raises
    ------
    AresError
        If step 14 did not measure what the gate asks for.
    """
    from ares_assets.evidence.gate_evidence import GateEvidence
    from ares_assets.evidence.loosened import loosened
    from ares_assets.evidence.paired_days import day_dependence

    walk, luck = walk_forward.metadata, _all_there(monte_carlo)
    beside = {**walk, **luck}
    return GateEvidence(
        deflated_development=luck["deflated_sharpe_development"],
        trials=luck["trials"],
        deflated_holdout=luck["deflated_sharpe_holdout"],
        looks=luck["holdout_looks"],
        overfitting=luck["overfitting"],
        loss_probability=luck["loss_probability"],
        distinct_sets=luck["distinct_sets"],
        ruin_share=luck["ruin_share"],
        return_costs_stressed=luck["return_costs_stressed"],
        return_latency_stressed=luck["return_latency_stressed"],
        trades=walk["trades"],
        days=float(len(stretch.days)),
        annual_sharpe=walk["sharpe"],
        track_record_days=luck["track_record_days"],
        comparisons=tuple(comparisons),
        drift_alarms=walk["drift_alarms"],
        drift_level=walk["drift_level"],
        drift_unjudged=walk["drift_unjudged"],
        drift_blocks=walk["drift_blocks"],
        level=level_of(settings),
        holdout_share=holdout_share_of(settings),
        development_sharpe=luck["sharpe_development"],
        development_days=luck["backtest_days"],
        development_share=float(settings.window.development),
        champion_remark=remark,
        day_dependence=day_dependence(stretch.daily),
        loosened=loosened(settings.gate, settings.validation),
        **{name: beside.get(name) for name in _INFORMING},
    )


def _all_there(monte_carlo: Artifact) -> Mapping[str, Any]:
    """Step 14's figures; a gate must not read a row that was never measured as "unknown"."""
    lacking = [name for name in _FROM_STEP_14 if name not in monte_carlo.metadata]
    if lacking:
        raise AresError(f"step 14 measured no {', '.join(lacking)}; run it anew with this version")
    return monte_carlo.metadata
