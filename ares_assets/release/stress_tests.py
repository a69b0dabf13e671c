"""The model's holdout trades under stress: shaken parameters, dearer costs, later fills.

Belongs here: the backtests behind the stress, on the same decisions.  Does not belong here:
which points are evaluated and what is made of them (``evidence/stress.py``), and disk.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import pandas as pd

from ares_assets.evidence.stress import (
    break_even_multiple,
    cost_stress,
    latency_stress,
    parameter_jitter,
    stress_summary,
)
from ares_assets.release.partition_model import PartitionModel
from ares_resources.settings import WHOLE_BP, CostSettings

JITTERED = ("enter_margin", "stop_width", "target_width", "size_multiple")
_JITTER_DRAWS = 20
_LARGEST_MULTIPLE = 50.0


class StressSettings(Protocol):
    """The part of ``settings.ValidationSettings`` that the stress reads."""

    @property
    def jitter_share(self) -> float: ...
    @property
    def cost_stress(self) -> float: ...
    @property
    def latency_stress_bars(self) -> int: ...
    @property
    def cost_curve(self) -> tuple[float, ...]: ...
    @property
    def latency_curve(self) -> tuple[int, ...]: ...


def stress_tests(
    model: PartitionModel,
    frame: pd.DataFrame,
    decisions: pd.DataFrame,
    *,
    first_row: int,
    settings: StressSettings,
    margin_span: float,
    seed: int,
) -> dict[str, Any]:
    """Jitter, cost and latency curves of the same decisions over the bars from ``first_row`` on.

    ``margin_span`` is the width of the range that ``enter_margin`` was searched in: its jitter
    is a share of that, since a margin may be 0.

    Returns
    -------
    JSON-able: ``jitter`` (summary) and ``jitter_draws``; ``unstressed``, ``costs`` and
    ``latency`` at the settings' one multiple and delay; ``cost_curve``, without multiples that
    would take a whole trade; ``latency_curve``; ``break_even_cost_multiple``, at most 50, None
    where costs are 0 or nothing is traded.
    """

    def trade(changed: PartitionModel, **stress: Any) -> dict[str, Any]:
        found = changed.trade(frame, decisions, first_row=first_row, **stress).result
        return {"sharpe": found.sharpe, "total_return": found.total_return, "trades": found.trades}

    jitter = parameter_jitter(
        lambda parameters: trade(replace(model, parameters=parameters)),
        dict(model.parameters),
        names=JITTERED,
        share=settings.jitter_share,
        draws=_JITTER_DRAWS,
        seed=seed,
        spans={"enter_margin": margin_span},
    )
    largest = _largest_multiple(model.settings.costs)
    unstressed = trade(model)
    costs = cost_stress(
        lambda one: trade(model, **one),
        {"cost_multiple": 1.0},
        names=("cost_multiple",),
        multiples=[multiple for multiple in settings.cost_curve if multiple < largest],
    )
    latency = latency_stress(
        lambda one: trade(model, **one),
        {"extra_latency_bars": 0},
        name="extra_latency_bars",
        extra_bars=settings.latency_curve,
    )
    break_even = None
    if unstressed["trades"] and largest < float("inf"):
        break_even = break_even_multiple(
            lambda multiple: trade(model, cost_multiple=multiple)["total_return"],
            upper=min(0.99 * largest, _LARGEST_MULTIPLE),
        )
    return {
        "jitter": stress_summary(jitter, "total_return"),
        "jitter_draws": jitter,
        "unstressed": unstressed,
        "costs": trade(model, cost_multiple=settings.cost_stress),
        "latency": trade(model, extra_latency_bars=settings.latency_stress_bars),
        "cost_curve": _points(costs),
        "latency_curve": _points(latency),
        "break_even_cost_multiple": break_even,
    }


def _points(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: row[name] for name in row if name != "parameters"} for row in rows]


def _largest_multiple(costs: CostSettings) -> float:
    """The multiple at which a round trip would cost the whole price; infinite without costs."""
    round_trip = 2.0 * (costs.fee_bp + costs.slippage_bp)
    return WHOLE_BP / round_trip if round_trip > 0.0 else float("inf")
