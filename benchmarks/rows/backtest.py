"""Row "backtest": one backtest, its figures, beside vectorbt, backtesting.py and nautilus.

Belongs here: the work, the turns, the goals and Ares' side.  Does not belong here: the peers'
idioms (``peers/backtest.py``, ``peers/nautilus.py``).

No peer has all of the rules.  What they share is measured: threshold entries both ways, entry at
the next open, stop and target as multiples of the ATR fixed at entry, stop first, gaps filled at
the open, fees, slippage (not backtesting.py and nautilus, whose slippage is of another kind), a
fraction of equity; no time stop, no funding.  vectorbt checks stops from the bar after the order
on, so it is told to order at a bar's close for the next bar's open.

Ares checks bars and signal, and makes the extremes by which it leaves out blocks, once for all
backtests of a signal.  The goals are of a backtest after that, as step 12 runs it; "ares, once
only" does it all within the time, as a single backtest of new arrays costs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.timing import Made, arrays, main
from benchmarks.rows import markets
from benchmarks.turns import Case, Differs, Program, Row, faster

SEED = 11
PEERS = "benchmarks.peers.backtest"
HERE = "benchmarks.rows.backtest"
# Bars between two signals: exits take about 11 bars.
TRADES = (("41k trades", 14.0, 25.0), ("4k trades", 240.0, 60.0), ("400 trades", 2490.0, 1000.0))
ENGINES = ("vectorbt numba", "vectorbt rust")


def ares(folder: Path, options: dict[str, Any]) -> Made:
    """``Signals.sweep`` of one parameter set, as step 12 calls it."""
    return _backtest(folder, options, once=False)


def ares_once(folder: Path, options: dict[str, Any]) -> Made:
    """The same with market and signal made anew each time."""
    return _backtest(folder, options, once=True)


def _backtest(folder: Path, options: dict[str, Any], *, once: bool) -> Made:
    from ares_resources.backtesting import Signals, StrategyParameters

    columns = arrays(folder)
    size = columns["probability"] * 0.0 + options["size"]

    def signals() -> Signals:
        return Signals(markets.market_of(columns), columns["probability"], size)

    made = signals()
    one = StrategyParameters(
        enter_long=0.5 + options["margin"],
        enter_short=0.5 - options["margin"],
        stop_width=options["stop"],
        target_width=options["target"],
        time_stop_bars=markets.NEVER,
        fee=options["fee"],
        slippage=options["slippage"],
    )

    def tell(result: Any) -> Mapping[str, Any]:
        names = ("trades", "total_return", "max_drawdown", "sharpe", "turnover")
        return {name: float(getattr(result, name)) for name in names}

    def work() -> Any:
        return (signals() if once else made).sweep([one], threads=1).result(0)

    return work, tell


def same(results: Mapping[str, Mapping[str, Any]], share: float = 0.0) -> str:
    """Trades within the one that is open (or this share), drawdown and return within a thousandth.

    Raises
    ------
    Differs
        Naming the program and the figure.
    """
    own = results["ares"]
    widest = {"trades": 0.0, "max_drawdown": 0.0, "total_return": 0.0}
    for name, result in results.items():
        allowed = {"trades": max(1.0, share * own["trades"])}
        for figure in widest.keys() & result.keys():
            off = abs(result[figure] - own[figure])
            widest[figure] = max(widest[figure], off)
            if off > allowed.get(figure, 1e-3 + share * abs(own[figure])):
                raise Differs(f"{name}: {figure} {result[figure]:.6g}, Ares {own[figure]:.6g}")
    return ", ".join(f"{name} within {off:.2g}" for name, off in widest.items())


def options(bars_a_signal: float, *, slippage: float = markets.SLIPPAGE) -> dict[str, Any]:
    """What the programs are told of the strategy."""
    return {
        "margin": markets.margin(bars_a_signal),
        "stop": markets.STOP,
        "target": markets.TARGET,
        "fee": markets.FEE,
        "slippage": slippage,
        "size": markets.SIZE,
    }


def cases(quick: bool) -> Sequence[Case]:
    """A million bars beside vectorbt, three densities of trades; a tenth beside event loops."""
    bars = 100_000 if quick else 1_000_000
    found = [
        Case(
            name=f"{bars:,} bars, {name}",
            make=markets.write_market,
            data={"bars": bars, "seed": SEED, "gap": 0.1},
            programs=[
                Program("ares", HERE, options={"repeats": 50, "warmups": 3}),
                Program("ares, once only", HERE, options={"repeats": 10, "warmups": 3}),
                *(Program(engine, PEERS, "-vectorbt") for engine in ENGINES),
            ],
            same=same,
            goals=[faster(ENGINES, times, what="the faster vectorbt engine")],
            options=options(apart) | {"repeats": 3},
            threads=1,
            rounds=2 if quick else 5,
        )
        for name, apart, times in TRADES
    ]
    return [*found, _loops(10_000 if quick else 100_000, quick)]


def _loops(bars: int, quick: bool) -> Case:
    return Case(
        name=f"{bars:,} bars, event loops",
        make=markets.write_market,
        data={"bars": bars, "seed": SEED, "gap": 0.0},
        programs=[
            Program("ares", HERE, options={"repeats": 50, "warmups": 3}),
            Program("backtesting.py", PEERS, "", options={"repeats": 1}, rounds=3),
            Program(
                "nautilus",
                "benchmarks.peers.nautilus",
                "-nautilus",
                2,
                {"repeats": 1, "warmups": 0},
            ),
        ],
        same=lambda results: same(results, 0.02),
        goals=[faster(["backtesting.py"], 1500), faster(["nautilus"], 20_000)],
        options=options(240.0, slippage=0.0),
        threads=1,
        rounds=1 if quick else 3,
    )


ROW = Row(
    "backtest",
    "one backtest: threshold entries, ATR barriers, costs; return, Sharpe, drawdown, turnover",
    cases,
    {
        "-vectorbt": ["vectorbt", "vectorbt-rust"],
        "": ["backtesting"],
        "-nautilus": ["nautilus-trader"],
    },
)

if __name__ == "__main__":
    main({"ares": ares, "ares, once only": ares_once})
