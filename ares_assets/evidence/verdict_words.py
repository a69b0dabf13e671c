"""A verdict in words for people: what holds, what does not, and how much data would do.

Belongs here: sentences from the gate's rows.  Does not belong here: the requirements
(``gate.py``) and the sample sizes (``power.py``).

Whoever is told "insufficient evidence" is always told a number of days, of the holdout and of
the window that it is the end of.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ares_assets.evidence.gate_evidence import (
    Comparison,
    GateEvidence,
    GateRequirements,
    GateRow,
    Verdict,
    known,
)
from ares_assets.evidence.performance import DAYS_A_YEAR
from ares_assets.evidence.power import (
    days_needed_sequentially,
    describe_data_needed,
    spell_days,
    window_days,
)
from ares_assets.evidence.sharpe_tests import observations_for_probability


def in_full(
    rows: Sequence[GateRow], verdict: Verdict, measured: GateEvidence, settings: GateRequirements
) -> str:
    """Every failed row with its figures, and the data that is lacking."""
    if verdict == "promote":
        return "every requirement is met"
    kind = "against" if verdict == "keep" else "too little"
    failed = [row for row in _failed(rows) if row.failure == kind]
    reasons = [f"{row.name}: {_shown(row.measured)}, required {row.requirement}" for row in failed]
    if verdict == "insufficient evidence":
        reasons += data_needed(measured, settings)
    return "; ".join(reasons)


def in_plain_words(
    rows: Sequence[GateRow],
    verdict: Verdict,
    measured: GateEvidence,
    settings: GateRequirements,
    *,
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
        words += _lacking(failed, measured, never_trades)
        words += data_needed(measured, settings)
    if measured.loosened:
        words.append(f"asked less than by default: {', '.join(measured.loosened)}")
    return "; ".join(words)


def data_needed(measured: GateEvidence, settings: GateRequirements) -> list[str]:
    """How much data each kind of doubt would take; never empty."""
    return [
        _comparisons_need(measured),
        *_track_record_needs(measured),
        *_trades_need(measured, settings.minimum_trades),
        *_deflated_need(measured, settings.minimum_deflated_sharpe),
        *_drift_needs(measured),
    ]


def _lacking(failed: Sequence[GateRow], measured: GateEvidence, never_trades: bool) -> list[str]:
    """What could not be shown, and the fallback that bars a promotion whatever is shown."""
    fallback = [
        f"no release by a fallback: {row.measured}" for row in failed if row.name == "degraded"
    ]
    others = [row.name for row in failed if row.name != "degraded"]
    if never_trades:
        return ["no signal paid after costs on development, so the model does not trade", *fallback]
    if measured.trades == 0:
        days = f"{measured.days:.0f} days"
        return [f"it did not trade in {days}, so nothing could be measured", *fallback]
    if any(name == "trades" or name.startswith("better than") for name in others):
        days = f"{measured.days:.0f} days"
        return [f"{measured.trades} trades in {days} are too few to know", *fallback]
    return [f"not yet shown: {', '.join(others)}", *fallback] if others else fallback


def _comparisons_need(measured: GateEvidence) -> str:
    """From the required comparison that has the longest way to go, at its own level."""
    required = [c for c in measured.comparisons if c.required]
    if required and all(c.decision == "better" for c in required):
        at_hand = spell_days(measured.days, measured.holdout_share)
        return f"the {at_hand} at hand suffice for the comparison itself"
    open_still = [c for c in required if c.decision == "undecided" and known(c.annual_sharpe)]
    if open_still:
        furthest = max(open_still, key=_way_to_go)
        sharpe, level = furthest.annual_sharpe, furthest.level
    else:
        sharpe = measured.annual_sharpe if known(measured.annual_sharpe) else None
        level = min((c.level for c in required), default=measured.level)
    return describe_data_needed(
        sharpe, measured.days, level=level, holdout_share=measured.holdout_share
    )


def _way_to_go(comparison: Comparison) -> tuple[float, float]:
    sharpe = comparison.annual_sharpe or 0.0
    return days_needed_sequentially(sharpe, level=comparison.level), -sharpe


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


def _deflated_need(measured: GateEvidence, wanted: float) -> list[str]:
    """At the Sharpe ratios that were seen, for as many trials and looks as there were."""
    told = []
    days = _days_until(
        measured.deflated_development,
        measured.development_sharpe,
        measured.development_days,
        wanted,
    )
    if days is not None:
        window = window_days(days, measured.development_share)
        told.append(
            f"at its Sharpe ratio there, {measured.trials} trials take about {days} days of "
            f"development (a window of {window:.0f} days)"
        )
    days = _days_until(measured.deflated_holdout, measured.annual_sharpe, measured.days, wanted)
    if days is not None:
        spelt = spell_days(days, measured.holdout_share)
        told.append(f"at its Sharpe ratio there, {measured.looks} looks take about {spelt}")
    return told


def _days_until(
    probability: float | None, annual_sharpe: float | None, days: float | None, wanted: float
) -> int | None:
    if not (known(probability) and known(annual_sharpe) and known(days)):
        return None
    sharpe = annual_sharpe / math.sqrt(DAYS_A_YEAR)
    needed = observations_for_probability(probability, sharpe, days, wanted=wanted)
    return None if needed is None else math.ceil(needed)


def _drift_needs(measured: GateEvidence) -> list[str]:
    """At the pace of the blocks of losses; a stream that is there and tells nothing needs none."""
    from ares_assets.evidence.loss_drift import MINIMUM_REFERENCE

    blocks, needed = measured.drift_blocks, MINIMUM_REFERENCE + 1
    if measured.drift_unjudged is None or blocks is None or blocks >= needed:
        return []
    pace = "none could be counted yet"
    if blocks and measured.days:
        days = math.ceil(needed * measured.days / blocks)
        pace = f"at its pace about {spell_days(days, measured.holdout_share)}"
    return [f"drift can be watched from {needed} blocks of losses on, {pace}"]


def _failed(rows: Sequence[GateRow]) -> list[GateRow]:
    return [row for row in rows if row.required and not row.passed]


def _shown(value: float | int | str | None) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "not measurable"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
