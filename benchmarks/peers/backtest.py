"""One backtest and a sweep by vectorbt and backtesting.py, in their own idioms.

Belongs here: these libraries' ways.  Does not belong here: Ares, measuring (``timing.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.timing import Made, arrays, main

DAY_MS = 86_400_000
RICH = 1e9  # backtesting.py buys whole units


def vectorbt(engine: str) -> Any:
    """``Portfolio.from_signals`` and the same figures from it, by one of its engines."""

    def program(folder: Path, options: dict[str, Any]) -> Made:
        market = Market(arrays(folder))
        points = options.get("points")
        names = ("margin", "stop", "target")
        sets = [dict(zip(names, point, strict=True)) for point in points] if points else [options]
        made = [{**options, **one} for one in sets]
        columns_at_once = options.get("columns", 1)

        def work() -> list[dict[str, float]]:
            found = []
            for first in range(0, len(made), columns_at_once):
                part = made[first : first + columns_at_once]
                found += figures(portfolio(market, part, engine), len(part))
            return found

        def tell(found: list[dict[str, float]]) -> Mapping[str, Any]:
            if points:
                return {"per": len(made), "sets": found}
            return found[0]

        return work, tell

    return program


class Market:
    """What any number of vectorbt's backtests of the same bars and signal can share."""

    def __init__(self, columns: Mapping[str, Any]) -> None:
        import numpy as np
        import pandas as pd

        # With a time zone vectorbt takes 20 times as long.
        index = pd.to_datetime(columns["timestamp"], unit="ms")
        names = ("open", "high", "low", "close")
        self.frame = pd.DataFrame({name: columns[name] for name in names}, index=index)
        self.probability, atr = columns["probability"], columns["atr"]
        following = np.append(columns["open"][1:], np.nan)
        self.known = atr > 0
        self.known[-1] = False  # no bar is left to enter in
        self.width = np.where(self.known, atr / following, 1.0)
        self.price = np.where(np.isnan(following), columns["close"], following)[:, None]


def portfolio(market: Market, sets: Sequence[Mapping[str, Any]], engine: str) -> Any:
    """Orders at a bar's close for the next bar's open, one column a parameter set."""
    import numpy as np
    import vectorbt as vbt

    frame, known, probability = market.frame, market.known, market.probability
    side = {
        "entries": [known & (probability >= 0.5 + one["margin"]) for one in sets],
        "short_entries": [known & (probability <= 0.5 - one["margin"]) for one in sets],
        "sl_stop": [one["stop"] * market.width for one in sets],
        "tp_stop": [one["target"] * market.width for one in sets],
    }
    wide = {name: np.column_stack(values) for name, values in side.items()}
    return vbt.Portfolio.from_signals(
        frame["close"],
        open=frame["open"],
        high=frame["high"],
        low=frame["low"],
        price=market.price,
        **wide,
        size=sets[0]["size"],
        size_type="percent",
        fees=sets[0]["fee"],
        slippage=sets[0]["slippage"],
        stop_entry_price="price",
        stop_exit_price="stopmarket",
        upon_stop_exit="close",
        upon_opposite_entry="ignore",
        init_cash=1.0,
        freq="1min",
        engine=engine,
    )


def figures(made: Any, sets: int) -> list[dict[str, float]]:
    """Return, daily Sharpe ratio, drawdown on every close, turnover and trades of each column.

    Turnover is what was traded over the equity at the trade's entry.
    """
    import numpy as np

    value = made.value().to_numpy().reshape(-1, sets)
    stamps = made.wrapper.index.as_unit("ms").asi8
    orders = made.orders.records
    column, row = orders["col"].to_numpy(), orders["idx"].to_numpy()
    # Entries and exits alternate in a column; the equity before an entry is the close's before it.
    opens = np.ones(len(column), bool)
    first = np.append(True, column[1:] != column[:-1]) if len(column) else opens
    place = np.arange(len(column))
    since = place - np.maximum.accumulate(np.where(first, place, 0))
    opens = since % 2 == 0
    before = np.where(row > 0, value[np.maximum(row - 1, 0), column], 1.0)
    before = np.where(opens, before, before[np.maximum(place - 1, 0)])
    notional = orders["size"].to_numpy() * orders["price"].to_numpy() / before
    traded = np.bincount(column, weights=notional, minlength=sets)
    numbers = {
        "trades": np.atleast_1d(made.trades.count()),
        "total_return": np.atleast_1d(made.total_return()),
        "max_drawdown": -np.atleast_1d(made.max_drawdown()),
        "sharpe": np.array([daily_sharpe(stamps, each) for each in value.T]),
        "turnover": traded,
    }
    return [{name: float(each[one]) for name, each in numbers.items()} for one in range(sets)]


def daily_sharpe(stamps: Any, equity: Any) -> float:
    """Annualised, of the returns from each UTC day's last close to the next; equity begins at 1."""
    import numpy as np

    ends = np.append(np.flatnonzero(np.diff(stamps // DAY_MS)), len(stamps) - 1)
    daily = np.append(1.0, equity[ends])
    returns = daily[1:] / daily[:-1] - 1
    spread = returns.std(ddof=1) if len(returns) > 1 else 0.0
    return float(returns.mean() / spread * np.sqrt(365)) if spread > 0 else 0.0


def backtesting_py(folder: Path, options: dict[str, Any]) -> Made:
    """Its ``Strategy`` with stop and target on the order."""
    import warnings

    import numpy as np
    import pandas as pd
    from backtesting import Backtest, Strategy

    warnings.filterwarnings("ignore")
    columns = arrays(folder)
    index = pd.to_datetime(columns["timestamp"], unit="ms")
    names = {"Open": "open", "High": "high", "Low": "low", "Close": "close"}
    frame = pd.DataFrame({name: columns[one] for name, one in names.items()}, index=index)
    probability, atr = columns["probability"], columns["atr"]
    margin, stop, target = options["margin"], options["stop"], options["target"]

    class Threshold(Strategy):  # type: ignore[misc]
        def init(self) -> None:
            pass

        def next(self) -> None:
            row = len(self.data) - 1
            wide, chance = atr[row], probability[row]
            if self._held or self.position or not wide > 0:
                self._held = bool(self.position)
                return
            price = self.data.Close[-1]
            if chance >= 0.5 + margin:
                self.buy(size=options["size"], sl=price - stop * wide, tp=price + target * wide)
            elif chance <= 0.5 - margin:
                self.sell(size=options["size"], sl=price + stop * wide, tp=price - target * wide)

        _held = False

    test = Backtest(frame, Threshold, cash=RICH, commission=options["fee"], finalize_trades=True)

    def tell(stats: Any) -> Mapping[str, Any]:
        equity = stats["_equity_curve"]["Equity"].to_numpy()
        made = stats["_trades"]
        money = np.abs(made["Size"]) * (made["EntryPrice"] + made["ExitPrice"])
        before = equity[np.maximum(made["EntryBar"].to_numpy() - 1, 0)]
        return {
            "sharpe": daily_sharpe(columns["timestamp"], equity / RICH),
            "turnover": float((money.to_numpy() / before).sum()),
            "trades": float(stats["# Trades"]),
            "total_return": float(equity[-1] / RICH - 1),
            "max_drawdown": float(np.max(1 - equity / np.maximum.accumulate(equity))),
        }

    return test.run, tell


if __name__ == "__main__":
    main(
        {
            "vectorbt numba": vectorbt("numba"),
            "vectorbt rust": vectorbt("rust"),
            "backtesting.py": backtesting_py,
        }
    )
