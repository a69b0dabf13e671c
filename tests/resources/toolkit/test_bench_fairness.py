"""What is in a program's time and what before, Ares' side as the peers'; not how long it takes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from benchmarks.peers import backtest as vectorbt_peer
from benchmarks.peers import whole as freqai_peer
from benchmarks.rows import cache, hyperopt, markets, refits, training, trial, whole
from benchmarks.turns import Case, Program, run_program

TREES = {"trees": 20, "rate": training.RATE, "depth": 3, "repeats": 1, "warmups": 0}


def _small(row: Any, **options: Any) -> Case:
    (case,) = row.cases(True)
    return replace(case, options={**case.options, **TREES, **options})


def _programs(case: Case) -> list[Program]:
    # Ares' own environment has these peers' libraries as well; its versions matter not here.
    return [replace(program, environment=None) for program in case.programs]


@pytest.mark.parametrize("row", ["training", "refits"])
def test_no_side_imports_its_libraries_within_the_time(row: str, tmp_path: Path) -> None:
    if row == "training":
        case = _small(training, rows=2000)
    else:
        case = _small(refits, blocks=[(1600, 1800), (1800, 2000)])
    training.write(tmp_path, {"rows": 2000, "held": 500 if row == "training" else 0})
    for program in _programs(case):
        assert run_program(program, case, tmp_path)["imported"] == 0, program.shown


def test_the_whole_has_nothing_left_to_import_or_to_compile(tmp_path: Path) -> None:
    (case,) = whole.cases(True)
    case.make(tmp_path, case.data)
    case = replace(case, options={**case.options, "days": 7, "refits": 1})
    assert run_program(case.programs[0], case, tmp_path)["imported"] == 0


def _market(folder: Path) -> None:
    markets.write_market(folder, {"bars": 3000, "seed": 3, "gap": 0.1})


def test_a_search_makes_its_market_within_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _market(tmp_path)
    made: list[Any] = []
    real = markets.market_of
    monkeypatch.setattr(
        markets, "market_of", lambda columns: made.append(real(columns)) or made[-1]
    )
    shared = {"trials": 10, "batch": 5, "threads": 1}
    (trials,), (epochs,) = trial.cases(True), hyperopt.cases(True)
    for program, options in (
        (trial._searching("adaptive"), trials.options | shared),
        (trial._searching("adaptive", stores=False), trials.options | shared),
        (hyperopt.ares, epochs.options | shared),
    ):
        made.clear()
        work, _ = program(tmp_path, dict(options))
        assert not made
        work()
        work()
        assert len(made) == 2
        # What a market keeps once it is made has been made twice.
        assert all("extremes" in vars(market) for market in made)


@pytest.mark.parametrize("program", [cache.ares, cache.ares_cold])
def test_each_round_of_the_cache_begins_empty(program: Any, tmp_path: Path) -> None:
    _market(tmp_path)
    for _ in range(2):
        work, tell = program(tmp_path, {"sets": 5})
        told = tell(work())
        assert told == {"per": 5, "same": True, "asked": 5, "computed": 5}


def test_an_answer_that_is_not_what_is_computed_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ares_resources.backtesting.cached import CachedBacktester

    _market(tmp_path)
    real = CachedBacktester._compute

    def wrong(self: CachedBacktester, missing: Any) -> Any:
        found = real(self, missing)
        for held in found.values():  # in what it keeps and in what it answers, in every round
            held.result = replace(held.result, trades=held.result.trades + 1)
        return found

    monkeypatch.setattr(CachedBacktester, "_compute", wrong)
    work, tell = cache.ares(tmp_path, {"sets": 5})
    assert not tell(work())["same"]


def test_vectorbt_is_given_before_the_time_what_its_backtests_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _market(tmp_path)
    seen: list[vectorbt_peer.Market] = []
    monkeypatch.setattr(vectorbt_peer, "portfolio", lambda market, *_: seen.append(market))
    monkeypatch.setattr(vectorbt_peer, "figures", lambda made, sets: [{}] * sets)
    work, _ = vectorbt_peer.vectorbt("numba")(tmp_path, {"margin": 0.4, "stop": 2.0, "target": 2.0})
    monkeypatch.setattr(vectorbt_peer, "Market", None)
    work()
    work()
    market = seen[0]
    assert seen == [market, market]
    opens, atr = (np.load(tmp_path / f"{name}.npy") for name in ("open", "atr"))
    known = np.flatnonzero(market.known)
    assert known[-1] == len(opens) - 2
    np.testing.assert_array_equal(market.width[known], atr[known] / opens[known + 1])
    np.testing.assert_array_equal(market.price[:-1, 0], opens[1:])


def _files(folder: Path) -> dict[str, int]:
    return {str(one): one.stat().st_mtime_ns for one in folder.rglob("*") if one.is_file()}


def test_freqai_finds_its_candles_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[Mapping[str, Any]] = []

    class Backtesting:
        def __init__(self, arguments: Mapping[str, Any]) -> None:
            self.arguments = arguments

        def start(self) -> None:
            home = Path(self.arguments["user_data_dir"])
            assert len(list((home / "data").glob("*.feather"))) == 3
            assert Path(self.arguments["config"][0]).is_file()
            runs.append(self.arguments)

    class Configuration:
        def __init__(self, arguments: Mapping[str, Any], mode: Any) -> None:
            self.arguments = arguments

        def get_config(self) -> Mapping[str, Any]:
            return self.arguments

    for name, members in {
        "freqtrade": {},
        "freqtrade.configuration": {"Configuration": Configuration},
        "freqtrade.enums": {"RunMode": type("RunMode", (), {"BACKTEST": 1})},
        "freqtrade.optimize": {},
        "freqtrade.optimize.backtesting": {"Backtesting": Backtesting},
    }.items():
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(freqai_peer, "without_exchange", lambda: None)
    monkeypatch.setattr(freqai_peer.logging, "disable", lambda level: None)
    (case,) = whole.cases(True)
    whole.write(tmp_path, {"days": 16, "seed": 1})
    work, _ = freqai_peer.freqai(tmp_path, dict(case.options))
    before = _files(tmp_path)
    assert len(runs) == 1, "a block alone, so that all is imported"
    home, _ = work()
    assert _files(tmp_path) == before
    warm, timed = (run["timerange"] for run in runs)
    assert warm != timed
    assert str(home) == runs[1]["user_data_dir"] != runs[0]["user_data_dir"]
