"""Checks the installation, the homes and the machine.

Belongs here: what ``ares doctor`` looks at.  Does not belong here: mending anything.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

from ares_resources.errors import CorruptArtifact
from ares_resources.home import Home


@dataclass(frozen=True)
class Finding:
    """One thing examined."""

    what: str
    ok: bool
    detail: str


def examine(home: Home) -> list[Finding]:
    """Every finding, bad ones included; writes nothing but a probe file in the home."""
    return [
        _python(),
        _libraries(),
        _kernels(),
        _definitions(),
        _writable(home),
        _space(home),
        _memory(),
        _restraints(home),
    ]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", sys.version_info >= (3, 11), f"{version} (3.11 or newer is needed)")


def _libraries() -> Finding:
    from ares_resources.provenance import library_versions

    try:
        versions = library_versions()
    except importlib.metadata.PackageNotFoundError as missing:
        return Finding("libraries", False, f"{missing.name} is not installed; run make setup")
    return Finding("libraries", True, ", ".join(f"{n} {v}" for n, v in versions.items()))


def _kernels() -> Finding:
    from ares_jobs.warm import warm

    return _attempt("compiled kernels", lambda: f"{warm():.1f} s to load and run all")


def _definitions() -> Finding:
    def load() -> str:
        from ares_jobs.definitions import defs

        graph = defs.resolve_asset_graph()
        return (
            f"{len(graph.materializable_asset_keys)} assets, {len(graph.asset_check_keys)} checks"
        )

    return _attempt("Dagster definitions", load)


def _writable(home: Home) -> Finding:
    def probe() -> str:
        existing = home.root
        while not existing.exists():
            existing = existing.parent
        if not os.access(existing, os.W_OK):
            raise OSError(f"{existing} is not writable")
        return str(home.root)

    return _attempt("home", probe)


def _space(home: Home) -> Finding:
    free = home.free_bytes() / 2**30
    return Finding("disk", free > 2, f"{free:.1f} GiB free (2 are needed)")


def _memory() -> Finding:
    import psutil

    available = psutil.virtual_memory().available / 2**30
    cores = os.cpu_count() or 1
    return Finding("machine", available > 2, f"{cores} cores, {available:.1f} GiB of memory free")


def _restraints(home: Home) -> Finding:
    from ares_resources.exchanges.restraints import Restraints

    try:
        refusals = Restraints(home.restraints).refusals()
    except CorruptArtifact as error:
        return Finding("exchanges", False, str(error))
    told = "; ".join(f"{name}: {reason}" for name, reason in refusals.items())
    return Finding("exchanges", not refusals, told or "none has banned or paused this machine")


def _attempt(what: str, action: Callable[[], str]) -> Finding:
    """Whatever goes wrong is the finding: a doctor that crashes helps nobody."""
    try:
        return Finding(what, True, action())
    except Exception as error:  # noqa: BLE001
        return Finding(what, False, f"{type(error).__name__}: {error}")
