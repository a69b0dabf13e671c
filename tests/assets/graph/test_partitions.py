"""Partition keys: spelled one way, and refused in one line where they are not."""

from __future__ import annotations

import pytest

from ares_assets.partitions import parse_partition, partition_key, partition_tags
from ares_resources.errors import BadInput
from ares_resources.symbols import SymbolKey


def test_a_key_reads_back() -> None:
    symbol = SymbolKey("BTC/USDT:USDT", "BINANCE")
    assert parse_partition(partition_key("bear", symbol)) == ("bear", symbol)


def test_all_three_tags_agree() -> None:
    assert partition_tags("bull", SymbolKey("ETHUSDT", "SIM")) == {
        "dagster/partition": "bull|ETHUSDT.SIM",
        "dagster/partition/regime": "bull",
        "dagster/partition/symbol": "ETHUSDT.SIM",
    }


@pytest.mark.parametrize(
    "key", ["", "bull", "bull|", "bul|ETHUSDT.SIM", "bull|a|b.SIM", "bull|../x.SIM"]
)
def test_others_are_refused(key: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse_partition(key)
    assert "\n" not in str(refused.value)
