"""Pictures: short enough to be shown, and true to what they draw."""

from __future__ import annotations

import re
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest

from ares_assets.pictures import (
    COLOURS,
    GREY,
    HEIGHT,
    LIMIT,
    WIDTH,
    equity_picture,
    front_picture,
    price_picture,
    regime_picture,
    split_picture,
)

SVG = "{http://www.w3.org/2000/svg}"
N = 9_000
STAMPS = np.arange(N, dtype=np.int64) * 60_000
CUTS = (int(STAMPS[6_300]), int(STAMPS[7_200]))


def drawing(picture: str) -> ElementTree.Element:
    return ElementTree.fromstring(unquote(picture.split("data:image/svg+xml,", 1)[1][:-1]))


def paths(picture: str) -> dict[str, str]:
    return {p.attrib["stroke"]: p.attrib["d"] for p in drawing(picture).iter(f"{SVG}path")}


def words(picture: str) -> list[str]:
    return [str(text.text) for text in drawing(picture).iter(f"{SVG}text")]


def points(path: str) -> list[tuple[int, int]]:
    """Every point of a path of relative moves and the lines behind them."""
    found, x, y = [], 0, 0
    for moves in path.split("m")[1:]:
        numbers = [int(v) for v in re.findall(r"-?\d+", moves)]
        for dx, dy in zip(numbers[::2], numbers[1::2], strict=True):
            x, y = x + dx, y + dy
            found.append((x, y))
    return found


def market(seed: int = 1) -> np.ndarray:
    return 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.01, N)))


def mixed() -> np.ndarray:
    return np.random.default_rng(2).choice(list(COLOURS), N).astype(object)


def test_equity_ends_high_or_low_as_it_did() -> None:
    for returns, colour in (([0.01] * 50, "bull"), ([-0.01] * 50, "bear")):
        drawn = points(paths(equity_picture(np.array(returns)))[COLOURS[colour]])
        assert drawn[-1] == (WIDTH, 2 if colour == "bull" else HEIGHT - 2)


def test_idle_equity_is_a_flat_line() -> None:
    drawn = points(paths(equity_picture(np.zeros(10)))[COLOURS["bull"]])
    assert len({y for _, y in drawn}) == 1


def test_each_stretch_has_the_colour_of_its_regime() -> None:
    regime = np.array(["bull"] * 4_500 + ["bear"] * 4_500, dtype=object)
    drawn = paths(regime_picture(STAMPS, np.linspace(100, 120, N), regime, CUTS))
    bull, bear = points(drawn[COLOURS["bull"]]), points(drawn[COLOURS["bear"]])
    assert (bull[0][0], bear[-1][0]) == (0, WIDTH)
    assert bull[-1] == bear[0]
    assert abs(bull[-1][0] - WIDTH / 2) <= 6
    assert COLOURS["sideways"] not in drawn


def test_roles_begin_where_their_lines_stand_and_the_legend_names_all() -> None:
    picture = regime_picture(STAMPS, market(), mixed(), CUTS)
    places = [int(x) for x in re.findall(r"M(\d+),0v", paths(picture)[GREY])]
    assert places == [round(0.7 * WIDTH), round(0.8 * WIDTH)]
    assert words(picture) == ["cal", "holdout", "bull", "bear", "sideways"]


def test_the_rows_of_a_regime_stand_out_from_the_others() -> None:
    picture = split_picture(STAMPS, market(), np.arange(3_000), "bear", CUTS)
    own = points(paths(picture)[COLOURS["bear"]])
    assert own[0][0] == 0
    assert abs(own[-1][0] - WIDTH / 3) <= 6
    assert words(picture)[-2:] == ["bear", "other"]


def test_gaps_are_marked_in_their_place_and_counted() -> None:
    gap = (int(STAMPS[4_500]), int(STAMPS[5_400]))
    picture = price_picture(STAMPS, market(), [gap])
    (mark,) = re.findall(r"M(\d+),\d+h(\d+)", paths(picture)[COLOURS["bear"]])
    assert mark == ("150", "30")
    assert words(picture) == ["price", "1 gap"]
    assert words(price_picture(STAMPS, market(), [])) == ["price"]


@pytest.mark.parametrize("seed", range(5))
def test_pictures_are_short_enough_to_stand_beside_the_figures(seed: int) -> None:
    close = market(seed)
    torn = [(int(t), int(t) + 60_000) for t in STAMPS[::7]]
    for picture in (
        equity_picture(np.diff(close) / close[:-1]),
        regime_picture(STAMPS, close, mixed(), CUTS),
        split_picture(STAMPS, close, np.flatnonzero(mixed() == "bull"), "bull", CUTS),
        price_picture(STAMPS, close, torn),
        price_picture(STAMPS, close, torn[::20]),
    ):
        assert len(picture) < LIMIT
        drawing(picture)


def test_one_bar_can_be_drawn() -> None:
    one = np.array([100.0])
    assert drawing(regime_picture(STAMPS[:1], one, np.array(["bull"]), (0, 0))) is not None
    assert drawing(price_picture(STAMPS[:1], one, [])) is not None


@pytest.mark.parametrize("count", [1, 3, 200, 1000])
def test_a_search_shows_its_trials_front_and_choice_and_stays_short(count):
    random = np.random.default_rng(count)
    drawdown, sharpe = random.uniform(0, 0.4, count), random.normal(0, 2, count)
    front = np.arange(count) % 5 == 0
    picture = front_picture(drawdown, sharpe, front, 0)
    assert len(picture) < LIMIT
    assert words(picture) == ["trials", "front", "chosen"]
    (ring,) = drawing(picture).iter(f"{SVG}circle")
    best = int(np.argmax(sharpe))
    top = front_picture(drawdown, sharpe, front, best)
    (higher,) = drawing(top).iter(f"{SVG}circle")
    assert int(higher.attrib["cy"]) <= int(ring.attrib["cy"])
    places = [float(one) for one in (ring.attrib["cx"], ring.attrib["cy"])]
    expected = 3 + (drawdown[0] - drawdown.min()) / (np.ptp(drawdown) or 1) * (WIDTH - 6)
    assert abs(places[0] - expected) <= 0.5
    assert 0 <= places[1] <= HEIGHT


def test_without_a_choice_no_ring_is_drawn():
    picture = front_picture(np.array([0.1, 0.2]), np.ones(2), np.zeros(2, bool), None)
    assert words(picture) == ["trials", "front"]
    assert not list(drawing(picture).iter(f"{SVG}circle"))
    assert set(paths(picture)) == {GREY}
