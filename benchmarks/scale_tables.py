"""Time and memory against size: the exponent, the pictures, the table.

Belongs here: what is made of measured points.  Does not belong here: measuring (``scale.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def _by_axis(found: Mapping[str, Any]) -> dict[str, list[str]]:
    axes: dict[str, list[str]] = {}
    for work, one in found.items():
        axes.setdefault(one["axis"], []).append(work)
    return axes


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> tuple[float, float]:
    """Slope of log seconds over log size by least squares, and its standard error.

    The error is NaN for fewer than three points.
    """
    x, y = np.log(np.asarray(sizes, float)), np.log(np.asarray(seconds, float))
    away = x - x.mean()
    slope = float(away @ (y - y.mean()) / (away @ away))
    if len(x) < 3:
        return round(slope, 3), float("nan")
    left = y - y.mean() - slope * away
    error = float(np.sqrt(left @ left / (len(x) - 2) / (away @ away)))
    return round(slope, 3), round(error, 3)


def draw(found: Mapping[str, Any], path: Path) -> None:
    """Time and memory against size, one column of pictures an axis."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    axes = _by_axis(found)
    figure, panels = plt.subplots(2, len(axes), figsize=(10, 5.5), sharex="col")
    for column, axis in enumerate(axes):
        for work in axes[axis]:
            points = found[work]["points"]
            x = [point["size"] for point in points]
            label = f"{work}: {found[work]['exponent']:.2f} +- {found[work]['error']:.2f}"
            panels[0, column].loglog(x, [p["seconds"] for p in points], "o-", label=label)
            panels[1, column].loglog(x, [max(p["added_mib"], 0.01) for p in points], "o-")
        panels[0, column].legend(fontsize=7)
        panels[1, column].set_xlabel(axis)
    panels[0, 0].set_ylabel("seconds")
    panels[1, 0].set_ylabel("added memory, MiB")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80, metadata={"Software": None})


def table(found: Mapping[str, Any]) -> str:
    """The exponents as Markdown."""
    lines = [
        "| work | against | sizes | seconds | added MiB | exponent |",
        "|---|---|---|---|---|---|",
    ]
    for work, one in found.items():
        cells = [
            ", ".join(f"{point[name]:g}" for point in one["points"])
            for name in ("size", "seconds", "added_mib")
        ]
        lines.append(
            f"| {work} | {one['axis']} | {' | '.join(cells)} "
            f"| {one['exponent']} +- {one['error']} |"
        )
    return "\n".join(lines)
