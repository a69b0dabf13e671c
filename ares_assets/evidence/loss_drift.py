"""Whether a model predicts worse than it did, told by its losses as labels become known.

Belongs here: the stream of losses, ADWIN's alarms on it and their false-alarm rate.  Does not
belong here: drift of features (``drift.py``) and what follows from an alarm
(``drift_response.py``).

A loss is the model's squared error less that of the base rate, so that its mean is the edge and
nothing else, counted in its own spread: of the range of a squared error a small edge is a
thousandth, which ADWIN's bound for any law in that range cannot see.  Overlapping labels make
neighbouring losses one observation: they enter as the mean of their block, since the bound
assumes independence (measured in docs/walk_forward.md).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ares_assets.evidence.bootstrap import resample_indices
from ares_assets.evidence.jsonable import jsonable
from ares_assets.evidence.reliability import overlap_groups
from ares_resources.errors import BadInput

Floats = np.ndarray | Sequence[float]

# Fewer blocks say too little of how a loss spreads.
MINIMUM_REFERENCE = 30
# From loud to quiet.  ADWIN's delta bounds its error far from above: on driftless streams of a
# year one of .9 alarms about as often as a test of level .05 may.
_DELTAS = (0.99, 0.9, 0.8, 0.6, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.002)
_WIDEST = 3.0  # standard deviations beyond which a block counts no more
_CHECK_EVERY = 4  # blocks
_MEAN_BLOCK = 5.0
_TOO_LOUD = "driftless streams alarm too often at every sensitivity"


@dataclass(frozen=True)
class LossStream:
    """Mean losses of blocks in time order, (n,), and the row at whose close each is known."""

    loss: np.ndarray
    known_row: np.ndarray


@dataclass(frozen=True)
class PrequentialDrift:
    """Alarms of a stream of losses, and how often a driftless one has any.

    ``alarms`` are positions in the stream at which the loss was found risen; ``reference``
    counts the values before those that were watched, ``observations`` the watched;
    ``false_alarm_share`` is the share of driftless streams with any alarm at this ``delta``,
    ``chance`` that with at least as many alarms as were seen (1 where none was).  ``unjudged``
    says why nothing could be watched, None if it could.
    """

    alarms: tuple[int, ...]
    observations: int
    reference: int
    delta: float | None
    level: float
    resamples: int
    false_alarm_share: float
    chance: float
    unjudged: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return jsonable(self)


def paired_losses(probability: Floats, labels: Floats, base_rate: float) -> np.ndarray:
    """Squared error of each probability less that of the base rate, in [-1, 1], (n,).

    Its mean is below 0 by the variance of the probability where that is calibrated, and above
    0 by as much where the labels know nothing of it.
    """
    p, y = np.asarray(probability, np.float64), np.asarray(labels, np.float64)
    if p.shape != y.shape or not 0.0 <= base_rate <= 1.0:
        raise BadInput(f"{p.shape} probabilities, {y.shape} labels, base rate {base_rate}")
    return (p - y) ** 2 - (base_rate - y) ** 2


def loss_stream(losses: Floats, rows: np.ndarray, known_rows: np.ndarray) -> LossStream:
    """Blocks of overlapping labels, each known once its last label is.

    Parameters
    ----------
    losses, rows, known_rows
        Of events in time order, (n,): ``known_rows`` ascends with ``rows``.

    The last block is left out: an event may still join it.  So a stream that ends earlier is
    the beginning of the same stream.
    """
    values = _finite(losses)
    if not len(values) == len(rows) == len(known_rows):
        raise BadInput(f"{len(values)} losses, {len(rows)} rows, {len(known_rows)} known rows")
    if not len(values):
        return LossStream(values, np.empty(0, np.int64))
    block = overlap_groups(rows, known_rows)
    ends = np.flatnonzero(np.append(np.diff(block) > 0, True))
    mean = np.bincount(block, values) / np.bincount(block)
    return LossStream(mean[:-1], np.asarray(known_rows, np.int64)[ends][:-1])


def prequential_drift(
    losses: Floats,
    *,
    seed: int,
    reference: Floats = (),
    planned: int | None = None,
    level: float = 0.05,
    resamples: int = 100,
) -> PrequentialDrift:
    """ADWIN on a stream of losses, as loud as its measured false-alarm rate allows.

    Parameters
    ----------
    losses
        The stream to be watched, (n,), as from ``loss_stream``.
    reference
        What came before it, from the same model, (m,): it enters the detector first, so that
        a change before the watched part is seen, and gives scale and driftless streams.  Too
        short, it takes in the beginning of ``losses``.
    planned
        Length of the whole watched stream where ``losses`` is its beginning.
    level
        Largest share of driftless streams, resampled from the reference in blocks, that may
        alarm: ADWIN's delta is the largest of a ladder that keeps to it.

    Delta and scale are known before the first watched loss, so later losses move no earlier
    alarm.  Only a rise is an alarm; after any change the detector starts anew.  Source: Bifet
    and Gavalda (2007), as in river; prequential: Gama et al. (2013).
    """
    values, before = _finite(losses), _finite(reference)
    size = values.size if planned is None else planned
    lent = max(0, MINIMUM_REFERENCE - before.size)
    before, watched = np.concatenate([before, values[:lent]]), values[lent:]
    reason = _unjudged(before, size - lent)
    if reason is not None:
        return PrequentialDrift((), 0, before.size, None, level, 0, 0.0, 1.0, reason)
    scaled = _scaled(np.concatenate([before, watched]), before)
    driftless = _driftless(scaled[: before.size], before.size + size - lent, seed, resamples)
    delta, counts = _chosen_delta(driftless, before.size, level)
    if delta is None:
        return PrequentialDrift((), 0, before.size, None, level, resamples, 0.0, 1.0, _TOO_LOUD)
    found = list(_rises(scaled.tolist(), before.size, delta))
    return PrequentialDrift(
        alarms=tuple(position - before.size + lent for position in found),
        observations=watched.size,
        reference=before.size,
        delta=delta,
        level=level,
        resamples=resamples,
        false_alarm_share=float(np.mean(counts > 0)),
        chance=float(np.mean(counts >= len(found))),
    )


def _unjudged(reference: np.ndarray, watched: int) -> str | None:
    if reference.size < MINIMUM_REFERENCE or watched < 1:
        return f"{reference.size} blocks of losses before the watched; {MINIMUM_REFERENCE} needed"
    if np.ptp(reference) == 0.0:
        return "the model's losses before the watched ones are all equal"
    return None


def _scaled(values: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Values into [0, 1] by mean and deviation of the reference."""
    z = (values - reference.mean()) / reference.std()
    return np.clip(z, -_WIDEST, _WIDEST) / (2 * _WIDEST) + 0.5


