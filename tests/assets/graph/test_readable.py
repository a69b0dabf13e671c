"""Figures as people see them, and the same figures as they are stored."""

from __future__ import annotations

import dagster as dg

from ares_assets.readable import shown

LEDGER = [{"start_ms": 1_679_661_600_000, "end_ms": 1_679_666_400_000, "missing_bars": 80}]


def test_milliseconds_are_times_and_lose_their_unit() -> None:
    found = shown({"window_end_ms": 1_704_067_200_000, "first_jump_ms": None})
    assert found["window_end"] == dg.MetadataValue.timestamp(1_704_067_200.0)
    assert found["first_jump"] == "none"
    assert set(found) == {"window_end", "first_jump"}


def test_a_ledger_is_a_table_with_times_that_can_be_read() -> None:
    figures = {"gap_ledger": LEDGER}
    table = shown(figures)["gap_ledger"]
    assert isinstance(table, dg.TableMetadataValue)
    assert table.records == [
        dg.TableRecord({"start": "2023-03-24 12:40", "end": "2023-03-24 14:00", "missing_bars": 80})
    ]
    assert [c.name for c in table.schema.columns] == ["start", "end", "missing_bars"]
    assert [c.type for c in table.schema.columns] == ["string", "string", "int"]
    assert figures["gap_ledger"] is LEDGER
    assert LEDGER[0]["start_ms"] == 1_679_661_600_000


def test_long_tables_are_cut_and_empty_ones_say_none() -> None:
    cut = shown({"ledger": LEDGER * 500})["ledger"].records
    assert len(cut) == 101
    assert next(iter(cut[-1].data.values())) == f"and {500 * len(LEDGER) - 100} more"
    assert shown({"ledger": []}) == {"ledger": "none"}


def test_fractions_keep_five_digits_and_whole_numbers_all() -> None:
    found = shown({"a": 0.123456789, "b": 123456789.123, "c": 1e-9 / 3, "d": 7, "e": True})
    assert found == {"a": 0.12346, "b": 123456789.0, "c": 3.3333e-10, "d": 7, "e": True}
    nested = shown({"inner": {"x": [1 / 3, {"y": 2 / 3}]}})["inner"]
    assert nested.value == {"x": [0.33333, {"y": 0.66667}]}


def test_pictures_and_lists_of_reasons_are_markdown() -> None:
    found = shown({"picture": "![x](data:,)", "weaknesses": ["one", "two"], "none": []})
    assert found["picture"] == dg.MetadataValue.md("![x](data:,)")
    assert found["weaknesses"] == dg.MetadataValue.md("- one\n- two")
    assert found["none"] == "none"


def test_what_has_no_number_stays_as_it_is() -> None:
    nan = shown({"sharpe": float("nan"), "name": "bull"})
    assert nan["sharpe"] != nan["sharpe"]
    assert nan["name"] == "bull"
