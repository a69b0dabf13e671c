"""The reliability diagram of step 11: what was promised, what came, and what chance allows.

Belongs here: drawing the tables of `evidence.reliability` as a small SVG.  Does not belong
here: the tables, and pictures of markets, equity and searches (`pictures`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ares_assets.pictures import COLOURS, GREY, WIDTH, fitting, legend

DIAGRAM_HEIGHT = 120
BEFORE, AFTER = COLOURS["bear"], COLOURS["sideways"]
_TOP, _EDGE = 14, 3

Table = Sequence[Mapping[str, float]]


def reliability_picture(before: Table, after: Table) -> str:
    """Share of ones over mean prediction, a point a bin, before and after calibration.

    Both are tables of `reliability_report`.  The thin line is where both are equal; the grey
    stretch is where 95 % of the points after calibration would lie by chance alone.  Left to
    right runs from the least to the largest prediction, upwards from the least to the largest
    share or limit of the band, so the line need not be the corner to corner one.
    """
    tables = [*before, *after]
    across = _Scale([row["predicted"] for row in tables], _EDGE, WIDTH - _EDGE)
    heights = [row[name] for row in tables for name in ("predicted", "observed")]
    heights += [row[name] for row in after for name in ("noise_low", "noise_high")]
    up = _Scale(heights, DIAGRAM_HEIGHT - _EDGE, _TOP)

    def line(table: Table, name: str) -> list[tuple[int, int]]:
        return [(across(row["predicted"]), up(row[name])) for row in table]

    def body(step: int) -> str:
        shown, kept = _apart(before, across, step), _apart(after, across, step)
        ring = line(kept, "noise_high") + line(kept, "noise_low")[::-1]
        ends = sorted(row["predicted"] for row in tables)
        exact = [(across(value), up(value)) for value in (ends[0], ends[-1])]
        return (
            f"<path d='{_path(ring)}z' fill='{GREY}' fill-opacity='.3'/>"
            f"<path d='{_path(exact)}' stroke='{GREY}'/>"
            f"<g stroke-width='5' stroke-linecap='round'>"
            f"<path d='{_dots(line(shown, 'observed'))}' stroke='{BEFORE}'/>"
            f"<path d='{_dots(line(kept, 'observed'))}' stroke='{AFTER}'/></g>"
            + legend([("before", BEFORE), ("after", AFTER), ("chance", GREY)])
        )

    return fitting("reliability", body, DIAGRAM_HEIGHT)


class _Scale:
    """Linear from the values' range to pixels from `first` to `last`."""

    def __init__(self, values: Sequence[float], first: int, last: int) -> None:
        self.low, self.first = min(values), first
        self.pixels = (last - first) / ((max(values) - self.low) or 1.0)

    def __call__(self, value: float) -> int:
        return round(self.first + (value - self.low) * self.pixels)


def _apart(table: Table, across: _Scale, step: int) -> Table:
    """The bins that stand at least `step` pixels right of the last one kept."""
    kept: list[Mapping[str, float]] = []
    for row in table:
        if not kept or across(row["predicted"]) - across(kept[-1]["predicted"]) >= step:
            kept.append(row)
    return kept


def _path(points: Sequence[tuple[int, int]]) -> str:
    """A line through the points: a move, and relative lines behind it, which is shortest."""
    return "m" + ",".join(_steps(points))


def _dots(points: Sequence[tuple[int, int]]) -> str:
    return "".join(f"m{step}h0" for step in _steps(points))


def _steps(points: Sequence[tuple[int, int]]) -> list[str]:
    ahead = zip([(0, 0), *points], points, strict=False)
    return [f"{x - a},{y - b}".replace(",-", "-") for (a, b), (x, y) in ahead]
