"""Which recorded results still hold, and going on from them.

Belongs here: the name of the code as it is, comparing what results depend on.  Does not belong
here: what any benchmark records, and the page (``pages.py``).
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.turns import ROOT

CODE = ("ares_assets", "ares_jobs", "ares_resources", "benchmarks")
LOCKS = ("requirements.lock", "benchmarks/requirements-peers*.lock")
Results = dict[str, Any]


def code_hash() -> str:
    """A name for everything that measures or is measured: code, and the locked libraries.

    Results that a run writes, pages and tests are no part of it.
    """
    digest = hashlib.sha256()
    code = (path for name in CODE for path in (ROOT / name).rglob("*.py"))
    locks = (path for pattern in LOCKS for path in ROOT.glob(pattern))
    for path in sorted([*code, *locks]):
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def commit() -> str:
    """The checkout's commit, for whoever reads the figures; what counts is the hash."""
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True
    )
    return told.stdout.strip() or "unknown"


def continued(path: Path | None, results: Results, same: Sequence[str]) -> Results:
    """The results with the runs of an earlier command, where nothing in ``same`` has changed.

    Else they begin anew, and what differs is said.  Command and date of what is gone on from
    stay beside the new ones, since those made the runs too.
    """
    if path is None or not path.is_file():
        return results
    before = json.loads(path.read_text(encoding="utf-8"))
    differs = [name for name in same if before.get(name) != results[name]]
    if differs:
        told = f"{path}: made with other {', '.join(differs)}; all anew"
        print(told, file=sys.stderr, flush=True)
        return results
    joined = {name: _joined(before, results, name) for name in ("command", "date")}
    return {**results, **joined, "runs": before["runs"]}


def _joined(before: Mapping[str, Any], now: Mapping[str, Any], name: str) -> str:
    known = str(before[name]).split("; ")
    return "; ".join([*known, *([] if now[name] in known else [now[name]])])
