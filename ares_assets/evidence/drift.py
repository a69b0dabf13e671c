"""Whether the world still looks like the one a model was trained in.

Belongs here: distances between feature samples, each with its measured floor.  Does not belong
here: the model's losses (``loss_drift.py``), and what to do about drift (``drift_response.py``,
``gate.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ares_assets.evidence.jsonable import jsonable
from ares_resources.errors import BadInput

Floats = np.ndarray | Sequence[float]

_LEAST_DISTANCE = 1e-6
_LEAST_STRETCHES = 3


def population_stability_index(reference: Floats, current: Floats, *, bins: int = 10) -> float:
    """PSI of ``current`` against equal-mass bins of ``reference``; NaN is a bin of its own.

    Half a count is added to each bin, so that an empty one costs what its size can show and
    not infinity.  Rules of thumb: below .1 stable, above .25 changed; but see ``psi_floor``.
    """
    before, after = _sample(reference, "reference"), _sample(current, "current")
    inner = _inner_edges(before, bins)
    p, q = (_shares(_counts(values, inner)) for values in (before, after))
    return float(np.sum((q - p) * np.log(q / p)))


def occupied_bins(reference: Floats, current: Floats, *, bins: int = 10) -> int:
    """How many of the bins of `population_stability_index` hold a value of either sample.

    Ties leave fewer than ``bins``; missing values, where there are some, fill one more.
    """
    before, after = _sample(reference, "reference"), _sample(current, "current")
    inner = _inner_edges(before, bins)
    return int(np.count_nonzero(_counts(before, inner) + _counts(after, inner)))


def psi_floor(reference: int, current: int, *, bins: int = 10, confidence: float = 0.95) -> float:
    """PSI that independent samples of these sizes stay below without any drift.

    PSI / (1/n + 1/m) is about chi-squared with bins - 1 degrees of freedom (Yurdakul 2018), where
    ``bins`` are those that hold something (``occupied_bins``); with one of them there is no PSI
    and the floor is 0.  Neighbouring bars are not independent: ``feature_drift`` measures its own
    floor.
    """
    from scipy.stats import chi2

    if bins < 2:
        return 0.0
    return float(chi2.ppf(confidence, bins - 1) * (1.0 / reference + 1.0 / current))


def kolmogorov_smirnov(reference: Floats, current: Floats) -> float:
    """Largest distance between the two empirical distributions, in [0, 1]; NaNs left out."""
    before, after = _sample(reference, "reference"), _sample(current, "current")
    return _largest_distance(
        np.concatenate([before, after]), np.arange(before.size + after.size) >= before.size
    )


def kolmogorov_smirnov_floor(reference: int, current: int, *, confidence: float = 0.95) -> float:
    """Distance that independent samples of these sizes stay below without any drift (Smirnov)."""
    scale = np.sqrt(-0.5 * np.log((1.0 - confidence) / 2.0))
    return float(scale * np.sqrt(1.0 / reference + 1.0 / current))


def feature_drift(
    reference: pd.DataFrame, current: pd.DataFrame, *, bins: int = 10, confidence: float = 0.95
) -> list[dict[str, Any]]:
    """PSI and KS of every column, in column order, each against the column's own floor.

    A floor is what one more of the distances of stretches of the reference, as long as
    ``current``, to the rest of it stays below with ``confidence``: what this feature does
    without leaving its past, dependence of neighbours included.  At least that of independent
    samples (``psi_floor``, ``kolmogorov_smirnov_floor``), and .1 for PSI.  Of a past shorter
    than three stretches nothing can be measured, and nothing is called drifted.

    Returns
    -------
    list
        {"feature", "psi", "floor", "ks", "ks_floor", "stretches", "drifted", "ks_drifted"}: which
        of the two distances are above their floors.  Missing values are seen by PSI alone.

    Raises
    ------
    BadInput
        Columns differ, or either frame is empty.
    """
    if list(reference.columns) != list(current.columns):
        odd = sorted(set(map(str, reference.columns)) ^ set(map(str, current.columns)))
        raise BadInput(f"features differ between reference and current: {odd or 'order'}")
    return jsonable(
        [
            {"feature": name, **_compared(name, reference[name], current[name], bins, confidence)}
            for name in reference.columns
        ]
    )


def _compared(
    name: str, reference: pd.Series, current: pd.Series, bins: int, confidence: float
) -> dict[str, Any]:
    before = _sample(reference.to_numpy(), str(name))
    after = _sample(current.to_numpy(), str(name))
    psi = population_stability_index(before, after, bins=bins)
    ks = kolmogorov_smirnov(before, after)
    count = before.size // max(after.size, 1)
    measured = count >= _LEAST_STRETCHES
    psi_least, ks_least = _wandering(before, count, bins, confidence) if measured else (0.0, 0.0)
    sizes = before.size, after.size
    held = occupied_bins(before, after, bins=bins)
    floor = max(0.1, psi_floor(*sizes, bins=held, confidence=confidence), psi_least)
    ks_floor = max(kolmogorov_smirnov_floor(*sizes, confidence=confidence), ks_least)
    return {
        "psi": psi,
        "floor": floor,
        "ks": ks,
        "ks_floor": ks_floor,
        "stretches": count,
        "drifted": measured and psi > floor,
        "ks_drifted": measured and ks > ks_floor,
    }


def _wandering(before: np.ndarray, count: int, bins: int, confidence: float) -> tuple[float, ...]:
    """What PSI and KS between one of so many stretches of the past and its rest stay below."""
    part = np.repeat(np.arange(count), [len(p) for p in np.array_split(before, count)])
    order = np.argsort(before, kind="stable")
    found = [
        (
            population_stability_index(before[part != k], before[part == k], bins=bins),
            _largest_distance(before[order], part[order] == k, ascending=True),
        )
        for k in range(count)
    ]
    return tuple(_prediction_bound(distances, confidence) for distances in np.array(found).T)


def _prediction_bound(distances: np.ndarray, confidence: float) -> float:
    """What one more distance of the same law stays below; 0 where one is undefined.

    Of k distances the largest is passed by one more with probability 1 / (k + 1), far too often
    for the handful at hand; so a normal law of their logarithms, with Student's allowance for
    its estimate.
    """
    from scipy.stats import t as student

    if np.isnan(distances).any():
        return 0.0
    logs, count = np.log(np.maximum(distances, _LEAST_DISTANCE)), distances.size
    reach = student.ppf(confidence, count - 1) * np.sqrt(1.0 + 1.0 / count)
    return float(np.exp(logs.mean() + reach * logs.std(ddof=1)))


def _largest_distance(values: np.ndarray, second: np.ndarray, *, ascending: bool = False) -> float:
    """KS of the values that are ``second`` against the others; NaN where either has none."""
    if not ascending:
        order = np.argsort(values, kind="stable")
        values, second = values[order], second[order]
    known = ~np.isnan(values)
    values, second = values[known], second[known]
    of_second = int(second.sum())
    if of_second in (0, values.size):
        return float("nan")
    ahead = np.cumsum(second) / of_second - np.cumsum(~second) / (values.size - of_second)
    # Equal values step together: only the last of them is a point of the distributions.
    last = np.append(values[1:] != values[:-1], True)
    return float(np.abs(ahead[last]).max())


def _inner_edges(reference: np.ndarray, bins: int) -> np.ndarray:
    """What parts equal-mass bins of the reference, ascending; fewer than bins - 1 with ties."""
    if bins < 2:
        raise BadInput(f"bins = {bins}; needed: 2 or more")
    known = reference[~np.isnan(reference)]
    return np.unique(np.quantile(known, np.arange(1, bins) / bins)) if known.size else known


def _counts(values: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """How many values each bin holds, missing ones in the last, (edges + 2,)."""
    known = values[~np.isnan(values)]
    place = np.searchsorted(inner, known, side="left")
    return np.r_[np.bincount(place, minlength=inner.size + 1), values.size - known.size]


def _shares(counts: np.ndarray) -> np.ndarray:
    return (counts + 0.5) / (counts + 0.5).sum()


def _sample(values: Floats, name: str) -> np.ndarray:
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or sample.size == 0:
        raise BadInput(f"{name} has shape {sample.shape}; needed: (n,), not empty")
    return sample
