"""The reliability diagram: short enough to be shown, and true to its tables."""

from __future__ import annotations

import re
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest

from ares_assets.evidence.reliability import reliability_report
from ares_assets.evidence_pictures import AFTER, BEFORE, DIAGRAM_HEIGHT, reliability_picture
from ares_assets.pictures import GREY, LIMIT, WIDTH

SVG = "{http://www.w3.org/2000/svg}"


def tables(bins=10, count=2000, slope=0.4):
    draw = np.random.default_rng(1)
    logit = draw.normal(0, 1.0, count)
    truth = 1 / (1 + np.exp(-slope * logit))
    y, w = (draw.random(count) < truth).astype(float), np.ones(count)
    raw = 1 / (1 + np.exp(-logit))
    return [reliability_report(p, y, w, bins=bins, seed=1)["table"] for p in (raw, truth)]


def drawing(picture):
    return ElementTree.fromstring(unquote(picture.split("data:image/svg+xml,", 1)[1][:-1]))


def line(picture, colour):
    """The points of a colour: relative moves, or one move and relative lines behind it."""
    (path,) = [
        path.attrib["d"]
        for path in drawing(picture).iter(f"{SVG}path")
        if path.attrib.get("stroke") == colour
    ]
    numbers = [int(value) for value in re.findall(r"-?\d+", path.replace("h0", ""))]
    steps = np.array(list(zip(numbers[::2], numbers[1::2], strict=True)))
    return [(int(x), int(y)) for x, y in np.cumsum(steps, axis=0)]


@pytest.mark.parametrize("bins", [2, 5, 10, 20, 50])
def test_is_shown_and_stays_inside(bins):
    picture = reliability_picture(*tables(bins))
    assert len(picture) < LIMIT
    assert picture.startswith("![reliability](data:image/svg+xml,")
    for colour in (BEFORE, AFTER, GREY):
        for x, y in line(picture, colour):
            assert 0 <= x <= WIDTH
            assert 0 <= y <= DIAGRAM_HEIGHT
    words = [text.text for text in drawing(picture).iter(f"{SVG}text")]
    assert words == ["before", "after", "chance"]


def test_points_are_where_the_tables_say():
    before, after = tables()
    picture = reliability_picture(before, after)
    exact = line(picture, GREY)
    (x0, y0), (x1, y1) = exact
    ends = [f([row["predicted"] for row in [*before, *after]]) for f in (min, max)]
    for table, colour in ((before, BEFORE), (after, AFTER)):
        found = line(picture, colour)
        assert len(found) == len(table)
        for row, (x, y) in zip(table, found, strict=True):
            # The line of equality gives both scales.
            assert x == pytest.approx(
                x0 + (row["predicted"] - ends[0]) / (ends[1] - ends[0]) * (x1 - x0), abs=1
            )
            assert y == pytest.approx(
                y0 + (row["observed"] - ends[0]) / (ends[1] - ends[0]) * (y1 - y0), abs=1.5
            )
    # Upwards is more: the line of equality rises, and the bold model's slope is less than it.
    assert y1 < y0
    rise = line(picture, BEFORE)
    assert rise[0][1] - rise[-1][1] < 0.7 * (y0 - y1)


def test_the_band_is_around_the_line_and_holds_most_points_after():
    _, after = tables()
    for row in after:
        assert row["noise_low"] < row["predicted"] < row["noise_high"]
    inside = [row["noise_low"] <= row["observed"] <= row["noise_high"] for row in after]
    assert sum(inside) >= 8
    before, _ = tables()
    outside = [not row["noise_low"] <= row["observed"] <= row["noise_high"] for row in before]
    assert sum(outside) >= 5


def test_one_bin_is_drawn():
    before, after = tables(bins=1)
    assert len(reliability_picture(before, after)) < LIMIT
