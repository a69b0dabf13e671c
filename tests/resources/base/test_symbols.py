"""Symbols: allow-listed, and spelled into folders reversibly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares_resources.errors import BadInput
from ares_resources.symbols import SymbolKey

names = st.from_regex(r"[A-Z0-9][A-Z0-9_/:\-]{0,39}", fullmatch=True)
exchanges = st.from_regex(r"[A-Z0-9][A-Z0-9_]{0,19}", fullmatch=True)


@given(names, exchanges, names, exchanges)
def test_folders_are_reversible_and_distinct(a: str, x: str, b: str, y: str) -> None:
    first, second = SymbolKey(a, x), SymbolKey(b, y)
    assert SymbolKey.from_folder(first.folder) == first
    assert SymbolKey.parse(str(first)) == first
    assert (first.folder == second.folder) == (first == second)
    assert "/" not in first.folder
    assert not first.folder.startswith(".")


def test_three_bitcoins_have_three_folders() -> None:
    spelled = ["BTC/USDT", "BTC/USDT:USDT", "BTC/USD:T"]
    assert len({SymbolKey(name, "BINANCE").folder for name in spelled}) == 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ETHUSDT",
        ".BINANCE",
        "ETHUSDT.",
        "../../x.SIM",
        "a|b.SIM",
        "ethusdt.SIM",
        "A" * 200 + ".SIM",
    ],
)
def test_what_is_not_allowed_is_named_in_one_line(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        SymbolKey.parse(text)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 250
