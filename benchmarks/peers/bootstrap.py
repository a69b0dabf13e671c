"""The stationary bootstrap by arch, each path measured by numpy.

Belongs here: arch's way.  Does not belong here: Ares, measuring (``timing.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.peers.timing import Made, arrays, main


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
        growth = np.log1p(found[:, 1])
        return {
            "per": paths,
            "paths": float(paths),
            "growth": float(growth.mean()),
            "growth_deviation": float(growth.std()),
            "drawdown": float(found[:, 2].mean()),
            "drawdown_deviation": float(found[:, 2].std()),
        }

    return work, tell


if __name__ == "__main__":
    main({"arch and numpy": arch})
