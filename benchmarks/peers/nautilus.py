"""One backtest by nautilus_trader's low-level engine.

Belongs here: its way: a strategy that sends bracket orders at a bar's close.  Does not belong
here: Ares, measuring (``timing.py``).  Building the engine and the bars is not timed, its run is.
Prices are rounded to the instrument's two decimals.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.peers.timing import Made, arrays, main

RICH = 1_000_000.0


def nautilus(folder: Path, options: dict[str, Any]) -> Made:
    """``BacktestEngine.run``; one run only, as an engine keeps what it has traded."""
    from decimal import Decimal

    import pandas as pd
    from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
    from nautilus_trader.config import LoggingConfig, RiskEngineConfig
    from nautilus_trader.model.currencies import USDT
    from nautilus_trader.model.data import BarType
    from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
    from nautilus_trader.model.identifiers import Venue
    from nautilus_trader.model.instruments import CryptoPerpetual
    from nautilus_trader.model.objects import Money
    from nautilus_trader.persistence.wranglers import BarDataWrangler
    from nautilus_trader.test_kit.providers import TestInstrumentProvider
    from nautilus_trader.trading.strategy import Strategy

    columns = arrays(folder)
    told = CryptoPerpetual.to_dict(TestInstrumentProvider.ethusdt_perp_binance())
    fees = {"maker_fee": str(options["fee"]), "taker_fee": str(options["fee"])}
    instrument = CryptoPerpetual.from_dict({**told, **fees, "max_quantity": None})
    kind = BarType.from_str(f"{instrument.id}-1-MINUTE-LAST-EXTERNAL")
    index = pd.to_datetime(columns["timestamp"] + 60_000, unit="ms", utc=True)
    names = ("open", "high", "low", "close")
    frame = pd.DataFrame({name: columns[name] for name in names}, index=index)
    frame["volume"] = 1e6
    bars = BarDataWrangler(kind, instrument).process(frame)
    probability, atr, margin = columns["probability"], columns["atr"], options["margin"]

    class Threshold(Strategy):  # type: ignore[misc]
        def on_start(self) -> None:
            self.row = -1
            self.held = False
            self.subscribe_bars(kind)

        def on_bar(self, bar: Any) -> None:
            self.row += 1
            flat = self.portfolio.is_flat(instrument.id)
            if self.held or not flat or not atr[self.row] > 0:
                self.held = not flat
                return
            chance = probability[self.row]
            if chance >= 0.5 + margin:
                self._enter(bar, OrderSide.BUY, 1)
            elif chance <= 0.5 - margin:
                self._enter(bar, OrderSide.SELL, -1)

        def _enter(self, bar: Any, order_side: Any, side: int) -> None:
            price, wide = float(bar.close), atr[self.row]
            account = self.portfolio.account(instrument.id.venue)
            equity = account.balance_total(USDT).as_double()
            orders = self.order_factory.bracket(
                instrument_id=instrument.id,
                order_side=order_side,
                quantity=instrument.make_qty(options["size"] * equity / price),
                sl_trigger_price=instrument.make_price(price - side * options["stop"] * wide),
                tp_price=instrument.make_price(price + side * options["target"] * wide),
            )
            self.submit_order_list(orders)

    engine = BacktestEngine(
        BacktestEngineConfig(
            logging=LoggingConfig(bypass_logging=True),
            risk_engine=RiskEngineConfig(bypass=True),
        )
    )
    engine.add_venue(
        venue=Venue("BINANCE"),
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        starting_balances=[Money(RICH, USDT)],
        base_currency=USDT,
        default_leverage=Decimal(1),
    )
    engine.add_instrument(instrument)
    engine.add_data(bars)
    engine.add_strategy(Threshold())

    def tell(_: Any) -> Mapping[str, Any]:
        report = engine.trader.generate_account_report(Venue("BINANCE"))
        # Under netting, a position that is over is a snapshot once the next one opens.
        snapshots = engine.cache.position_snapshots()
        trades = len(snapshots) + len(engine.cache.positions())
        fills = engine.trader.generate_order_fills_report()
        money = fills["filled_qty"].astype(float) * fills["avg_px"].astype(float)
        end = float(report["total"].iloc[-1])
        # Each over the equity at its entry, which moves by less than the tolerance of this case.
        turnover = float(money.sum()) / ((RICH + end) / 2)
        return {
            "trades": float(trades),
            "total_return": end / RICH - 1,
            "turnover": turnover,
        }

    return engine.run, tell


if __name__ == "__main__":
    main({"nautilus": nautilus})
