"""Which requirements a run asks less of than the defaults do.

Belongs here: which way each setting of the gate and of validation is looser.  Does not belong
here: the settings and their defaults (``ares_resources/settings.py``), and the gate.
"""

from __future__ import annotations

from ares_resources.settings import GateSettings, ValidationSettings

LOOSER_BELOW = frozenset(
    {
        "gate.minimum_deflated_sharpe",
        "gate.minimum_trades",
        "gate.stage_days",
        "gate.stage_trades",
        "validation.confidence",
        "validation.cost_stress",
        # A detector that may hardly ever err hardly ever alarms.
        "validation.drift_level",
        "validation.horizon_days",
        "validation.latency_stress_bars",
    }
)
LOOSER_ABOVE = frozenset(
    {
        "gate.maximum_loss_probability",
        "gate.maximum_overfitting",
        "gate.maximum_ruin",
        "validation.ruin_drawdown",
    }
)
NEITHER = frozenset(
    {
        "validation.bootstrap_paths",
        "validation.cost_curve",
        "validation.incremental",
        "validation.incremental_tolerance",
        "validation.incremental_trees",
        "validation.jitter_share",
        "validation.latency_curve",
        "validation.refits",
    }
)
"""Settings that no required row, and no stage of a rollout, depends on but for noise."""


def loosened(gate: GateSettings, validation: ValidationSettings) -> tuple[str, ...]:
    """Each requirement that is looser than its default, with both values, in words."""
    words = []
    for group, now in (("gate", gate), ("validation", validation)):
        usual = type(now)()
        for name in type(now).model_fields:
            path, value, default = f"{group}.{name}", getattr(now, name), getattr(usual, name)
            below = path in LOOSER_BELOW and value < default
            if below or (path in LOOSER_ABOVE and value > default):
                words.append(f"{path} {value:g} (default {default:g})")
    return tuple(sorted(words))
