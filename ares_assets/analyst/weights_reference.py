"""Plain twin of ``weights_kernel``: the definition, bar by bar.  Called by tests only."""

from __future__ import annotations

import numpy as np


def average_uniqueness(first: np.ndarray, last: np.ndarray, bars: int) -> np.ndarray:
    """Same arguments and results as the kernel, up to rounding."""
    concurrent = [
        sum(f <= bar <= t for f, t in zip(first, last, strict=True)) for bar in range(bars)
    ]
    return np.array(
        [
            float(np.mean([1.0 / concurrent[bar] for bar in range(f, t + 1)]))
            for f, t in zip(first, last, strict=True)
        ]
    )
