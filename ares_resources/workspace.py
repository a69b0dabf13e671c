"""What a run works with: the home, its stores and its memory watch, opened on demand.

Belongs here: building the plain objects from a home.  Does not belong here: Dagster
(``dagster_resources.py``), and anything that computes.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from ares_resources.home import Home
from ares_resources.settings import Settings
from ares_resources.storage.artifacts import ArtifactStore

if TYPE_CHECKING:
    from ares_resources.backtesting.ledger import TrialLedger
    from ares_resources.memory import MemoryManager
    from ares_resources.storage.catalogue import Catalogue


class Workspace:
    """One home, opened.  Cheap to make: each part is opened when first used."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.store = ArtifactStore(home.artifacts, home.runs)

    @functools.cached_property
    def catalogue(self) -> Catalogue:
        """The bars, by series."""
        from ares_resources.storage.catalogue import Catalogue

        return Catalogue(self.home.catalogue)

    @functools.cached_property
    def ledger(self) -> TrialLedger:
        """Every trial ever made in this home."""
        from ares_resources.backtesting.ledger import TrialLedger

        return TrialLedger(self.home.ledger)

    @functools.lru_cache(maxsize=8)  # noqa: B019 - a workspace lives as long as its process
    def memory(self, settings: Settings) -> MemoryManager:
        """The memory watch, as configured."""
        from ares_resources.memory import MemoryManager

        watch = settings.computational_optimization.memory_management
        enabled = watch.enabled and settings.enhanced_training_manager.enable_memory_management
        return MemoryManager(threshold=watch.memory_threshold, enabled=enabled)
