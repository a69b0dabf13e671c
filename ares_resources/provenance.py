"""What code and which libraries made a result.

Belongs here: the fingerprint that turns a change of code into a recomputation.
Does not belong here: fingerprints of data or parameters (``hashing.py``).
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import subprocess
import sys
from pathlib import Path

_LIBRARIES = (
    "arch",
    "catboost",
    "lightgbm",
    "numba",
    "numpy",
    "optuna",
    "pandas",
    "pyarrow",
    "river",
    "scikit-learn",
    "scipy",
    "ta-lib",
)
_PACKAGES = ("ares_assets", "ares_resources")


@functools.cache
def library_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that results depend on."""
    versions = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    return {"python": ".".join(map(str, sys.version_info[:2])), **versions}


@functools.cache
def code_fingerprint() -> str:
    """SHA-256 over the sources that compute results, and over the library versions.

    ``ares_jobs`` is left out: how a run is started does not change what it computes.
    """
    digest = hashlib.sha256(repr(sorted(library_versions().items())).encode())
    root = Path(__file__).resolve().parents[1]
    for package in _PACKAGES:
        for source in sorted((root / package).rglob("*.py")):
            digest.update(source.relative_to(root).as_posix().encode())
            digest.update(source.read_bytes())
    return digest.hexdigest()


@functools.cache
def commit() -> str:
    """The checkout's commit, with ``+changes`` where files differ from it; else ``unknown``."""
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return "unknown"
    head = _git(root, "rev-parse", "HEAD")
    return head + ("+changes" if _git(root, "status", "--porcelain") else "")


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else "unknown"
