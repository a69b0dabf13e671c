"""Small pictures for the metadata of a step: lines of equity and price, points of a search.

Belongs here: drawing a few dozen points as SVG.  Does not belong here: what is drawn, and
reports.

Dagster shows a picture beside the figures only while its text is short (below 1,000
characters), so these are drawn with as many points as fit, in steps of whole pixels, and
spelled as a percent-encoded data address instead of base64.  The colours stand on white and
on black alike; there is no background.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from urllib.parse import quote

import numpy as np

WIDTH, HEIGHT, LIMIT = 300, 64, 1000
COLOURS = {"bull": "#2a8", "bear": "#d44", "sideways": "#48c"}
GREY = "gray"
_TOP = 12  # the line below which the drawing begins; the legend stands above
_STEPS = (3, 4, 5, 6, 10, 12, 15, 20, 30)
_LABELS = ("cal", "holdout")


def equity_picture(net_return: np.ndarray) -> str:
    """Compounded equity of per-bar net returns (n,), with the line where it began."""
    equity = np.concatenate([[1.0], np.cumprod(1.0 + np.asarray(net_return, np.float64))])
    colour = COLOURS["bull"] if equity[-1] >= 1.0 else COLOURS["bear"]

    def body(step: int) -> str:
        shown = equity[np.linspace(0, len(equity) - 1, WIDTH // step + 1).astype(int)]
        y = _heights(shown, top=2)
        start = f"<path d='M0,{y[0]}h{WIDTH}' stroke='{GREY}'/>"
        return start + _lines(y, step, [colour] * (len(y) - 1))

    return fitting("equity", body)


def price_picture(
    timestamps: np.ndarray, close: np.ndarray, gaps: Sequence[tuple[int, int]]
) -> str:
    """Closes (n,) over time (ms, n), with a bar through each gap ``(start_ms, end_ms)``."""
    red, middle = COLOURS["bear"], (_TOP + HEIGHT) // 2
    begin, span = int(timestamps[0]), max(1, int(timestamps[-1] - timestamps[0]))
    places = [[round((t - begin) / span * WIDTH) for t in gap] for gap in gaps]

    def body(step: int) -> str:
        y = _heights(np.log(close[_rows(timestamps, step)]))
        # Coarser drawings let marks that stand close together run into one.
        marks = "".join(f"M{a},{middle}h{b - a}" for a, b in _merged(places, step))
        wide = f"stroke-width='{HEIGHT - _TOP}' stroke-opacity='.5'"
        drawn = f"<path d='{marks}' stroke='{red}' {wide}/>" if marks else ""
        words = "1 gap" if len(gaps) == 1 else f"{len(gaps)} gaps"
        named = [("price", GREY), (words, red)] if gaps else [("price", GREY)]
        return drawn + _lines(y, step, [GREY] * (len(y) - 1)) + legend(named)

    return fitting("price", body)


def regime_picture(
    timestamps: np.ndarray, close: np.ndarray, regime: np.ndarray, cuts: Sequence[int]
) -> str:
    """Closes (n,) over time, each stretch in the colour of the regime (n,) that rules its end.

    ``cuts``: where calibration and holdout begin, ms.
    """
    named = np.asarray(regime, dtype=object)

    def body(step: int) -> str:
        rows = _rows(timestamps, step)
        y = _heights(np.log(close[rows]))
        colours = [COLOURS[name] for name in named[rows][1:]]
        frame = _cuts(timestamps, cuts) + legend(list(COLOURS.items()))
        return _lines(y, step, colours) + frame

    return fitting("regimes", body)


def split_picture(
    timestamps: np.ndarray, close: np.ndarray, rows: np.ndarray, regime: str, cuts: Sequence[int]
) -> str:
    """Closes (n,) in grey, the stretches that end in one of ``rows`` in the regime's colour."""
    own = np.zeros(len(close), dtype=bool)
    own[rows] = True

    def body(step: int) -> str:
        shown = _rows(timestamps, step)
        y = _heights(np.log(close[shown]))
        colours = [COLOURS[regime] if mine else GREY for mine in own[shown][1:]]
        frame = _cuts(timestamps, cuts) + legend([(regime, COLOURS[regime]), ("other", GREY)])
        return _lines(y, step, colours) + frame

    return fitting("rows", body)


def front_picture(
    max_drawdown: np.ndarray, sharpe: np.ndarray, front: np.ndarray, chosen: int | None
) -> str:
    """Trials of a search, (n,): drawdown to the right, Sharpe ratio upwards.

    ``front`` is bool (n,); ``chosen`` the position of the point that was chosen.  Trials that
    would lie on each other are one dot.
    """
    x, y = _across(max_drawdown), _heights(sharpe)
    groups = [(GREY, np.flatnonzero(~front)), (COLOURS["sideways"], np.flatnonzero(front))]

    def body(step: int) -> str:
        dots = "".join(
            f"<path d='{_dots(x, y, rows, step)}' stroke='{colour}'/>"
            for colour, rows in groups
            if len(rows)
        )
        named = [("trials", GREY), ("front", COLOURS["sideways"])]
        ring = ""
        if chosen is not None:
            red = COLOURS["bear"]
            ring = f"<circle cx='{x[chosen]}' cy='{y[chosen]}' r='4' stroke='{red}'/>"
            named.append(("chosen", red))
        return f"<g stroke-width='3' stroke-linecap='round'>{dots}</g>{ring}{legend(named)}"

    return fitting("front", body)


