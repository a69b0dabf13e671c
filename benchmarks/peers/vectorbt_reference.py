"""What vectorbt makes of ``oracle_bars``: ``python -m benchmarks.peers.vectorbt_reference [FILE]``.

Belongs here: vectorbt's call, and writing its trades and equity down.  Does not belong here:
comparing (``tests/resources/toolkit/test_kernel_vectorbt.py``).  Runs in the peers' environment,
from the repository's root, and imports nothing of Ares.  Without FILE it replaces the reference
that the test reads.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.oracle_bars import CASES, ROWS, SEED, fingerprint, oracle_bars

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "tests" / "resources" / "toolkit" / "vectorbt_reference.json"

CASH = 1_000_000.0
"""vectorbt rounds away cash below 1e-12: start far above it, and report shares."""

SAMPLED = 97
"""Equity is written down in every so many rows."""


def portfolio(bars: dict[str, np.ndarray], case: dict[str, float]) -> Any:
    """vectorbt's backtest of one case; entries are filled at the close that decides."""
    import pandas as pd
    import vectorbt as vbt

    close = bars["close"]
    long = bars["probability"] >= case["enter_long"]
    short = ~long & (bars["probability"] <= case["enter_short"])

    def distance(width: float) -> np.ndarray:
        share = np.full(len(close), np.nan)
        return width * bars["atr"] / close if np.isfinite(width) else share

    return vbt.Portfolio.from_signals(
        pd.Series(close, index=pd.to_datetime(bars["timestamp"], unit="ms")),
        entries=long,
        short_entries=short,
        exits=False,
        short_exits=False,
        open=bars["open"],
        high=bars["high"],
        low=bars["low"],
        price=close,
        # A share of cash with the fee inside: Ares' fee comes on top of the notional.
        size=case["size"] * (1 + case["fee"]),
        size_type="percent",
        fees=case["fee"],
        slippage=case["slippage"],
        sl_stop=distance(case["stop_width"]),
        tp_stop=distance(case["target_width"]),
        stop_entry_price="close",
        stop_exit_price="stopmarket",
        upon_stop_exit="close",
        upon_opposite_entry="ignore",
        init_cash=CASH,
        freq="5min",
    )


def result(bars: dict[str, np.ndarray], case: dict[str, float]) -> dict[str, Any]:
    """Trades, equity and figures of one case; money as a share of the first cash."""
    done = portfolio(bars, case)
    trades = done.trades.records
    equity = done.value().to_numpy() / CASH
    profit = trades["pnl"].to_numpy() / CASH
    entered = trades["entry_idx"].to_numpy()
    sampled = np.setdiff1d(np.arange(0, len(equity), SAMPLED), entered)
    # vectorbt's entry costs something at the close that decides, Ares' at the next open; and
    # Ares alone closes what is open at the last bar.
    later = equity.copy()
    later[entered] = np.concatenate(([1.0], equity))[entered]
    fall = (1 - later / np.maximum.accumulate(later))[:-1]
    return {
        "trades": len(trades),
        "entry_row": entered.tolist(),
        "exit_row": trades["exit_idx"].tolist(),
        "side": np.where(trades["direction"] == 0, 1, -1).tolist(),
        "entry_price": trades["entry_price"].tolist(),
        "exit_price": trades["exit_price"].tolist(),
        "equity_return": (profit / later[entered]).tolist(),
        "open_at_end": int((trades["status"] == 0).sum()),
        "total_return": float(done.total_return()),
        "max_drawdown": -float(done.max_drawdown()),
        "max_drawdown_cost_a_bar_later": float(fall.max()),
        "sampled_row": sampled.tolist(),
        "sampled_equity": equity[sampled].tolist(),
    }


def main(arguments: list[str] | None = None) -> int:
    """Write the reference file; exit code 2 and one line where it cannot be written."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers.vectorbt_reference", description=__doc__
    )
    parser.add_argument("file", nargs="?", type=Path, default=REFERENCE, metavar="FILE")
    target: Path = parser.parse_args(arguments).file
    if target.is_dir() or not target.parent.is_dir():
        parser.error(f"{target} is no file in a folder that exists")
    if importlib.util.find_spec("vectorbt") is None:
        parser.error("no vectorbt in this Python; .venv-peers-vectorbt has it (make bench-peers)")
    write(target)
    return 0


def write(target: Path) -> None:
    """The reference as JSON, a key a line; what each case came to is printed."""
    bars = oracle_bars()
    packages = ("vectorbt", "numba", "numpy", "pandas")
    content = {
        "made by": "python -m benchmarks.peers.vectorbt_reference",
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in packages},
        },
        "seed": SEED,
        "rows": ROWS,
        "fingerprint": fingerprint(bars),
        "cases": {name: result(bars, case) for name, case in CASES.items()},
    }
    lines = json.dumps(content, indent=None, separators=(",", ":")).replace(',"', ',\n"')
    target.write_text(f"{lines}\n", encoding="utf-8")
    for name, case in content["cases"].items():  # type: ignore[attr-defined]
        print(f"{name}: {case['trades']} trades, total return {case['total_return']:.4f}")


if __name__ == "__main__":
    raise SystemExit(main())
