"""The one release gate: every requirement in a row, one verdict, one reason.

Belongs here: the decision, from figures measured elsewhere.  Does not belong here: measuring,
the form of the figures (``gate_evidence.py``), rows that decide nothing
(``informing_rows.py``), and moving the released alias.

Three verdicts.  "keep": something speaks against the challenger.  "insufficient evidence":
nothing does, but there is too little data to know.  "promote": every required row passed.
docs/proof.md has the table for people, with what each row costs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ares_assets.evidence.gate_evidence import (
    Comparison,
    Failure,
    GateEvidence,
    GateRequirements,
    GateRow,
    Verdict,
    known,
)
from ares_assets.evidence.informing_rows import FOR_INFORMATION, informing_rows
from ares_assets.evidence.jsonable import jsonable
from ares_assets.evidence.verdict_words import in_full

_COLUMNS = ("name", "requirement", "measured", "passed", "required")


@dataclass(frozen=True)
class GateReport:
    """All rows, the verdict, and why in plain words."""

    rows: tuple[GateRow, ...]
    verdict: Verdict
    reason: str

    def table(self) -> list[dict[str, Any]]:
        """Rows for people: name, requirement, measured, passed, required."""
        return [jsonable({name: getattr(row, name) for name in _COLUMNS}) for row in self.rows]

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return jsonable(self)


def release_gate(
    measured: GateEvidence, settings: GateRequirements, degraded: Sequence[str]
) -> GateReport:
    """Decide whether a challenger may carry the released alias.

    Parameters
    ----------
    measured
        What steps 13-15 found.
    settings
        The requirements (``settings.GateSettings``).
    degraded
        Every fallback used on the way, in words; any of them forbids promotion.
    """
    deflated = settings.minimum_deflated_sharpe
    on_development = f"deflated Sharpe on development ({measured.trials} trials)"
    looks = f"{measured.looks} look{'s' if measured.looks > 1 else ''}"
    on_holdout = f"deflated Sharpe on the holdout ({looks})"
    rows = (
        _degraded_row(degraded),
        _trades_row(measured, settings.minimum_trades),
        _track_record_row(measured),
        _at_least(on_development, measured.deflated_development, deflated, measured),
        _at_least(on_holdout, measured.deflated_holdout, deflated, measured),
        _overfitting_row(measured, settings),
        _ruin_row(measured, settings.maximum_ruin),
        _gain_row("return at stressed costs", measured.return_costs_stressed, measured),
        _gain_row("return with later fills", measured.return_latency_stressed, measured),
        _drift_row(measured),
        *_comparison_rows(measured, enough=measured.trades >= settings.minimum_trades),
        *informing_rows(measured),
    )
    verdict = _verdict(rows)
    reason = in_full(rows, verdict, measured, settings)
    return GateReport(rows, verdict, reason)


def contradiction(
    verdict: str, table: Iterable[Mapping[str, Any]], degraded: Sequence[str]
) -> str | None:
    """What a stored verdict of "promote" cannot stand beside; None where it holds.

    ``table`` is a stored ``GateReport.table()``; ``degraded`` what the release says of itself.
    """
    failed = [str(row["name"]) for row in table if row["required"] and not row["passed"]]
    if verdict == "promote":
        if failed:
            return f"promoted although these rows do not hold: {', '.join(failed)}"
        return f"promoted although degraded: {'; '.join(degraded)}" if degraded else None
    return None if failed else f"the verdict is {verdict!r} although every required row holds"


def _verdict(rows: Iterable[GateRow]) -> Verdict:
    failures = {row.failure for row in rows if row.required and not row.passed}
    if "against" in failures:
        return "keep"
    return "insufficient evidence" if failures else "promote"


def _degraded_row(degraded: Sequence[str]) -> GateRow:
    words = "; ".join(degraded)
    return GateRow("degraded", "no fallback used", words or "none", not words, "too little")


def _trades_row(measured: GateEvidence, minimum: int) -> GateRow:
    passed = measured.trades >= minimum
    return GateRow("trades", f"at least {minimum}", measured.trades, passed, "too little")


def _track_record_row(measured: GateEvidence) -> GateRow:
    needed = measured.track_record_days
    if needed is None or math.isnan(needed):
        requirement, passed = "a measurable minimum track record", False
    elif math.isinf(needed):
        requirement, passed = "a positive Sharpe ratio", False
    else:
        requirement, passed = f"at least {math.ceil(needed)} days", measured.days >= needed
    return GateRow("track record", requirement, measured.days, passed, "too little")


def _at_least(name: str, value: float | None, minimum: float, measured: GateEvidence) -> GateRow:
    passed = known(value) and value >= minimum
    return GateRow(name, f"at least {minimum:g}", value, passed, _weighed(measured, value))


def _gain_row(name: str, value: float | None, measured: GateEvidence) -> GateRow:
    passed = known(value) and value > 0.0
    return GateRow(name, "above 0", value, passed, _weighed(measured, value))


def _overfitting_row(measured: GateEvidence, settings: GateRequirements) -> GateRow:
    """Choosing must have done no harm: it chose well, what it chose earned, or it chose nothing.

    Where every parameter set earns, the best of one half ranks at random in the other and PBO
    is about a half; the chance of loss, of the same paper, tells that case from noise.
    """
    value, loss, sets = measured.overfitting, measured.loss_probability, measured.distinct_sets
    most, most_lost = settings.maximum_overfitting, settings.maximum_loss_probability
    requirement = f"at most {most:g}, or a probability of loss of at most {most_lost:g}"
    if sets < 2:
        words, passed = f"nothing was chosen ({sets} different parameter sets)", True
    else:
        shown = f"{value:.3f}" if known(value) else "not measurable"
        lost = f"{loss:.3f}" if known(loss) else "not measurable"
        words = f"{shown}, probability of loss {lost}, {sets} sets"
        passed = known(value) and (value <= most or (known(loss) and loss <= most_lost))
    return GateRow("overfitting (PBO)", requirement, words, passed, _weighed(measured, value))


def _weighed(measured: GateEvidence, value: float | None) -> Failure:
    """A weak figure speaks against a challenger only where data sufficed to decide."""
    required = [c for c in measured.comparisons if c.required]
    decided = bool(required) and all(c.decision == "better" for c in required)
    return "against" if decided and known(value) else "too little"


def _ruin_row(measured: GateEvidence, maximum: float) -> GateRow:
    value = measured.ruin_share
    passed = known(value) and value <= maximum
    failure: Failure = "against" if known(value) else "too little"
    return GateRow("ruin share", f"at most {maximum:g}", value, passed, failure)


def _drift_row(measured: GateEvidence) -> GateRow:
    """Any alarm counts, since the detector is too quiet to alarm often without drift."""
    requirement = f"no alarm (at most {measured.drift_level:.0%} of driftless streams raise one)"
    if measured.drift_unjudged is not None:
        return GateRow("drift", requirement, measured.drift_unjudged, False, "too little")
    alarms = measured.drift_alarms
    words = f"{alarms} alarm{'' if alarms == 1 else 's'}"
    return GateRow("drift", requirement, words, alarms == 0, "against")


def _comparison_rows(measured: GateEvidence, *, enough: bool) -> list[GateRow]:
    rows = [_comparison_row(comparison, enough) for comparison in measured.comparisons]
    if any(row.required for row in rows):
        return rows
    requirement = "a sequential test against a rival"
    return [GateRow("comparison", requirement, None, False, "too little"), *rows]


def _comparison_row(comparison: Comparison, enough: bool) -> GateRow:
    sharpe = comparison.annual_sharpe
    idle = comparison.decision == "undecided" and enough and known(sharpe) and sharpe <= 0.0
    against = comparison.decision == "worse" or idle
    shown = "not measurable" if not known(sharpe) else f"{sharpe:.2f}"
    decided = "decided by the sequential test"
    if comparison.attempt is not None:
        decided += f", attempt {comparison.attempt}, level {comparison.level:.3g}"
    return GateRow(
        f"better than {comparison.against}",
        decided if comparison.required else FOR_INFORMATION,
        f"{comparison.decision}, p = {comparison.p_value:.4f}, annual Sharpe {shown}",
        comparison.decision == "better",
        "against" if against else "too little",
        comparison.required,
    )
