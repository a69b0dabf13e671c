"""A verdict in words for people: what holds, what does not, and how much data would do.

Belongs here: sentences from the gate's rows.  Does not belong here: the requirements
(``gate.py``) and the sample sizes (``power.py``).

Whoever is told "insufficient evidence" is always told a number of days, of the holdout and of
the window that it is the end of.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ares_assets.evidence.gate_evidence import GateEvidence, GateRow, Verdict, known
from ares_assets.evidence.power import describe_data_needed, spell_days


def in_full(
    rows: Sequence[GateRow], verdict: Verdict, measured: GateEvidence, *, minimum_trades: int
) -> str:
    """Every failed row with its figures, and the data that is lacking."""
    if verdict == "promote":
        return "every requirement is met"
    kind = "against" if verdict == "keep" else "too little"
    failed = [row for row in _failed(rows) if row.failure == kind]
    reasons = [f"{row.name}: {_shown(row.measured)}, required {row.requirement}" for row in failed]
    if verdict == "insufficient evidence":
        reasons += data_needed(measured, minimum_trades)
    return "; ".join(reasons)


def in_plain_words(
    rows: Sequence[GateRow],
    verdict: Verdict,
    measured: GateEvidence,
    *,
    minimum_trades: int,
    never_trades: bool,
) -> str:
    """A sentence or two; the whole table stands in the report."""
    required = [row for row in rows if row.required]
    words = [f"{sum(row.passed for row in required)} of {len(required)} requirements hold"]
    failed = _failed(rows)
    if verdict == "keep":
        against = [row.name for row in failed if row.failure == "against"]
        words.append(f"against it: {', '.join(against)}")
    elif verdict == "insufficient evidence":
        words.append(_lacking(failed, measured, never_trades))
        words += data_needed(measured, minimum_trades)
    return "; ".join(words)


def data_needed(measured: GateEvidence, minimum_trades: int) -> list[str]:
    """How much data each kind of doubt would take; never empty."""
    told = [_comparisons_need(measured), *_track_record_needs(measured)]
    return [*told, *_trades_need(measured, minimum_trades)]


def _lacking(failed: Sequence[GateRow], measured: GateEvidence, never_trades: bool) -> str:
    if never_trades:
        return "no signal paid after costs on development, so the model does not trade"
    if measured.trades == 0:
        return f"it did not trade in {measured.days:.0f} days, so nothing could be measured"
    if any(row.name == "trades" or row.name.startswith("better than") for row in failed):
        return f"{measured.trades} trades in {measured.days:.0f} days are too few to know"
    return f"not yet shown: {', '.join(row.name for row in failed)}"


def _comparisons_need(measured: GateEvidence) -> str:
    """From the least clear comparison that is required."""
    required = [c for c in measured.comparisons if c.required]
    if required and all(c.decision == "better" for c in required):
        at_hand = spell_days(measured.days, measured.holdout_share)
        return f"the {at_hand} at hand suffice for the comparison itself"
    sharpes = [
        c.annual_sharpe for c in required if c.decision == "undecided" and known(c.annual_sharpe)
    ]
    if not sharpes and known(measured.annual_sharpe):
        sharpes = [measured.annual_sharpe]
    return describe_data_needed(
        min(sharpes, default=None),
        measured.days,
        level=measured.level,
        holdout_share=measured.holdout_share,
    )


def _track_record_needs(measured: GateEvidence) -> list[str]:
    needed = measured.track_record_days
    if not known(needed) or needed <= measured.days:
        return []
    return [f"its track record needs {spell_days(needed, measured.holdout_share)}"]


def _trades_need(measured: GateEvidence, minimum: int) -> list[str]:
    """At the pace of the holdout."""
    if not 0 < measured.trades < minimum or measured.days == 0:
        return []
    days = math.ceil(minimum * measured.days / measured.trades)
    return [f"at its pace {minimum} trades take about {spell_days(days, measured.holdout_share)}"]


def _failed(rows: Sequence[GateRow]) -> list[GateRow]:
    return [row for row in rows if row.required and not row.passed]


def _shown(value: float | int | str | None) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "not measurable"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
