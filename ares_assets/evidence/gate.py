"""The one release gate: every requirement in a row, one verdict, one reason.

Belongs here: the decision, from figures measured elsewhere.  Does not belong here: measuring,
and moving the released alias.

Three verdicts.  "keep": something speaks against the challenger.  "insufficient evidence":
nothing does, but there is too little data to know.  "promote": every row passed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeGuard

from ares_assets.evidence.jsonable import jsonable
from ares_assets.evidence.power import describe_data_needed
from ares_assets.evidence.sequential import Decision

Verdict = Literal["promote", "keep", "insufficient evidence"]
Failure = Literal["", "against", "too little"]

DRIFT_CHANCE = 0.05


class GateRequirements(Protocol):
    """The part of ``settings.GateSettings`` that the gate reads."""

    @property
    def minimum_deflated_sharpe(self) -> float: ...
    @property
    def maximum_overfitting(self) -> float: ...
    @property
    def maximum_ruin(self) -> float: ...
    @property
    def minimum_trades(self) -> int: ...


@dataclass(frozen=True)
class Comparison:
    """Outcome of one sequential test: against "champion", "no trade" or "buy and hold".

    ``annual_sharpe`` is that of the daily differences.  Only where ``required`` does it
    decide; otherwise its row informs.
    """

    against: str
    decision: Decision
    p_value: float
    annual_sharpe: float | None
    required: bool = True


@dataclass(frozen=True)
class GateEvidence:
    """Everything that was measured on the holdout; None is "could not be measured".

    ``trials`` is the ledger's count behind ``deflated_sharpe``; ``days`` the holdout's days;
    ``track_record_days`` the minimum track record length, infinite where the Sharpe ratio is
    not positive; ``drift_alarms`` and ``drift_chance`` come from
    ``drift.prequential_drift``.
    """

    deflated_sharpe: float | None
    trials: int
    overfitting: float | None
    ruin_share: float | None
    trades: int
    days: float
    annual_sharpe: float | None
    track_record_days: float | None
    comparisons: tuple[Comparison, ...]
    drift_alarms: int = 0
    drift_chance: float = 1.0


@dataclass(frozen=True)
class GateRow:
    """One requirement: ``measured`` is a number, a word, or None; ``required`` rows decide.

    ``failure`` says what a row that did not pass means: "against" the challenger, or "too
    little" data.
    """

    name: str
    requirement: str
    measured: float | int | str | None
    passed: bool
    failure: Failure = ""
    required: bool = True


@dataclass(frozen=True)
class GateReport:
    """All rows, the verdict, and why in plain words."""

    rows: tuple[GateRow, ...]
    verdict: Verdict
    reason: str

    def table(self) -> list[dict[str, Any]]:
        """Rows for people: name, requirement, measured, passed."""
        names = ("name", "requirement", "measured", "passed")
        return [jsonable({name: getattr(row, name) for name in names}) for row in self.rows]

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
    rows = (
        _degraded_row(degraded),
        _trades_row(measured, settings.minimum_trades),
        _track_record_row(measured),
        _deflated_row(measured, settings.minimum_deflated_sharpe),
        _overfitting_row(measured, settings.maximum_overfitting),
        _ruin_row(measured, settings.maximum_ruin),
        _drift_row(measured),
        *_comparison_rows(measured, enough=measured.trades >= settings.minimum_trades),
    )
    verdict = _verdict(rows)
    return GateReport(rows, verdict, _reason(rows, verdict, measured))


def _verdict(rows: Iterable[GateRow]) -> Verdict:
    failures = {row.failure for row in rows if row.required and not row.passed}
    if "against" in failures:
        return "keep"
    return "insufficient evidence" if failures else "promote"


def _reason(rows: Sequence[GateRow], verdict: Verdict, measured: GateEvidence) -> str:
    if verdict == "promote":
        return "every requirement is met"
    kind: Failure = "against" if verdict == "keep" else "too little"
    failed = [row for row in rows if row.required and not row.passed and row.failure == kind]
    reasons = [f"{row.name}: {_shown(row.measured)}, required {row.requirement}" for row in failed]
    if verdict == "insufficient evidence":
        reasons.append(_data_needed(measured))
    return "; ".join(reasons)


def _data_needed(measured: GateEvidence) -> str:
    """What is missing, from the least clear comparison that is required."""
    sharpes = [
        c.annual_sharpe
        for c in measured.comparisons
        if c.required and c.decision == "undecided" and _known(c.annual_sharpe)
    ]
    if not sharpes and _known(measured.annual_sharpe):
        sharpes = [measured.annual_sharpe]
    if not sharpes:
        return "without a measurable Sharpe ratio it cannot be said how much data would do"
    return describe_data_needed(min(sharpes), measured.days)


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


def _deflated_row(measured: GateEvidence, minimum: float) -> GateRow:
    value = measured.deflated_sharpe
    passed = _known(value) and value >= minimum
    name = f"deflated Sharpe ({measured.trials} trials)"
    return GateRow(name, f"at least {minimum:g}", value, passed, _weighed(measured, value))


def _overfitting_row(measured: GateEvidence, maximum: float) -> GateRow:
    value = measured.overfitting
    passed = _known(value) and value <= maximum
    failure = _weighed(measured, value)
    return GateRow("overfitting (PBO)", f"at most {maximum:g}", value, passed, failure)


def _weighed(measured: GateEvidence, value: float | None) -> Failure:
    """A weak DSR or PBO speaks against a challenger only where data sufficed to decide."""
    required = [c for c in measured.comparisons if c.required]
    decided = bool(required) and all(c.decision == "better" for c in required)
    return "against" if decided and _known(value) else "too little"


def _ruin_row(measured: GateEvidence, maximum: float) -> GateRow:
    value = measured.ruin_share
    passed = _known(value) and value <= maximum
    failure: Failure = "against" if _known(value) else "too little"
    return GateRow("ruin share", f"at most {maximum:g}", value, passed, failure)


def _drift_row(measured: GateEvidence) -> GateRow:
    """Alarms count only where driftless sequences seldom raise as many."""
    passed = measured.drift_alarms == 0 or measured.drift_chance > DRIFT_CHANCE
    words = f"{measured.drift_alarms} alarms, chance {measured.drift_chance:.3f}"
    requirement = f"no more alarms than {DRIFT_CHANCE:.0%} of driftless streams raise"
    return GateRow("drift", requirement, words, passed, "against")


def _comparison_rows(measured: GateEvidence, *, enough: bool) -> list[GateRow]:
    rows = [_comparison_row(comparison, enough) for comparison in measured.comparisons]
    if any(row.required for row in rows):
        return rows
    requirement = "a sequential test against a rival"
    return [GateRow("comparison", requirement, None, False, "too little"), *rows]


def _comparison_row(comparison: Comparison, enough: bool) -> GateRow:
    sharpe = comparison.annual_sharpe
    idle = comparison.decision == "undecided" and enough and _known(sharpe) and sharpe <= 0.0
    against = comparison.decision == "worse" or idle
    shown = "not measurable" if not _known(sharpe) else f"{sharpe:.2f}"
    return GateRow(
        f"better than {comparison.against}",
        "decided by the sequential test" if comparison.required else "for information",
        f"{comparison.decision}, p = {comparison.p_value:.4f}, annual Sharpe {shown}",
        comparison.decision == "better",
        "against" if against else "too little",
        comparison.required,
    )


def _shown(value: float | int | str | None) -> str:
    if value is None:
        return "not measurable"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _known(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)
