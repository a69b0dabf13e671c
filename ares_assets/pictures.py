"""Small pictures for the metadata of a step: a line of equity, price coloured by regime.

Belongs here: drawing a few dozen points as SVG.  Does not belong here: what is drawn, and
reports.

Dagster shows a picture beside the figures only while its text is short, so these are drawn
with few points and spelled as a percent-encoded data address instead of base64.
"""

from __future__ import annotations

from urllib.parse import quote

import numpy as np

WIDTH, HEIGHT, POINTS = 220, 44, 56
COLOURS = {"bull": "#2a8", "bear": "#d44", "sideways": "#999"}


def equity_picture(net_return: np.ndarray) -> str:
    """Compounded equity of per-bar net returns (n,), with the line where it began."""
    equity = np.concatenate([[1.0], np.cumprod(1.0 + np.asarray(net_return, np.float64))])
    shown = equity[np.linspace(0, len(equity) - 1, POINTS).astype(int)]
    x, y = _scaled(shown)
    colour = COLOURS["bull"] if equity[-1] >= 1.0 else COLOURS["bear"]
    start = f"<path d='M0,{y[0]}H{WIDTH}' stroke='#ccc'/>"
    return _markdown("equity", start + _path(list(zip(x, y, strict=True)), colour))


def regime_picture(close: np.ndarray, regime: np.ndarray) -> str:
    """Closes (n,), each stretch in the colour of the regime (n,) that rules its end."""
    rows = np.linspace(0, len(close) - 1, POINTS).astype(int)
    x, y = _scaled(np.log(np.asarray(close, np.float64)[rows]))
    named = np.asarray(regime, dtype=object)[rows]
    strokes = []
    for name, colour in COLOURS.items():
        lines = [
            f"M{x[i - 1]},{y[i - 1]}L{x[i]},{y[i]}" for i in range(1, POINTS) if named[i] == name
        ]
        if lines:
            strokes.append(f"<path d='{''.join(lines)}' stroke='{colour}'/>")
    return _markdown("price by regime", "".join(strokes))


def _scaled(values: np.ndarray) -> tuple[list[int], list[int]]:
    low, high = float(values.min()), float(values.max())
    span = high - low if high > low else 1.0
    x = np.linspace(0, WIDTH, len(values)).round().astype(int)
    y = (HEIGHT - 2 - (values - low) / span * (HEIGHT - 4)).round().astype(int)
    return x.tolist(), y.tolist()


def _path(points: list[tuple[int, int]], colour: str) -> str:
    (x, y), *rest = points
    moves = "".join(f"L{a},{b}" for a, b in rest)
    return f"<path d='M{x},{y}{moves}' stroke='{colour}'/>"


def _markdown(title: str, body: str) -> str:
    size = f"width='{WIDTH}' height='{HEIGHT}'"
    svg = f"<svg xmlns='http://www.w3.org/2000/svg' {size} fill='none'>{body}</svg>"
    return f"![{title}](data:image/svg+xml,{quote(svg, safe='/:=,')})"
