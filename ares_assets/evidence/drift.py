"""Whether the world still looks like the one a model was trained in.

Belongs here: distances between feature samples, and alarms on the stream of prediction
losses with their measured false-alarm rate.  Does not belong here: deciding what to do about
drift (``gate.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ares_assets.evidence.bootstrap import resample_indices
from ares_assets.evidence.jsonable import jsonable
from ares_resources.errors import BadInput

Floats = np.ndarray | Sequence[float]


def population_stability_index(reference: Floats, current: Floats, *, bins: int = 10) -> float:
    """PSI of ``current`` against equal-mass bins of ``reference``; NaN is a bin of its own.

    Half a count is added to each bin, so that an empty one costs what its size can show and
    not infinity.  Rules of thumb: below .1 stable, above .25 changed; but see ``psi_floor``.
    """
    before, after = _sample(reference, "reference"), _sample(current, "current")
    if bins < 2:
        raise BadInput(f"bins = {bins}; needed: 2 or more")
    known = before[~np.isnan(before)]
    inner = np.unique(np.quantile(known, np.arange(1, bins) / bins)) if known.size else known
    p, q = _shares(before, inner), _shares(after, inner)
    return float(np.sum((q - p) * np.log(q / p)))


def psi_floor(reference: int, current: int, *, bins: int = 10, confidence: float = 0.95) -> float:
    """PSI that independent samples of these sizes stay below without any drift.

    PSI / (1/n + 1/m) is about chi-squared with bins - 1 degrees of freedom (Yurdakul 2018).
    Neighbouring bars are not independent: ``feature_drift`` measures its own floor.
    """
    from scipy.stats import chi2

    return float(chi2.ppf(confidence, bins - 1) * (1.0 / reference + 1.0 / current))


def kolmogorov_smirnov(reference: Floats, current: Floats) -> float:
    """Largest distance between the two empirical distributions, in [0, 1]; NaNs left out."""
    before, after = _sample(reference, "reference"), _sample(current, "current")
    before, after = np.sort(before[~np.isnan(before)]), np.sort(after[~np.isnan(after)])
    if before.size == 0 or after.size == 0:
        return float("nan")
    points = np.concatenate([before, after])
    share = [np.searchsorted(side, points, side="right") / side.size for side in (before, after)]
    return float(np.abs(share[0] - share[1]).max())


def feature_drift(
    reference: pd.DataFrame, current: pd.DataFrame, *, bins: int = 10, confidence: float = 0.95
) -> list[dict[str, Any]]:
    """PSI and KS of every column, in column order, each against the column's own floor.

    The floor is the ``confidence`` quantile of the PSI of stretches of the reference, as long
    as ``current``, against the rest of it: what this feature does without leaving its past,
    dependence of neighbours included.  At least ``psi_floor`` and .1.

    Returns
    -------
    list
        {"feature", "psi", "floor", "ks", "drifted"} with ``drifted`` = psi above floor.

    Raises
    ------
    BadInput
        Columns differ, or either frame is empty.
    """
    if list(reference.columns) != list(current.columns):
        odd = sorted(set(map(str, reference.columns)) ^ set(map(str, current.columns)))
        raise BadInput(f"features differ between reference and current: {odd or 'order'}")
    rows = []
    for name in reference.columns:
        before = _sample(reference[name].to_numpy(), str(name))
        after = _sample(current[name].to_numpy(), str(name))
        psi = population_stability_index(before, after, bins=bins)
        floor = _measured_floor(before, after.size, bins, confidence)
        ks = kolmogorov_smirnov(before, after)
        rows.append({"feature": name, "psi": psi, "floor": floor, "ks": ks, "drifted": psi > floor})
    return jsonable(rows)


def prequential_alarms(losses: Floats, *, delta: float = 0.002, largest: float = 1.0) -> list[int]:
    """Positions at which ADWIN sees the mean loss change (Bifet & Gavaldà 2007).

    Parameters
    ----------
    losses
        In time order, (n,), each of a prediction made before its outcome was known.
    delta
        ADWIN's confidence parameter: smaller is more reluctant.
    largest
        Bound of a loss, known beforehand (1 for Brier); larger ones are cut to it.  A bound
        taken from the losses would tell an early alarm about later losses.
    """
    return _alarms(_losses(losses), delta, largest)


@dataclass(frozen=True)
class PrequentialDrift:
    """Alarms of a stream of losses, and what the same losses do without drift.

    ``false_alarm_share`` is the share of driftless resamples with any alarm;
    ``chance`` the share with at least as many alarms as were seen (1 where none was).
    """

    alarms: tuple[int, ...]
    observations: int
    delta: float
    resamples: int
    false_alarm_share: float
    chance: float

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return jsonable(self)


def prequential_drift(
    losses: Floats,
    *,
    seed: int,
    delta: float = 0.002,
    largest: float = 1.0,
    mean_block: float = 20.0,
    resamples: int = 100,
) -> PrequentialDrift:
    """ADWIN alarms with their false-alarm rate measured on the losses themselves.

    Driftless sequences are stationary resamples of the losses, every stretch between changes
    first moved to the common mean: same spread, same dependence of neighbours, no change that
    lasts.  Parameters as in ``prequential_alarms``; ``mean_block`` in observations.
    """
    values = _losses(losses)
    alarms = _alarms(values, delta, largest)
    level = _levelled(values, alarms)
    block = min(mean_block, float(values.size))
    counts = np.empty(resamples, dtype=np.int64)
    for path in range(resamples):
        order = resample_indices(values.size, mean_block=block, seed=seed, path=path)
        counts[path] = len(_alarms(level[order], delta, largest))
    return PrequentialDrift(
        alarms=tuple(alarms),
        observations=values.size,
        delta=delta,
        resamples=resamples,
        false_alarm_share=float(np.mean(counts > 0)),
        chance=float(np.mean(counts >= len(alarms))),
    )


def _alarms(values: np.ndarray, delta: float, largest: float) -> list[int]:
    from river.drift import ADWIN

    if not (0.0 < delta < 1.0 and largest > 0.0):
        raise BadInput(f"delta = {delta}, largest = {largest}; allowed: in (0, 1), above 0")
    detector = ADWIN(delta=delta)
    alarms = []
    for position, loss in enumerate(np.minimum(values / largest, 1.0).tolist()):
        detector.update(loss)
        if detector.drift_detected:
            alarms.append(position)
    return alarms


def _levelled(values: np.ndarray, alarms: list[int]) -> np.ndarray:
    """The values with each stretch between changes moved to the overall mean, not below 0."""
    starts = [0]
    for alarm in alarms:
        starts.append(starts[-1] + _change_point(values[starts[-1] : alarm + 1]))
    stretches = np.split(values, sorted(set(starts) - {0}))
    moved = [stretch - stretch.mean() + values.mean() for stretch in stretches]
    return np.maximum(np.concatenate(moved), 0.0)


def _change_point(stretch: np.ndarray) -> int:
    """Where a stretch is best cut in two levels (least squares); 0 if it is too short."""
    if stretch.size < 2:
        return 0
    first = np.arange(1, stretch.size)
    gap = np.cumsum(stretch - stretch.mean())[:-1]
    return int(np.argmax(gap**2 / (first * (stretch.size - first)))) + 1


def _measured_floor(before: np.ndarray, length: int, bins: int, confidence: float) -> float:
    floors = [0.1, psi_floor(before.size, length, bins=bins, confidence=confidence)]
    stretches = before.size // max(length, 1)
    if stretches >= 3:
        parts = np.array_split(before, stretches)
        distances = [
            population_stability_index(
                np.concatenate(parts[:k] + parts[k + 1 :]), parts[k], bins=bins
            )
            for k in range(stretches)
        ]
        floors.append(float(np.quantile(distances, confidence)))
    return max(floors)


def _shares(values: np.ndarray, inner: np.ndarray) -> np.ndarray:
    known = values[~np.isnan(values)]
    place = np.searchsorted(inner, known, side="left")
    counts = np.r_[np.bincount(place, minlength=inner.size + 1), values.size - known.size] + 0.5
    return counts / counts.sum()


def _sample(values: Floats, name: str) -> np.ndarray:
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or sample.size == 0:
        raise BadInput(f"{name} has shape {sample.shape}; needed: (n,), not empty")
    return sample


def _losses(losses: Floats) -> np.ndarray:
    values = _sample(losses, "losses")
    bad = ~(np.isfinite(values) & (values >= 0.0))
    if bad.any():
        first = int(np.argmax(bad))
        raise BadInput(f"losses[{first}] = {values[first]}; allowed: finite, 0 or more")
    return values
