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
    def maximum_loss_probability(self) -> float: ...
    @property
    def maximum_ruin(self) -> float: ...
    @property
    def minimum_trades(self) -> int: ...


@dataclass(frozen=True)
class Comparison:
    """Outcome of one sequential test: against "champion", "no trade" or "buy and hold".

    ``annual_sharpe`` is that of the daily differences.  Only where ``required`` does it
    decide; otherwise its row informs.  ``level`` is that of the test; ``attempt`` counts the
    challengers that faced this champion up to this one, None against anybody else.
    """

    against: str
    decision: Decision
    p_value: float
    annual_sharpe: float | None
    required: bool = True
    level: float = 0.05
    attempt: int | None = None


@dataclass(frozen=True)
class GateEvidence:
    """Everything that was measured; None is "could not be measured".

    Parameters
    ----------
    deflated_development, trials
        DSR of the chosen parameter set on development, deflated by every trial in the ledger.
    deflated_holdout, looks
        DSR on the holdout, deflated by how often this partition's holdout was looked at.
    overfitting, loss_probability, distinct_sets
        PBO of the search; share of its splits whose chosen set lost money out of sample; how
        many different parameter sets there were to choose among.
    ruin_share
        Bootstrap share of ruined paths.
    return_costs_stressed, return_latency_stressed
        Total holdout return, a fraction, at dearer costs and with later fills.
    trades, days, annual_sharpe
        Of the holdout; whole days that the sequential tests saw.
    track_record_days
        Minimum track record length; infinite where the Sharpe ratio is not positive.
    comparisons
        The sequential tests.
    drift_alarms, drift_level, drift_unjudged, drift_blocks
        Of ``loss_drift.prequential_drift``; ``drift_level`` is the share of driftless streams
        that may alarm, ``drift_unjudged`` says why none could be told; ``drift_blocks`` counts
        the blocks of losses, of the calibration slice and the holdout together.
    level, holdout_share
        Level of the sequential tests, and the holdout's share of the window.
    development_sharpe, development_days, development_share
        Annual Sharpe ratio of the chosen set on development, its days there, and their share
        of the window: from these the words tell how many days would do.
    search_p_value, calibration_within_noise, equity_low, champion_remark, day_dependence, loosened
        For information alone; absent (None, empty) gives no row.  ``equity_low`` is the 5 %
        quantile of final equity, 1 being what one started with; ``day_dependence`` the lag-1
        autocorrelation of the holdout's daily returns; ``loosened`` has words of
        ``loosened.py``.
    """

    deflated_development: float | None
    trials: int
    deflated_holdout: float | None
    looks: int
    overfitting: float | None
    loss_probability: float | None
    distinct_sets: int
    ruin_share: float | None
    return_costs_stressed: float | None
    return_latency_stressed: float | None
    trades: int
    days: float
    annual_sharpe: float | None
    track_record_days: float | None
    comparisons: tuple[Comparison, ...]
    drift_alarms: int
    drift_level: float
    drift_unjudged: str | None
    drift_blocks: int | None = None
    level: float = 0.05
    holdout_share: float = 0.2
    development_sharpe: float | None = None
    development_days: float | None = None
    development_share: float = 0.7
    search_p_value: float | None = None
    calibration_within_noise: bool | None = None
    equity_low: float | None = None
    champion_remark: str | None = None
    day_dependence: float | None = None
    loosened: tuple[str, ...] = ()


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
