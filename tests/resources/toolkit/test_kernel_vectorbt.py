"""Where the rules coincide, the kernel and vectorbt make the same trades and the same equity.

``vectorbt_reference.json`` holds what vectorbt made of ``benchmarks.peers.oracle_bars`` in its own
environment; ``benchmarks.peers.vectorbt_reference`` makes it anew.  ``docs/backtest.md`` says
where the two differ.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ares_resources.backtesting import (
    EXIT_NAMES,
    MarketArrays,
    Signals,
    StrategyParameters,
    backtest_path,
)
from benchmarks.peers import vectorbt_reference
from benchmarks.peers.oracle_bars import CASES, fingerprint, oracle_bars

REFERENCE = json.loads(
    Path(__file__).with_name("vectorbt_reference.json").read_text(encoding="utf-8")
)
BARS = oracle_bars(REFERENCE["seed"], REFERENCE["rows"])
NEVER = 2**40


def inputs(case: dict[str, float]) -> tuple[MarketArrays, np.ndarray, np.ndarray]:
    rows = len(BARS["close"])
    columns = [BARS[name] for name in ("timestamp", "open", "high", "low", "close", "atr")]
    market = MarketArrays(*columns, funding_payment=np.zeros(rows))
    return market, BARS["probability"], np.full(rows, case["size"])


def parameters(case: dict[str, float]) -> StrategyParameters:
    chosen = {name: value for name, value in case.items() if name != "size"}
    return StrategyParameters(time_stop_bars=NEVER, **chosen)


def test_both_sides_had_the_same_bars():
    assert fingerprint(BARS) == REFERENCE["fingerprint"]
    assert set(REFERENCE["cases"]) == set(CASES)
    assert set(REFERENCE["versions"]) >= {"vectorbt", "numba", "numpy"}


def test_the_command_that_the_reference_names_makes_this_file(monkeypatch, capsys):
    written = []
    monkeypatch.setattr(vectorbt_reference, "write", written.append)
    monkeypatch.setattr(vectorbt_reference.importlib.util, "find_spec", lambda name: object())
    command, *arguments = REFERENCE["made by"].removeprefix("python -m ").split()
    assert command == vectorbt_reference.__name__
    assert vectorbt_reference.main(arguments) == 0
    assert written == [Path(__file__).with_name("vectorbt_reference.json")]
    monkeypatch.setattr(vectorbt_reference.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="2"):
        vectorbt_reference.main([])
    assert "no vectorbt in this Python" in capsys.readouterr().err.splitlines()[-1]
    assert len(written) == 1


@pytest.mark.parametrize("name", CASES)
def test_trades_and_equity_are_those_of_vectorbt(name):
    case, theirs = CASES[name], REFERENCE["cases"][name]
    path = backtest_path(*inputs(case), parameters(case))
    closed = theirs["trades"] - theirs["open_at_end"]
    assert path.result.trades == theirs["trades"]
    # A decision's row is vectorbt's entry; a trade open at the end is closed by Ares alone.
    assert path.decision_row.tolist() == theirs["entry_row"]
    assert path.side.tolist() == theirs["side"]
    assert path.exit_row[:closed].tolist() == theirs["exit_row"][:closed]
    reasons = [EXIT_NAMES[int(reason)] for reason in path.exit_reason]
    assert reasons.count("end") == theirs["open_at_end"] <= 1
    np.testing.assert_allclose(
        path.trade_return[:closed], theirs["equity_return"][:closed], rtol=0, atol=1e-12
    )
    rows = np.array(theirs["sampled_row"])
    rows = rows[rows < len(path.equity) - 1]
    np.testing.assert_allclose(
        path.equity[rows], theirs["sampled_equity"][: len(rows)], rtol=1e-11, atol=0
    )


@pytest.mark.parametrize("name", CASES)
def test_figures_of_the_sweep_are_those_of_vectorbt(name):
    case, theirs = CASES[name], REFERENCE["cases"][name]
    figures = Signals(*inputs(case)).sweep([parameters(case)], threads=1).result(0)
    equity = backtest_path(*inputs(case), parameters(case)).equity
    fall = 1 - equity / np.maximum.accumulate(np.maximum(equity, 1.0))
    assert figures.max_drawdown == fall.max()
    assert fall[:-1].max() == pytest.approx(theirs["max_drawdown_cost_a_bar_later"], abs=1e-12)
    # In vectorbt an entry's cost is seen one close earlier, in Ares the exit's at the last one.
    cost = case["size"] * (case["fee"] + case["slippage"])
    assert figures.max_drawdown == pytest.approx(theirs["max_drawdown"], abs=1.01 * cost + 1e-12)
    # Closing the trade that vectorbt leaves open costs once more.
    open_cost = theirs["open_at_end"] * cost
    assert figures.total_return == pytest.approx(theirs["total_return"], abs=1.1 * open_cost + 1e-9)
    assert figures.trades == theirs["trades"]


def test_the_reference_has_hundreds_of_trades_and_every_kind_of_fill():
    gaps = {"stop": 0, "target": 0}
    inside = {"stop": 0, "target": 0}
    for case in CASES.values():
        market, probability, size = inputs(case)
        path = backtest_path(market, probability, size, parameters(case))
        before = market.close[path.exit_row - 1]
        jumped = market.open[path.exit_row] != before
        for reason, jump in zip(path.exit_reason, jumped, strict=True):
            kind = EXIT_NAMES[int(reason)]
            if kind in gaps:
                (gaps if jump else inside)[kind] += 1
    assert sum(one["trades"] for one in REFERENCE["cases"].values()) > 300
    assert min(gaps.values()) >= 10
    assert min(inside.values()) >= 100
