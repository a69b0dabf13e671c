"""The one release gate: every requirement in a row, one verdict, one reason.

Belongs here: the decision, from figures measured elsewhere.  Does not belong here: measuring,
the form of the figures (``gate_evidence.py``), and moving the released alias.

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
from ares_assets.evidence.jsonable import jsonable
from ares_assets.evidence.verdict_words import in_full

FOR_INFORMATION = "for information"
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
    on_holdout = f"deflated Sharpe on the holdout ({measured.looks} looks)"
    rows = (
        _degraded_row(degraded),
        _trades_row(measured, settings.minimum_trades),
        _track_record_row(measured),
        _at_least(on_development, measured.deflated_development, deflated, measured),
        _at_least(on_holdout, measured.deflated_holdout, deflated, measured),
        _overfitting_row(measured, settings.maximum_overfitting),
        _ruin_row(measured, settings.maximum_ruin),
        _gain_row("return at stressed costs", measured.return_costs_stressed, measured),
        _gain_row("return with later fills", measured.return_latency_stressed, measured),
        _drift_row(measured, settings.minimum_drift_chance),
        *_comparison_rows(measured, enough=measured.trades >= settings.minimum_trades),
        *_informing_rows(measured),
    )
    verdict = _verdict(rows)
    reason = in_full(rows, verdict, measured, minimum_trades=settings.minimum_trades)
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


def _overfitting_row(measured: GateEvidence, maximum: float) -> GateRow:
    value = measured.overfitting
    passed = known(value) and value <= maximum
    failure = _weighed(measured, value)
    return GateRow("overfitting (PBO)", f"at most {maximum:g}", value, passed, failure)


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


def _drift_row(measured: GateEvidence, minimum: float) -> GateRow:
    """Alarms count only where driftless sequences seldom raise as many; unwatched, none can."""
    requirement = f"no more alarms than {minimum:.0%} of driftless streams raise"
    if measured.drift_unjudged is not None:
        return GateRow("drift", requirement, measured.drift_unjudged, False, "too little")
    passed = measured.drift_alarms == 0 or measured.drift_chance > minimum
    words = f"{measured.drift_alarms} alarms, chance {measured.drift_chance:.3f}"
    return GateRow("drift", requirement, words, passed, "against")


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
    return GateRow(
        f"better than {comparison.against}",
        "decided by the sequential test" if comparison.required else FOR_INFORMATION,
        f"{comparison.decision}, p = {comparison.p_value:.4f}, annual Sharpe {shown}",
        comparison.decision == "better",
        "against" if against else "too little",
        comparison.required,
    )


def _informing_rows(measured: GateEvidence) -> list[GateRow]:
    """What people want to see beside the requirements; what was not measured has no row."""
    spa, calibrated, band = (
        measured.search_p_value,
        measured.calibration_within_noise,
        measured.equity_low,
    )
    rows: list[tuple[str, float | str | None, bool]] = [
        ("superior predictive ability (SPA p)", spa, known(spa) and spa <= measured.level),
        (
            "calibration on the holdout",
            None if calibrated is None else ("within noise" if calibrated else "beyond noise"),
            bool(calibrated),
        ),
        ("equity band from prediction sets, 5 %", band, known(band) and band > 1.0),
        ("champion", measured.champion_remark, True),
    ]
    return [
        GateRow(name, FOR_INFORMATION, value, passed, required=False)
        for name, value, passed in rows
        if value is not None
    ]
