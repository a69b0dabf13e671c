"""Proofs, on the stored results of a run, that no step saw what it may not see.

Belongs here: the bodies of the leak checks, as functions of artifacts: what was found, and
whether it is as it must be.  Does not belong here: Dagster (``checks.py``), which check
blocks (``check_list.py``), and anything that a step needs for its result.

Which leak is caught by what:

- ``future.py``, ``outcomes.py``, ``release.py``: code that reads later bars, however it does
  so.  The bars from a row on are cut away, and once more replaced by others; nothing before may
  change, and no weight anywhere.
- ``folds.py``: training events whose label overlaps what they are judged on.
- ``votes.py``, ``tactician_votes.py``, ``ranking.py``, ``admission.py``: stored predictions, a
  choice of features, and a gain, that are not those of such folds; ``tactician_figures.py``:
  figures that are not those of the stored votes.
- ``final_models.py``, ``choices.py``: a released model, a weight, a calibrator, that came of rows
  beyond those of its role; no fold shows it, and no bar that is cut away.
- ``chance.py``: an evaluation that lets a label through to its own prediction (coin labels
  are predicted better than a coin), and features that know their label although the code is
  sound, because the DATA is shifted in time (too good to be true).

What all of them read of steps 4 and 8 goes through ``evidence.py``.
"""
