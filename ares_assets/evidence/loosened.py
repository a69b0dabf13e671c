"""Which requirements a run has that are not the default ones, and which of them are looser.

Belongs here: which way each setting of the gate and of validation is looser.  Does not belong
here: the settings and their defaults (``ares_resources/settings.py``), and the gate.
"""

from __future__ import annotations

from collections.abc import Iterator

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


_OF_A_ROLLOUT = "gate.stage_"
"""These are asked of live trading, after the verdict on the holdout."""


def loosened(gate: GateSettings, validation: ValidationSettings) -> tuple[str, ...]:
    """Each requirement that is looser than its default, with both values, in words."""
    words = []
    for path, value, default in _changed(gate, validation):
        below = path in LOOSER_BELOW and value < default
        if below or (path in LOOSER_ABOVE and value > default):
            words.append(f"{path} {value:g} (default {default:g})")
    return tuple(sorted(words))


def deciding(
    gate: GateSettings, validation: ValidationSettings
) -> tuple[tuple[str, float | int], ...]:
    """Path and value of each requirement on the holdout that differs from its default, sorted.

    Stricter ones too: to go back to the default after a verdict is another try.
    """
    known = LOOSER_BELOW | LOOSER_ABOVE
    return tuple(
        sorted(
            (path, value)
            for path, value, _ in _changed(gate, validation)
            if path in known and not path.startswith(_OF_A_ROLLOUT)
        )
    )


def _changed(
    gate: GateSettings, validation: ValidationSettings
) -> Iterator[tuple[str, float | int, float | int]]:
    """Path, value and default of each setting that is not as by default."""
    for group, now in (("gate", gate), ("validation", validation)):
        usual = type(now)()
        for name in type(now).model_fields:
            value, default = getattr(now, name), getattr(usual, name)
            if value != default:
                yield f"{group}.{name}", value, default
