"""The gate's rows that inform and decide nothing.

Belongs here: what people want to see beside the requirements.  Does not belong here: the
requirements (``gate.py``) and measuring.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from ares_assets.evidence.gate_evidence import GateEvidence, GateRow, known

FOR_INFORMATION = "for information"
_DEPENDENCE_LEVEL = 0.05


def informing_rows(measured: GateEvidence) -> list[GateRow]:
    """What was not measured, or is as by default, has no row."""
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
        _dependence(measured),
        ("champion", measured.champion_remark, True),
        ("requirements looser than the defaults", "; ".join(measured.loosened) or None, False),
    ]
    return [
        GateRow(name, FOR_INFORMATION, value, passed, required=False)
        for name, value, passed in rows
        if value is not None
    ]


def _dependence(measured: GateEvidence) -> tuple[str, str | None, bool]:
    """Lag-1 autocorrelation against its normal limit of independent days, 1.645 / sqrt(n).

    Box, Jenkins, Reinsel & Ljung (2015), Time Series Analysis, ch. 2.1.6.  One-sided: only
    days that follow their predecessor make the tests err more often than they say.
    """
    name, value = "dependence of days", measured.day_dependence
    if not known(value) or measured.days <= 0:
        return name, None, False
    limit = NormalDist().inv_cdf(1.0 - _DEPENDENCE_LEVEL) / math.sqrt(measured.days)
    words = f"lag-1 autocorrelation {value:.3f}, of independent days at most {limit:.3f} in 95 %"
    return name, words, value <= limit
