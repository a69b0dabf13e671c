"""The rules of a backtest, bar by bar in plain Python: the oracle of ``kernel``.

Belongs here: the meaning, written to be read.  Does not belong here: speed.  Rules:

* **Decision** at the close of a bar through which no position was held and while no entry is
  under way: probability >= ``enter_long`` decides long, else <= ``enter_short`` short, if the
  bar's size and ATR are positive.  NaN in any of them decides nothing.
* **Entry** at the open of the row ``latency_bars`` after the decision, slipped against the
  trader; notional = size x ``size_multiple`` x equity.  One position at a time: signals are
  ignored meanwhile.  A decision whose entry row lies beyond the last bar is lost.
* **Stop and target** stand ``width x ATR(decision)`` from the raw open of the entry bar.
  In each bar from the entry bar on: open beyond the stop fills there; open beyond the target
  fills there; then low/high reaching the stop fills at the stop; then the target.
* **Time stop** at the close of the bar that opens ``time_stop_bars - 1`` bar lengths after the
  entry bar; where that bar is missing, at the open of the next one, as nobody knew of the gap
  before.  A position still open at the last bar is closed at its close.
* **Management**: at each close through which a position was held, a signal against its side
  may order to sell half of it (once) or all of it, at the open ``latency_bars`` rows later.
  The barriers and the time stop go first at that open, and end the order with the position.
* **Funding** of a bar is paid on quantity x close by who holds through that bar's close.  Who
  leaves at a stop or target inside the bar pays it on quantity x that level if it is against the
  position; what would be received is not.  Funding of a gap is due at the next bar's open, on
  quantity x open, from who held since before the gap, even if the position ends at that open.
* **Costs**: fee on both notionals; every fill is slipped.
* **Ruin**: equity at or below 0 at a close or an exit ends the account at exactly 0.
* Latency counts rows: missing bars make it longer, never shorter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from ares_resources.backtesting.market import MarketArrays
from ares_resources.backtesting.results import (
    EXIT_END,
    EXIT_RUIN,
    EXIT_SIGNAL,
    EXIT_STOP,
    EXIT_TARGET,
    EXIT_TIME,
)
from ares_resources.backtesting.strategy import StrategyParameters
from ares_resources.timeframes import DAY_MS


@dataclass
class Position:
    """What is fixed when a position opens, and the funding paid since."""

    decision: int
    entry: int
    side: int
    stop: float
    target: float
    fill: float
    notional: float
    quantity: float
    equity_before: float
    paid: float = 0.0
    reduce_at: int = -1
    leave_at: int = -1
    reduce_row: int = -1


@dataclass
class Outcome:
    """Everything a backtest yields, as lists."""

    equity: list[float] = field(default_factory=list)
    trades: list[tuple[int, int, int, int, int, int, float]] = field(default_factory=list)
    turnover: float = 0.0
    max_drawdown: float = 0.0
    sharpe: float = 0.0
    daily_return: list[float] = field(default_factory=list)


def simulate_reference(
    market: MarketArrays,
    probability: list[float],
    size: list[float],
    parameters: StrategyParameters,
    management: Sequence[int] = (),
) -> Outcome:
    """Walk the bars; trades are (decision, entry, exit, side, reason, reduce row, return)."""
    outcome = Outcome()
    cash, peak = 1.0, 1.0
    pending: tuple[int, int] | None = None
    position: Position | None = None
    for row in range(len(market)):
        touched = False
        if pending is not None and row == pending[0] + parameters.latency_bars:
            position = _enter(market, row, pending, size, cash, parameters)
            cash = cash - parameters.fee * position.notional
            pending = None
        equity = cash
        if position is not None:
            touched = True
            if row > position.entry and market.gap_payment is not None:
                held = position.quantity * float(market.open[row])
                position.paid += position.side * float(market.gap_payment[row]) * held
            raw, reason = _exit_at_open(market, row, position, parameters)
            at_open = reason != 0
            if not at_open:
                if row == position.reduce_at:
                    cash = _reduce(outcome, market, row, position, cash, parameters)
                raw, reason = _exit_later(market, row, position, parameters)
            if not at_open:
                inside = reason in (EXIT_STOP, EXIT_TARGET)
                held = position.quantity * (raw if inside else float(market.close[row]))
                payment = position.side * float(market.funding_payment[row]) * held
                position.paid += max(payment, 0.0) if inside else payment
            gain = position.side * position.quantity * (float(market.close[row]) - position.fill)
            equity = cash + gain - position.paid
            if reason == 0 and equity <= 0.0:
                raw, reason = float(market.close[row]), EXIT_RUIN
            if reason != 0:
                cash = equity = _close(outcome, row, position, cash, raw, reason, parameters)
                position = None
            elif management:
                _order(position, row, management[row], parameters.latency_bars)
        outcome.equity.append(equity)
        peak = max(peak, equity)
        outcome.max_drawdown = max(outcome.max_drawdown, 1.0 - equity / peak)
        if not touched and pending is None and cash > 0.0:
            side = _decide(float(market.atr[row]), probability[row], size[row], parameters)
            pending = (row, side) if side else None
    _daily(market, outcome)
    return outcome


def _decide(atr: float, probability: float, size: float, parameters: StrategyParameters) -> int:
    if not (size > 0.0 and atr > 0.0):
        return 0
    if probability >= parameters.enter_long:
        return 1
    return -1 if probability <= parameters.enter_short else 0


def _enter(
    market: MarketArrays,
    row: int,
    pending: tuple[int, int],
    size: list[float],
    cash: float,
    parameters: StrategyParameters,
) -> Position:
    decision, side = pending
    raw, atr = float(market.open[row]), float(market.atr[decision])
    fill = raw * (1.0 + side * parameters.slippage)
    notional = cash * (size[decision] * parameters.size_multiple)
    return Position(
        decision=decision,
        entry=row,
        side=side,
        stop=raw - side * (parameters.stop_width * atr),
        target=raw + side * (parameters.target_width * atr),
        fill=fill,
        notional=notional,
        quantity=notional / fill,
        equity_before=cash,
    )


def _order(position: Position, row: int, signal: int, latency: int) -> None:
    """Note what the signal at this close orders; the first order of each kind stands."""
    against = -position.side * signal
    if against >= 2 and position.leave_at < 0:
        position.leave_at = row + latency
    if against >= 1 and position.reduce_at < 0:
        position.reduce_at = row + latency


def _deadline(market: MarketArrays, position: Position, parameters: StrategyParameters) -> int:
    return int(market.slot[position.entry]) + parameters.time_stop_bars - 1


def _exit_at_open(
    market: MarketArrays, row: int, position: Position, parameters: StrategyParameters
) -> tuple[float, int]:
    first = float(market.open[row])
    if position.side * (first - position.stop) <= 0:
        return first, EXIT_STOP
    if position.side * (first - position.target) >= 0:
        return first, EXIT_TARGET
    if market.slot[row] > _deadline(market, position, parameters):
        return first, EXIT_TIME
    if row == position.leave_at:
        return first, EXIT_SIGNAL
    return math.nan, 0


def _reduce(
    outcome: Outcome,
    market: MarketArrays,
    row: int,
    position: Position,
    cash: float,
    parameters: StrategyParameters,
) -> float:
    sold = position.quantity * 0.5
    fill = float(market.open[row]) * (1.0 - position.side * parameters.slippage)
    position.quantity -= sold
    position.reduce_row = row
    outcome.turnover += sold * fill / position.equity_before
    gain = position.side * sold * (fill - position.fill)
    return cash + gain - parameters.fee * (sold * fill)


def _exit_later(
    market: MarketArrays, row: int, position: Position, parameters: StrategyParameters
) -> tuple[float, int]:
    worst, best = float(market.low[row]), float(market.high[row])
    if position.side < 0:
        worst, best = best, worst
    if position.side * (worst - position.stop) <= 0:
        return position.stop, EXIT_STOP
    if position.side * (best - position.target) >= 0:
        return position.target, EXIT_TARGET
    if market.slot[row] == _deadline(market, position, parameters):
        return float(market.close[row]), EXIT_TIME
    if row == len(market) - 1:
        return float(market.close[row]), EXIT_END
    return math.nan, 0


def _close(
    outcome: Outcome,
    row: int,
    position: Position,
    cash: float,
    raw: float,
    reason: int,
    parameters: StrategyParameters,
) -> float:
    fill = raw * (1.0 - position.side * parameters.slippage)
    gain = position.side * position.quantity * (fill - position.fill)
    after = cash + gain - position.paid - parameters.fee * (position.quantity * fill)
    before = position.equity_before
    outcome.turnover += position.notional / before + position.quantity * fill / before
    if reason == EXIT_RUIN or after <= 0.0:
        after, reason = 0.0, EXIT_RUIN
    outcome.trades.append(
        (
            position.decision,
            position.entry,
            row,
            position.side,
            reason,
            position.reduce_row,
            after / before - 1.0,
        )
    )
    return after


def _daily(market: MarketArrays, outcome: Outcome) -> None:
    last_of_day: dict[int, float] = {}
    for row, equity in enumerate(outcome.equity):
        last_of_day[int(market.timestamp[row]) // DAY_MS] = equity
    before = 1.0
    for day in sorted(last_of_day):
        change = last_of_day[day] / before - 1.0 if before > 0.0 else 0.0
        outcome.daily_return.append(change)
        before = last_of_day[day]
    days = len(outcome.daily_return)
    if days < 2:
        return
    total, squares = 0.0, 0.0
    for change in outcome.daily_return:
        total += change
    mean = total / days
    for change in outcome.daily_return:
        squares += (change - mean) * (change - mean)
    if squares > 0.0:
        outcome.sharpe = mean / math.sqrt(squares / (days - 1)) * math.sqrt(365.0)
