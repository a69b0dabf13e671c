"""The stationary bootstrap by arch, each path measured by numpy.

Belongs here: arch's way.  Does not belong here: Ares, measuring (``timing.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.peers.timing import Made, arrays, main

FIGURES = ("sharpe", "growth", "drawdown")


def summary(sharpe: Any, total: Any, drawdown: Any) -> dict[str, float]:
    """Number of paths; mean and deviation of Sharpe ratio, log growth and drawdown over them."""
    import numpy as np

    told = {"paths": float(len(total))}
    for name, values in zip(FIGURES, (sharpe, np.log1p(total), drawdown), strict=True):
        told |= {name: float(values.mean()), f"{name}_deviation": float(values.std())}
    return told


def arch(folder: Path, options: dict[str, Any]) -> Made:
    """``StationaryBootstrap.apply`` of a function of the path."""
    import numpy as np
    from arch.bootstrap import StationaryBootstrap

    returns, paths = arrays(folder)["returns"], options["paths"]

    def figures(path: Any) -> Any:
        log_equity = np.cumsum(np.log1p(path))
        peak = np.maximum(np.maximum.accumulate(log_equity), 0.0)
        sharpe = path.mean() / path.std(ddof=1) * np.sqrt(365)
        return np.array([sharpe, np.expm1(log_equity[-1]), -np.expm1((log_equity - peak).min())])

    def work() -> Any:
        return StationaryBootstrap(options["block"], returns, seed=1).apply(figures, paths)

    def tell(found: Any) -> Mapping[str, Any]:
        return {"per": paths, **summary(*found.T)}

    return work, tell


if __name__ == "__main__":
    main({"arch and numpy": arch})