def _across(values: np.ndarray) -> list[int]:
    low, span = float(values.min()), float(np.ptp(values)) or 1.0
    return (3 + (values - low) / span * (WIDTH - 6)).round().astype(int).tolist()


def _dots(x: Sequence[int], y: Sequence[int], rows: np.ndarray, step: int) -> str:
    """A dot for each cell of ``step`` pixels, two thirds as high, that holds one of the rows."""
    high = max(1, step * 2 // 3)
    cells = sorted({(x[row] // step, y[row] // high) for row in rows.tolist()})
    path, at = "", (0, 0)
    for column, line in cells:
        place = (column * step, line * high)
        path += f"m{_pair(place[0] - at[0], place[1] - at[1])}h0"
        at = place
    return path


def _merged(places: Sequence[Sequence[int]], step: int) -> list[tuple[int, int]]:
    """Spans of pixels, each at least one wide, joined where less than ``step`` lies between."""
    spans: list[tuple[int, int]] = []
    for start, end in sorted((a, max(b, a + 1)) for a, b in places):
        if spans and start - spans[-1][1] < step:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans


def _rows(timestamps: np.ndarray, step: int) -> np.ndarray:
    """The last row at each of ``WIDTH / step + 1`` equally distant moments."""
    moments = np.linspace(timestamps[0], timestamps[-1], WIDTH // step + 1)
    return np.asarray(np.searchsorted(timestamps, moments, side="right") - 1)


def _heights(values: np.ndarray, top: int = _TOP) -> list[int]:
    low, high = float(values.min()), float(values.max())
    span = high - low if high > low else 1.0
    room = HEIGHT - 2 - top
    return (HEIGHT - 2 - (values - low) / span * room).round().astype(int).tolist()


def _lines(y: Sequence[int], step: int, colours: Sequence[str]) -> str:
    """One path a colour; ``colours[i]`` is that of the line from point i to point i + 1.

    All is relative: a move, and behind it lines without a letter, are the shortest spelling.
    """
    strokes = []
    for colour in dict.fromkeys(colours):
        path, at = "", (0, 0)
        for i, (here, there) in enumerate(pairwise(y)):
            if colours[i] != colour:
                continue
            start = (i * step, here)
            if start != at or not path:
                path += f"m{_pair(start[0] - at[0], start[1] - at[1])}"
            path += f",{_pair(step, there - here)}"
            at = (start[0] + step, there)
        strokes.append(f"<path d='{path}' stroke='{colour}'/>")
    return "".join(strokes)


def _pair(x: int, y: int) -> str:
    return f"{x}{y}" if y < 0 else f"{x},{y}"


def legend(entries: Sequence[tuple[str, str]]) -> str:
    """Words, each with its colour, side by side above the drawing."""
    parts, x = [], 0
    for words, colour in entries:
        parts.append(f"<text x='{x}' y='8' fill='{colour}'>{words}</text>")
        x += 6 * len(words) + 4
    return "".join(parts)


def _cuts(timestamps: np.ndarray, cuts: Sequence[int]) -> str:
    begin, span = int(timestamps[0]), max(1, int(timestamps[-1] - timestamps[0]))
    places = [round((cut - begin) / span * WIDTH) for cut in cuts]
    lines = "".join(f"M{x},0v{HEIGHT}" for x in places)
    words = "".join(
        f"<text x='{x + 2}' y='8' fill='{GREY}'>{label}</text>"
        for x, label in zip(places, _LABELS, strict=True)
    )
    return f"<path d='{lines}' stroke='{GREY}'/>{words}"


def fitting(title: str, body: Callable[[int], str], height: int = HEIGHT) -> str:
    """The finest drawing whose text stays below the limit; ``body`` takes a step in pixels."""
    drawn = ""
    for step in _STEPS:
        drawn = _markdown(title, body(step), height)
        if len(drawn) < LIMIT:
            break
    return drawn


def _markdown(title: str, body: str, height: int) -> str:
    size = (
        f"width='{WIDTH}' height='{height}' style='font:9px Arial' fill='none' stroke-width='1.3'"
    )
    svg = f"<svg xmlns='http://www.w3.org/2000/svg' {size}>{body}</svg>"
    address = quote(svg, safe="/:;=,'")
    return f"![{title}](data:image/svg+xml,{address})"
