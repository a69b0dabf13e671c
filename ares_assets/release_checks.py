"""The asset checks of the evidence: calibration on the holdout, and the gate's verdict.

Belongs here: judging a stored report or release by the stored evidence.  Does not belong here:
the gate (``evidence/gate.py``), and proofs on the bundle itself (``leak_proof/release.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ares_assets.step15_rivals import RIVALS
from ares_assets.stored import Finding, Stored

if TYPE_CHECKING:
    from ares_assets.evidence.gate_evidence import GateEvidence


def release_gate_holds(stored: Stored) -> Finding:
    """The gate, asked again of what steps 13 to 15 stored, gives the table that was acted on.

    The test against no trade is made anew from the stored returns; other comparisons are taken
    as step 15 stored them.
    """
    from ares_assets.evidence.gate import contradiction, release_gate

    tested, released = stored["ab_test_report"], stored["model_release"]
    report = tested.load()
    verdict = report["verdict"]
    told = [released.metadata["verdict"], tested.metadata["verdict"]]
    if told != [verdict, verdict]:
        return Finding(False, f"step 15 reports {verdict!r}, and it and step 16 tell {told}")
    wrong = contradiction(verdict, report["gate"], released.degraded)
    if wrong is not None:
        return Finding(False, wrong)
    measured = _measured_again(stored)
    again = release_gate(measured, stored.settings.gate, report["degraded"])
    for stands, row in zip(report["gate"], again.table(), strict=True):
        if stands != row:
            return Finding(False, f"{row['name']}: {stands} was acted on, but {row} is found")
    failed = sum(row["required"] and not row["passed"] for row in report["gate"])
    words = f"verdict {verdict!r}, {failed} of its required rows fail"
    return Finding(verdict == again.verdict, words, {"failed_rows": failed})


def probabilities_are_calibrated(stored: Stored) -> Finding:
    """Step 13's figures of the holdout: probabilities within noise, sets not under their band.

    The gate shows this row for information; so the check warns and stops nothing.
    """
    found = stored["walk_forward_report"].load()["report.json"]["calibration"]
    if found["holds"] is None:
        return Finding(False, "the holdout has no labelled event to judge by")
    sets, p = found["conformal"], found["spiegelhalter_p"]
    figures = {
        "events": found["events"],
        "ece": found["ece"],
        "ece_noise_95": found["ece_noise_95"],
        "spiegelhalter_p": p,
        "coverage": sets["coverage"],
        "coverage_low": sets["coverage_low"],
    }
    words = (
        f"calibration error {found['ece']:.4f} (noise alone stays under "
        f"{found['ece_noise_95']:.4f} in 95 %), "
        f"Spiegelhalter's p {'not measurable' if p is None else f'{p:.3f}'}, "
        f"coverage {sets['coverage']:.3f} (at least {sets['coverage_low']:.3f})"
    )
    return Finding(bool(found["holds"]), words, figures)


def _measured_again(stored: Stored) -> GateEvidence:
    import numpy as np

    from ares_assets.evidence.gate_evidence import Comparison
    from ares_assets.step15_ab_testing import compare, measured_of
    from ares_assets.step15_rivals import stretch_of

    settings, walk = stored.settings, stored["walk_forward_report"]
    stretch = stretch_of(stored["market_data"], walk)
    report = stored["ab_test_report"].load()
    comparisons = {name: Comparison(**t["comparison"]) for name, t in report["tests"].items()}
    idle = np.zeros(len(stretch.days))
    comparisons["no trade"], _ = compare(settings, stretch, idle, name="no trade")
    # The report has sorted the names; the gate's rows are in the order of the tests.
    rivals = [name for name in RIVALS if name in comparisons]
    return measured_of(
        settings,
        walk,
        stored["monte_carlo_report"],
        [comparisons[name] for name in rivals],
        stretch,
        report["champion_remark"],
    )
