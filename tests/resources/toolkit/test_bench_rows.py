"""Each row refuses a wrong result of a peer, and takes a right one; not the rows' speed.

The figures are of the size that the rows measure; what is wrong is what the row must notice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.rows import (
    backtest,
    barriers,
    bootstrap,
    cache,
    csv,
    fingerprint,
    hyperopt,
    indicators,
    parquet,
    refits,
    sweep,
    training,
    whole,
)
from benchmarks.turns import Differs

Result = dict[str, Any]
BACKTEST = {
    "trades": 400.0,
    "total_return": -0.0033,
    "max_drawdown": 0.0036,
    "sharpe": -5.06,
    "turnover": 8.0,
}
# What .01 % of slippage on each side of 400 trades of a hundredth of the equity costs.
SLIPPAGE = 400 * 0.01 * 2 * 0.0001


def _features() -> dict[str, list[float]]:
    generator = np.random.default_rng(1)
    return {f"f{k}": generator.normal(0, 1, 200).tolist() for k in range(50)}


def _half_wrong() -> Result:
    values = _features()
    values["f7"][::2] = [one + 1e6 for one in values["f7"][::2]]
    return {"values": values}


def _without_numbers() -> Result:
    values = _features()
    values["f7"][:20] = [float("nan")] * 20
    return {"values": values}


PATHS = {"paths": 300.0, "threads_equal": True}
for _name, _mean, _spread in (
    ("sharpe", 0.04, 0.085),
    ("growth", 0.1, 0.22),
    ("drawdown", 0.3, 0.1),
):
    PATHS |= {_name: _mean, f"{_name}_deviation": _spread}
WHOLE = {"refits": 13, "predictions": 24_000, "auc": 0.55, "trades": 90, "features": 40}
SEARCH = {"trades": 1700, "total_return": -0.018, "epochs": 60} | {
    "mean_trades": 900.0,
    "best_trades": 100,
}
LABELS = {"touched": [1, 0, -1], "bars": [3, 240, 7]}
KEPT = {"equal_rows": 1000, "differs": ""}
SETS = {"sets": [BACKTEST, BACKTEST]}

# row, what Ares told, a peer's right result, wrong ones by what is wrong
ROWS: dict[str, tuple[Callable[..., str], str, Result, Result, dict[str, Result]]] = {
    "backtest": (
        backtest.same,
        "vectorbt rust",
        BACKTEST,
        # It stakes what is left after fees.
        BACKTEST | {"total_return": -0.0033 * 0.9995, "turnover": 8.0 * 0.9995},
        {
            "total_return": BACKTEST | {"total_return": -0.0033 + SLIPPAGE},
            "max_drawdown": BACKTEST | {"max_drawdown": 0.0036 - SLIPPAGE},
            "sharpe": BACKTEST | {"sharpe": -5.06 / np.sqrt(365 / 252)},
            "turnover": BACKTEST | {"turnover": 4.0},
            "trades": BACKTEST | {"trades": 398.0},
            "no sharpe": {name: one for name, one in BACKTEST.items() if name != "sharpe"},
            "total_return nan": BACKTEST | {"total_return": float("nan")},
        },
    ),
    "sweep": (
        sweep.same,
        "vectorbt numba",
        SETS,
        SETS,
        {
            "sharpe": {"sets": [BACKTEST, BACKTEST | {"sharpe": -4.0}]},
            "sets": {"sets": [BACKTEST]},
        },
    ),
    "indicators": (
        indicators.same,
        "ta",
        {"values": _features()},
        {"values": _features()},
        {
            "f7": _half_wrong(),
            "10.0% of f7": _without_numbers(),
            "on one side only": {"values": {"f1": _features()["f1"]}},
        },
    ),
    "barriers": (
        barriers.same,
        "mlfinpy",
        LABELS,
        LABELS,
        {
            "bars": LABELS | {"bars": [3, 239, 7]},
            "touched": LABELS | {"touched": [1, 0, 1]},
            "0 touched": {"touched": [], "bars": []},
        },
    ),
    "bootstrap": (
        bootstrap.same,
        "arch and numpy",
        PATHS | {"paths": 10_000.0},
        PATHS,
        {
            "sharpe": PATHS | {"sharpe": 0.04 * 2, "sharpe_deviation": 0.17},
            "growth": PATHS | {"growth": 0.0},
            "drawdown_deviation": PATHS | {"drawdown_deviation": 0.2},
        },
    ),
    "training": (
        training.same,
        "LightGBM",
        {"auc": 0.63},
        {"auc": 0.62},
        {"AUC 0, ": {"auc": 0.0}, "AUC 0.5": {"auc": 0.5}, "AUC nan": {"auc": float("nan")}},
    ),
    "refits": (
        refits.same,
        "catboost default, scratch",
        {"auc": 0.63, "continued": 3.0},
        {"auc": 0.63},
        {"AUC": {"auc": 0.0}},
    ),
    "whole": (
        whole.same,
        "FreqAI",
        WHOLE,
        WHOLE | {"predictions": 24_100, "auc": 0.54, "trades": 50},
        {
            "AUC": WHOLE | {"auc": 0.0},
            "AUC 0.48": WHOLE | {"auc": 0.48},
            "predictions": WHOLE | {"predictions": 1},
            "refits": WHOLE | {"refits": 12},
            "no trade": WHOLE | {"trades": 0},
        },
    ),
    "hyperopt": (
        hyperopt.same,
        hyperopt.PEER,
        SEARCH,
        SEARCH,
        {
            "total_return": SEARCH | {"total_return": -0.0181},
            "trades": SEARCH | {"trades": 1690},
            "60": SEARCH | {"epochs": 20},
        },
    ),
    "csv": (
        csv.same,
        "polars",
        KEPT,
        KEPT,
        {"column open": KEPT | {"differs": "column open"}, "number": KEPT | {"equal_rows": 999}},
    ),
    "parquet": (parquet.same, "polars", {"equal": True}, {"equal": True}, {"polars": {"equal": 0}}),
    "cache": (
        cache.same,
        "joblib",
        {"same": True, "asked": 5, "computed": 5},
        {"same": True, "asked": 5, "computed": 5},
        {
            "computed 6": {"same": True, "asked": 5, "computed": 6},
            "nothing computed 0": {"same": True, "asked": 5, "computed": 0},
            "False": {"same": False, "asked": 5, "computed": 5},
        },
    ),
    "fingerprint": (
        fingerprint.same,
        "sha256",
        {"repeats": True, "notices": True},
        {"repeats": True, "notices": True},
        {"sha256": {"repeats": True, "notices": False}},
    ),
}
WRONG = [(name, what) for name, row in ROWS.items() for what in row[4]]


@pytest.mark.parametrize("name", ROWS)
def test_a_right_result_is_taken_and_ares_alone_is_no_error(name: str) -> None:
    same, peer, own, right, _ = ROWS[name]
    assert same({"ares": own, peer: right})
    assert same({"ares": own})


@pytest.mark.parametrize(("name", "what"), WRONG)
def test_a_wrong_result_is_refused(name: str, what: str) -> None:
    same, peer, own, _, wrong = ROWS[name]
    results: Mapping[str, Result] = {"ares": own, peer: wrong[what]}
    with pytest.raises(Differs, match=what.split()[-1]):
        same(results)


def test_a_default_that_is_better_than_ares_is_refused() -> None:
    with pytest.raises(Differs, match="AUC"):
        training.same({"ares": {"auc": 0.620}, training.DEFAULT: {"auc": 0.623}})
    with pytest.raises(Differs, match="AUC"):
        refits.same(
            {"ares": {"auc": 0.620, "continued": 1.0}, refits.SCRATCH: {"auc": 0.623}},
        )


def test_paths_that_depend_on_threads_are_refused_without_any_peer() -> None:
    with pytest.raises(Differs, match="threads"):
        bootstrap.same({"ares": PATHS | {"threads_equal": False}})


def test_figures_that_a_peer_cannot_tell_are_named() -> None:
    short = {name: BACKTEST[name] for name in ("trades", "total_return", "turnover")}
    lacking = {"nautilus": ("max_drawdown", "sharpe")}
    told = backtest.same({"ares": BACKTEST, "nautilus": short}, lacking=lacking)
    assert "nautilus has no max_drawdown or sharpe" in told
    loose = {"nautilus": 0.03}
    without_fees = short | {"total_return": -0.0033 + 0.0004 * 8}
    with pytest.raises(Differs, match="total_return"):
        backtest.same({"ares": BACKTEST, "nautilus": without_fees}, loose, lacking)


def test_the_goals_of_csv_that_are_missed_have_a_reason() -> None:
    (case,) = csv.cases(False)
    figures = {
        "ares": {"seconds": 2.4, "peak_mib": 231},
        "polars": {"seconds": 2.3, "peak_mib": 358},
    }
    judged = [goal.judged(figures, case.reasons) for goal in case.goals]
    assert [one["met"] for one in judged] == [False, False]
    assert all(one["reason"] for one in judged)


def test_a_program_that_fails_while_bars_are_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = tmp_path / "python"
    failing.write_text("#!/bin/sh\necho no such library >&2\nexit 3\n")
    failing.chmod(0o755)
    monkeypatch.setattr(csv.ingest, "PYTHON", failing)
    monkeypatch.setattr(csv.ingest, "_take_turn", lambda *_: csv.ingest.run([str(failing)]))
    (case,) = csv.cases(True)
    assert case.turns is not None
    with pytest.raises(Differs, match=r"ended with 3.*no such library"):
        case.turns(tmp_path, lambda _: None)


def test_without_the_peers_environment_nothing_is_called_equal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv.ingest, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    (case,) = csv.cases(True)
    assert case.turns is not None
    with pytest.raises(Differs, match="nothing was measured"):
        case.turns(tmp_path, lambda _: None)
