"""Pictures: short enough to be shown, and true to what they draw."""

from __future__ import annotations

from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np

from ares_assets.pictures import COLOURS, HEIGHT, POINTS, equity_picture, regime_picture


def drawing(picture: str) -> ElementTree.Element:
    return ElementTree.fromstring(unquote(picture.split("data:image/svg+xml,", 1)[1][:-1]))


def strokes(picture: str) -> list[str]:
    return [path.attrib["stroke"] for path in drawing(picture)]


def test_equity_ends_high_or_low_as_it_did() -> None:
    for returns, colour in (([0.01] * 50, "bull"), ([-0.01] * 50, "bear")):
        picture = equity_picture(np.array(returns))
        assert strokes(picture) == ["#ccc", COLOURS[colour]]
        last = int(list(drawing(picture))[1].attrib["d"].rsplit(",", 1)[1])
        assert last == (2 if colour == "bull" else HEIGHT - 2)


def test_idle_equity_is_a_flat_line() -> None:
    path = list(drawing(equity_picture(np.zeros(10))))[1].attrib["d"]
    assert len({point.split(",")[1] for point in path[1:].split("L")}) == 1


def test_each_stretch_has_the_colour_of_its_regime() -> None:
    regime = np.array(["bull"] * 500 + ["bear"] * 500, dtype=object)
    picture = regime_picture(np.linspace(100, 120, 1000), regime)
    assert strokes(picture) == [COLOURS["bull"], COLOURS["bear"]]
    drawn = [path.attrib["d"].count("M") for path in drawing(picture)]
    assert sum(drawn) == POINTS - 1


def test_pictures_are_short_enough_to_stand_beside_the_figures() -> None:
    stream = np.random.default_rng(1)
    close = 100 * np.exp(np.cumsum(stream.normal(0, 0.01, 9000)))
    regime = stream.choice(["bull", "bear", "sideways"], 9000)
    assert len(equity_picture(stream.normal(0, 0.01, 9000))) < 1000
    assert len(regime_picture(close, regime)) < 1400