def _driftless(reference: np.ndarray, size: int, seed: int, resamples: int) -> list[list[float]]:
    """Stationary resamples of the reference as long as the whole stream."""
    return [
        reference[
            resample_indices(
                reference.size, mean_block=_MEAN_BLOCK, seed=seed, path=path, draws=size
            )
        ].tolist()
        for path in range(resamples)
    ]


def _chosen_delta(
    driftless: list[list[float]], first: int, level: float
) -> tuple[float | None, np.ndarray]:
    """The largest delta at which few enough streams alarm, and each stream's alarms there."""
    for delta in _DELTAS:
        alarming = (stream for stream in driftless if next(_rises(stream, first, delta), None))
        # One more than is allowed decides.
        too_many = int(level * len(driftless)) + 1
        if len(list(itertools.islice(alarming, too_many))) < too_many:
            return delta, np.array([len(list(_rises(s, first, delta))) for s in driftless])
    return None, np.zeros(len(driftless), np.int64)


def _rises(stream: list[float], first: int, delta: float) -> Iterator[int]:
    """Positions from ``first`` on at which the mean is found to have risen; ``first`` > 0."""
    from river.drift import ADWIN

    detector = ADWIN(delta=delta, clock=_CHECK_EVERY)
    start = 0
    for position, value in enumerate(stream):
        detector.update(value)
        if not detector.drift_detected:
            continue
        # What is left of the window at a change is its newer part; the detector then forgets it.
        before = math.fsum(stream[start:position]) / max(1, position - start)
        start = position + 1
        if position >= first and detector.estimation > before:
            yield position


def _finite(values: Floats) -> np.ndarray:
    losses = np.asarray(values, np.float64)
    bad = ~np.isfinite(losses)
    if losses.ndim != 1 or bad.any():
        at = int(np.argmax(bad)) if bad.any() else 0
        raise BadInput(f"losses of shape {losses.shape}, [{at}] not finite; allowed: finite, (n,)")
    return losses
