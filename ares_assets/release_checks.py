"""The asset checks of the evidence: calibration on the holdout, and the gate's verdict.

Belongs here: judging a stored report or release by the stored evidence.  Does not belong here:
the gate (``evidence/gate.py``), and proofs on the bundle itself (``leak_proof/release.py``).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ares_assets.step15_measured import compare, measured_of
from ares_assets.step15_rivals import (
    NO_CHAMPION,
    baselines_of,
    can_be_replayed,
    challenger_identity,
    release_store,
    stretch_of,
)
from ares_assets.stored import Finding, Stored
from ares_resources.storage.attempts import Attempts

if TYPE_CHECKING:
    from ares_assets.evidence.gate_evidence import GateEvidence


def release_gate_holds(stored: Stored) -> Finding:
    """The gate, asked again of what steps 13 to 15 stored, gives the table that was acted on.

    Every sequential test is made anew: of the stored returns, and of those that step 15 stored
    of the champion.  Whether there was a champion to beat, and the how-manieth attempt at it
    this was, stands beside the releases and not only in the report.
    """
    from ares_assets.evidence.gate import contradiction, release_gate

    tested, released = stored["ab_test_report"], stored["model_release"]
    report = tested.load()
    verdict = report["verdict"]
    told = [released.metadata["verdict"], tested.metadata["verdict"]]
    if told != [verdict, verdict]:
        return Finding(False, f"step 15 reports {verdict!r}, and it and step 16 tell {told}")
    wrong = contradiction(verdict, report["gate"], released.degraded) or _wrong_champion(stored)
    if wrong is not None:
        return Finding(False, wrong)
    again = release_gate(_measured_again(stored), stored.settings.gate, _degraded(stored))
    table = again.table()
    if len(report["gate"]) != len(table):
        words = f"{len(report['gate'])} rows were acted on, {len(table)} are found"
        return Finding(False, f"{words}: {', '.join(_names_apart(report['gate'], table))}")
    for stands, row in zip(report["gate"], table, strict=True):
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
    sets, p = found["conformal"], found["spiegelhalter_p_fitted"]
    figures = {
        "events": found["events"],
        "ece": found["ece"],
        "ece_noise_95_fitted": found["ece_noise_95_fitted"],
        "spiegelhalter_p_fitted": p,
        "coverage": sets["coverage"],
        "coverage_low": sets["coverage_low"],
    }
    words = (
        f"calibration error {found['ece']:.4f} (a sound calibrator stays under "
        f"{found['ece_noise_95_fitted']:.4f} in 95 %), "
        f"Spiegelhalter's p {'not measurable' if p is None else f'{p:.3f}'}, "
        f"coverage {sets['coverage']:.3f} (at least {sets['coverage_low']:.3f})"
    )
    return Finding(bool(found["holds"]), words, figures)


def _names_apart(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> list[str]:
    """Names of the rows that only one of two tables has, or has more than once."""
    first, second = Counter(row["name"] for row in one), Counter(row["name"] for row in other)
    return sorted(((first - second) + (second - first)).elements())


def _degraded(stored: Stored) -> list[str]:
    """What step 15 said degrades the comparison, and what its inputs say of themselves."""
    inputs = (stored["monte_carlo_report"], stored["walk_forward_report"])
    told = stored["ab_test_report"].load()["degraded"]
    return sorted({*told, *(reason for artifact in inputs for reason in artifact.degraded)})


def _wrong_champion(stored: Stored) -> str | None:
    """What the report says of the champion that the releases do not bear out."""
    from ares_assets.evidence.paired_days import decides_nothing

    tested = stored["ab_test_report"]
    report, challenger = tested.load(), challenger_identity(stored)
    champion, attempt = report["champion"], report["attempt"]
    against = [tested.metadata["champion"], stored["model_release"].metadata["judged_against"]]
    if against != [champion, champion]:
        return f"step 15 reports the champion {champion!r}, and it and step 16 tell {against}"
    store = release_store(stored)
    attempts = Attempts(store.root)
    daily = report["champion_daily"]
    if champion == NO_CHAMPION:
        # A version that was taken back is never live again, and bars nothing.
        standing = [one for one in attempts.faced_by(challenger) if store.withdrawn(one) is None]
        if standing:
            return f"judged without a champion, but {standing[0]!r} was there to beat"
        return "compared with a champion where there is none" if daily else None
    days = len(stretch_of(stored["market_data"], stored["walk_forward_report"]).days)
    known = attempts.number(champion, challenger)
    if attempt is None and not decides_nothing(days):
        return f"no attempt at the champion is told, but its {days} days can settle something"
    if attempt is not None and attempt != known:
        return f"attempt {attempt} at the champion is told, {known} is recorded"
    # A champion that was tested may have been pruned since; one that still stands must have been.
    if daily is None and can_be_replayed(store, champion):
        return f"the champion {champion!r} can be replayed, but was not compared with"
    if daily is not None and len(daily) != days:
        return f"the champion has {len(daily)} days, the challenger {days}"
    return None


def _measured_again(stored: Stored) -> GateEvidence:
    import numpy as np

    settings, walk = stored.settings, stored["walk_forward_report"]
    stretch = stretch_of(stored["market_data"], walk)
    report = stored["ab_test_report"].load()
    rivals = baselines_of(stored["market_data"], walk, stretch)
    if report["champion_daily"] is not None:
        rivals = {"champion": np.asarray(report["champion_daily"], np.float64), **rivals}
    comparisons = [
        compare(settings, stretch, rival, name=name, attempt=report["attempt"])[0]
        for name, rival in rivals.items()
    ]
    return measured_of(
        settings,
        walk,
        stored["monte_carlo_report"],
        comparisons,
        stretch,
        report["champion_remark"],
    )
