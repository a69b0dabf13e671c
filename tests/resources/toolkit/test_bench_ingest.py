"""The ingest benchmark notices every column that a peer kept otherwise, in any turn; not speed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import ingest
from benchmarks.measuring import Run
from benchmarks.peers import ingest as peers

ROWS = 3_000


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dump, what Ares keeps of it, and pandas' file under each peer's name."""
    folder = tmp_path_factory.mktemp("ingest")
    ingest.write_dump(folder / "dump.csv", ROWS)
    ingest._take_turn("ares", folder / "dump.csv", folder, "")
    peers.pandas(str(folder / "dump.csv"), str(folder / "right.parquet"))
    return folder


def _lay(kept: Path, folder: Path) -> None:
    shutil.copytree(kept, folder, dirs_exist_ok=True)
    for name in ingest.PEERS:
        shutil.copy(kept / "right.parquet", folder / f"{name}.parquet")


def _change(path: Path, column: str) -> None:
    table = pq.read_table(path)
    values = table[column].to_numpy().copy()
    values[7] = values[7] + 1 if column == "open_time" else np.nextafter(values[7], np.inf)
    place = table.column_names.index(column)
    pq.write_table(table.set_column(place, column, pa.array(values)), path)


def test_rows_that_are_kept_alike_are_all_equal(kept: Path, tmp_path: Path) -> None:
    _lay(kept, tmp_path)
    assert ingest.compared(tmp_path) == dict.fromkeys(("ares", *ingest.PEERS), (ROWS, ""))


@pytest.mark.parametrize("column", peers.KEPT)
def test_one_cell_of_any_column_is_noticed(column: str, kept: Path, tmp_path: Path) -> None:
    _lay(kept, tmp_path)
    _change(tmp_path / "duckdb.parquet", column)
    found = ingest.compared(tmp_path)
    equal, differs = found.pop("duckdb")
    named = {"open_time": "timestamp", "taker_buy_volume": "taker_buy_share"}.get(column, column)
    assert equal == ROWS - 1
    assert named in differs
    assert set(found.values()) == {(ROWS, "")}


def test_rows_that_are_missing_are_noticed(kept: Path, tmp_path: Path) -> None:
    _lay(kept, tmp_path)
    pq.write_table(pq.read_table(tmp_path / "right.parquet")[:-1], tmp_path / "polars.parquet")
    assert ingest.compared(tmp_path)["polars"] == (
        0,
        f"polars: 2999 rows, the catalogue's are {ROWS}",
    )


@pytest.mark.parametrize("turn", [0, 1, 2])
def test_one_wrong_turn_is_noticed(
    turn: int, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []

    def take(name: str, source: Path, folder: Path, python: str) -> Run:
        if name == "ares":
            _lay(kept, folder)
        elif name == "polars" and taken.count("polars") == turn:
            _change(folder / "polars.parquet", "taker_buy_volume")
        taken.append(name)
        return Run(1.0, 1.0, 100.0)

    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 1,1,1,1\n")
    python.chmod(0o755)
    monkeypatch.setattr(ingest, "_take_turn", take)
    folder = tmp_path / "data"
    folder.mkdir()
    figures = ingest.measured(ROWS, 2, folder, str(python))["figures"]
    assert figures["polars"]["equal_rows"] == ROWS - 1
    assert "taker_buy_share" in figures["polars"]["differs"]
    assert (figures["pandas"]["equal_rows"], figures["pandas"]["differs"]) == (ROWS, "")
