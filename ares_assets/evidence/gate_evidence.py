"""What the release gate is told, and the form of its rows.

Belongs here: the measured figures as data, and one requirement's row.  Does not belong here:
the requirements (``gate.py``), their words (``verdict_words.py``) and measuring.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol, TypeGuard

from ares_assets.evidence.sequential import Decision

Verdict = Literal["promote", "keep", "insufficient evidence"]
Failure = Literal["", "against", "too little"]


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
    @property
    def minimum_drift_chance(self) -> float: ...


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
    """Everything that was measured; None is "could not be measured".

    Parameters
    ----------
    deflated_development, trials
        DSR of the chosen parameter set on development, deflated by every trial in the ledger.
    deflated_holdout, looks
        DSR on the holdout, deflated by how often this partition's holdout was looked at.
    overfitting, ruin_share
        PBO of the search; bootstrap share of ruined paths.
    return_costs_stressed, return_latency_stressed
        Total holdout return, a fraction, at dearer costs and with later fills.
    trades, days, annual_sharpe
        Of the holdout; whole days that the sequential tests saw.
    track_record_days
        Minimum track record length; infinite where the Sharpe ratio is not positive.
    comparisons
        The sequential tests.
    drift_alarms, drift_chance, drift_unjudged
        Of ``loss_drift.prequential_drift``; ``drift_unjudged`` says why none could be told.
    level, holdout_share
        Level of the sequential tests, and the holdout's share of the window.
    search_p_value, calibration_within_noise, equity_low, champion_remark
        For information alone; absent (None) gives no row.  ``equity_low`` is the 5 % quantile
        of final equity, 1 being what one started with.
    """

    deflated_development: float | None
    trials: int
    deflated_holdout: float | None
    looks: int
    overfitting: float | None
    ruin_share: float | None
    return_costs_stressed: float | None
    return_latency_stressed: float | None
    trades: int
    days: float
    annual_sharpe: float | None
    track_record_days: float | None
    comparisons: tuple[Comparison, ...]
    drift_alarms: int = 0
    drift_chance: float = 1.0
    drift_unjudged: str | None = None
    level: float = 0.05
    holdout_share: float = 0.2
    search_p_value: float | None = None
    calibration_within_noise: bool | None = None
    equity_low: float | None = None
    champion_remark: str | None = None


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


def known(value: float | None) -> TypeGuard[float]:
    """Whether a figure was measured at all."""
    return value is not None and math.isfinite(value)
