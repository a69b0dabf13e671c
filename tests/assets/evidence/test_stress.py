"""Stress by hand: what is shaken, what costs take away, and where nothing is left."""

from __future__ import annotations

import numpy as np
import pytest

from ares_assets.evidence import stress as s
from ares_resources.errors import BadInput


def _evaluate(parameters: dict) -> dict[str, float]:
    cost = parameters["fee"] + parameters["slippage"]
    return {
        "profit": parameters["width"] - 100 * cost - 0.5 * parameters["latency_bars"],
        "type_ok": float(isinstance(parameters["latency_bars"], int)),
    }


PARAMETERS = {"fee": 0.004, "slippage": 0.001, "width": 2.0, "latency_bars": 1}


def test_jitter_starts_unshaken_and_stays_in_its_range() -> None:
    rows = s.parameter_jitter(
        _evaluate, PARAMETERS, names=["width", "latency_bars"], share=0.1, draws=50, seed=4
    )
    assert len(rows) == 51
    assert rows[0]["parameters"] == PARAMETERS
    widths = np.array([row["parameters"]["width"] for row in rows])
    assert widths.min() >= 1.8
    assert widths.max() <= 2.2
    assert widths.std() > 0.05
    assert all(row["type_ok"] == 1.0 for row in rows)
    again = s.parameter_jitter(
        _evaluate, PARAMETERS, names=["width", "latency_bars"], share=0.1, draws=50, seed=4
    )
    assert again == rows
    assert PARAMETERS["width"] == 2.0


def test_costs_and_latency_eat_the_profit_as_they_must() -> None:
    costs = s.cost_stress(_evaluate, PARAMETERS, multiples=(1.0, 2.0))
    assert [row["profit"] for row in costs] == pytest.approx([1.0, 0.5])
    late = s.latency_stress(_evaluate, PARAMETERS, extra_bars=(0, 1, 2))
    assert [row["profit"] for row in late] == pytest.approx([1.0, 0.5, 0.0])
    summary = s.stress_summary(late, "profit")
    assert summary["share_kept"] == pytest.approx(0.25)
    assert summary["worst"] == pytest.approx(0.0)


def test_what_an_evaluation_cannot_measure_is_none_and_counted() -> None:
    rows = s.latency_stress(
        lambda p: {"sharpe": float("nan") if p["latency_bars"] > 1 else 1.0},
        PARAMETERS,
        extra_bars=(0, 1),
    )
    assert rows[1]["sharpe"] is None
    assert s.stress_summary(rows, "sharpe")["unmeasured"] == 1
    assert s.stress_summary(rows, "sharpe")["share_kept"] is None


def test_unknown_parameters_are_named() -> None:
    with pytest.raises(BadInput, match="spread"):
        s.cost_stress(_evaluate, PARAMETERS, names=("spread",))


def test_a_margin_of_nothing_is_shaken_by_its_span_and_stays_a_margin() -> None:
    rows = s.parameter_jitter(
        lambda parameters: {"margin": parameters["margin"]},
        {"margin": 0.0, "width": 2.0},
        names=("margin", "width"),
        share=0.1,
        draws=40,
        seed=1,
        spans={"margin": 0.12},
    )
    margins = np.array([row["margin"] for row in rows])
    assert margins[0] == 0.0
    assert (margins[1:] > 0.0).all()
    assert margins.max() <= 0.012
    assert margins[1:].std() > 0.002
    widths = np.array([row["parameters"]["width"] for row in rows])
    assert ((widths >= 1.8) & (widths <= 2.2)).all()


def test_a_margin_in_its_range_moves_both_ways_by_the_span() -> None:
    rows = s.parameter_jitter(
        lambda parameters: dict(parameters),
        {"margin": 0.06},
        names=("margin",),
        share=0.1,
        draws=200,
        seed=2,
        spans={"margin": 0.12},
    )
    margins = np.array([row["margin"] for row in rows])
    assert margins.min() == pytest.approx(0.048, abs=0.001)
    assert margins.max() == pytest.approx(0.072, abs=0.001)


def test_break_even_is_where_the_profit_is_gone() -> None:
    seen: list[float] = []

    def profit(multiple: float) -> float:
        seen.append(multiple)
        return 0.05 - 0.02 * multiple

    assert s.break_even_multiple(profit, upper=50.0) == pytest.approx(2.5, abs=0.01)
    assert len(seen) < 20
    assert s.break_even_multiple(lambda multiple: -0.01 - multiple, upper=50.0) == 0.0
    assert s.break_even_multiple(lambda multiple: 1.0, upper=50.0) == 50.0
    with pytest.raises(BadInput, match="upper"):
        s.break_even_multiple(profit, upper=0.0)
