"""What is chosen, and not trained: the analysts' weights, and the calibrator.

Belongs here: the proofs that steps 7 and 11 chose by the events of their own role alone.  Does
not belong here: how a step is carried out again (``made_again.py``), what step 10 chooses
(``tactician_figures.py``), and trained models (``final_models.py``).
"""

from __future__ import annotations

from ares_assets.stored import Stored


def ensemble_saw_development_only(stored: Stored) -> tuple[bool, str]:
    """Step 7, carried out again on the events of development alone, stores the same.

    Weights, members and their files, the joint probability and all figures.  Catches weights
    that were chosen by calibration events, and members other than those that steps 5 and 6
    trained.
    """
    return _chosen_within(stored, "analyst_ensemble", "development")


def calibrator_saw_its_slice_only(stored: Stored) -> tuple[bool, str]:
    """Step 11, carried out again on the events of calibration alone, stores the same.

    Calibrator, prediction sets, report and all figures.  Catches a calibrator, or a choice
    of its method, that read events which the models were trained on, or judged bars.
    """
    return _chosen_within(stored, "calibrated_confidence", "calibration")


def _chosen_within(stored: Stored, step: str, role: str) -> tuple[bool, str]:
    from ares_assets.leak_proof.evidence import confined
    from ares_assets.leak_proof.made_again import made_otherwise

    instead = confined(stored, role)
    fault = made_otherwise(stored, step, {"analyst_dataset": instead})
    own = int(instead["events.parquet"]["member"].sum())
    if fault is not None:
        return False, f"{fault} of the {own} events of {role} alone"
    return True, f"{own} events of {role}, and no other, give what is stored"
