"""Where the time of whole trainings goes: what is charged to storage, kept and shown."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import whole
from benchmarks.accounts import ACCOUNTS, Accounts
from benchmarks.turns import ROOT

# A step that does nothing but disk work; prints what stood open when the system was asked for it.
STEP = """
import json, os, sys, threading
from pathlib import Path
from benchmarks import accounts
from ares_resources.storage.atomic import file_lock, write_bytes

charged = accounts.open_accounts()
asked = []

def heard(event, arguments):
    ours = threading.get_ident() == charged._thread and charged._open
    if not ours or event not in ("open", "os.rename", "os.truncate", "sqlite3.connect"):
        return
    if str(arguments[0]).startswith(sys.argv[1]):
        asked.append((event, Path(str(arguments[0])).name, charged._open[-1]))

def step(folder):
    from ares_resources.backtesting.entries import EntryFolder
    from ares_resources.backtesting.ledger import TrialLedger
    from ares_resources.backtesting.ledger_held import held_open
    from ares_resources.backtesting.search_journal import SearchJournal
    from ares_resources.storage.frame_cache import cached_matrix
    from ares_resources.storage.gap_looks import GapLooks
    from ares_resources.storage.releases import ReleaseStore
    import numpy as np

    ledger = TrialLedger(folder / "trials.sqlite")
    with held_open(ledger.path):
        ledger.record("study", [("key", "complete", [1.0], 0.5)])
        ledger.count()
    cache = EntryFolder(folder / "cache", capacity=2, payload_bytes=8)
    cache.write_many({bytes(32): bytes(8)})
    cache.read(bytes(32))
    journal = SearchJournal(folder / "search.jsonl", search="s")
    journal.put(0, [])
    journal.put(0, [])
    write_bytes(folder / "mark", b"x")
    with file_lock(folder / "lock"):
        pass
    GapLooks(folder).note([(1, 2)], 0.0)
    ReleaseStore(folder / "releases", "S", "bull").champion()
    values = lambda pieces, state: (np.ones((1, 3)), {3: None})
    for _ in range(2):
        cached_matrix(folder / "frames", "one", 3, lambda rows: f"{rows}", values)

sys.addaudithook(heard)
charged.charged(step, accounts.STEPS)(Path(sys.argv[1]))
wrong = [one for one in asked if one[2] != accounts.STORE]
print(json.dumps({"asked": len(asked), "wrong": wrong, "spent": charged.seconds[accounts.STORE]}))
"""


def test_all_disk_work_of_a_step_is_charged_to_storage(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", STEP, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(told.stdout)
    assert found["wrong"] == []
    assert found["asked"] > 20
    assert found["spent"] > 0


def _run(seconds: float = 2.0, status: str = "kept", **changes: Any) -> dict[str, Any]:
    return {
        "seconds": seconds,
        "ended": {"sideways|ETHUSDT.SIM": status},
        "reasons": {"sideways|ETHUSDT.SIM": "no disk"},
        "wall": dict.fromkeys(ACCOUNTS, seconds),
        "processor": dict.fromkeys(ACCOUNTS, seconds),
        **changes,
    }


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Runs that are taken for measured ones, in turn."""
    runs: list[dict[str, Any]] = []
    monkeypatch.setattr(whole, "open_accounts", Accounts)
    monkeypatch.setattr(whole, "measured", lambda accounts, mode, regimes: runs.pop(0))
    return runs


def test_a_failed_training_is_neither_kept_nor_shown(
    measured: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, out = tmp_path / "page.md", tmp_path / "whole.json"
    page.write_text("<!-- whole --><!-- /whole -->")
    measured += [_run(), _run(status="failed")]
    assert whole.main(["blank", "--times", "2", "--out", str(out), "--page", str(page)]) == 1
    assert not out.exists()
    assert page.read_text() == "<!-- whole --><!-- /whole -->"
    assert "no disk" in capsys.readouterr().err


def test_the_table_says_which_regimes_and_which_code(
    measured: list[dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "whole.json"
    measured += [_run(), _run(), _run(), _run()]
    monkeypatch.setattr(whole, "code_hash", lambda: "one")
    assert whole.main(["full", "--regimes", "bull", "--times", "1", "--out", str(out)]) == 0
    assert "| full, bull |" in capsys.readouterr().out
    assert whole.main(["blank", "--times", "2", "--out", str(out)]) == 0
    head = "| wall s (processor s) | blank, first | blank, warm | full, bull |"
    assert head in capsys.readouterr().out
    monkeypatch.setattr(whole, "code_hash", lambda: "two")
    assert whole.main(["full", "--out", str(out)]) == 0
    table = capsys.readouterr().out
    kept = json.loads(out.read_text())
    assert f"full, three regimes ({kept['full']['date']}, code two)" in table
    assert f"blank, warm ({kept['blank']['date']}, code one)" in table
    assert kept["blank"]["command"].endswith(f"whole blank --times 2 --out {out}")
    assert kept["blank"]["peak_mib"] > 10


def test_what_was_charged_to_other_accounts_is_left_out(
    measured: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "whole.json"
    old = {"regimes": ["bull"], "date": "2026-01-01", "peak_mib": 1, "runs": [_run(wall={"a": 1})]}
    out.write_text(json.dumps({"full": old}))
    measured.append(_run())
    assert whole.main(["blank", "--times", "1", "--out", str(out)]) == 0
    captured = capsys.readouterr()
    assert "full of 2026-01-01 is left out" in captured.err
    assert "full" not in captured.out.split("Peak")[0]
    assert set(json.loads(out.read_text())) == {"blank"}
