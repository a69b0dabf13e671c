"""A home with one version in rollout, and the daily results that it is fed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ares_assets.evidence.rollout import RolloutPlan
from ares_jobs.cli import run
from ares_resources.home import Home
from ares_resources.settings import load_settings
from ares_resources.storage.releases import Release, ReleaseStore
from ares_resources.storage.rollouts import RolloutStore

DAY_MS = 86_400_000
LIVE_FROM = 1_704_067_200_000
UNTRACKED = {"settings": load_settings({"tracking": {"enabled": False}}).model_dump(mode="json")}


@dataclass
class Rolled:
    """A partition with a version in rollout; ``old`` served before it, if any did."""

    home: Home
    store: ReleaseStore
    new: Release
    old: Release | None
    folder: Path

    def feed(self, name: str, first: int, days: int, **columns: Any) -> Path:
        """A CSV of daily results from so many days after the rollout's beginning."""
        rng = np.random.default_rng(first)
        values = {
            "timestamp": LIVE_FROM + DAY_MS * np.arange(first, first + days),
            "challenger_return": rng.normal(0.002, 0.002, days),
            "champion_return": rng.normal(0.001, 0.002, days) if self.old else np.zeros(days),
            "trades": np.full(days, 2),
            **columns,
        }
        path = self.folder / name
        pd.DataFrame(values).to_csv(path, index=False)
        return path

    def call(self, *options: object) -> int:
        return run(["rollout", "ETHUSDT", "SIM", *map(str, options)])

    def state(self) -> dict[str, Any]:
        found = RolloutStore(self.store.root, self.new.sha256).state()
        assert found is not None
        return found

    def live(self) -> str | None:
        champion = self.store.champion()
        return None if champion is None else champion.sha256


def begun(folder: Path, *, alone: bool = False, regime: str = "bull") -> Rolled:
    home = Home(folder / "home")
    store = ReleaseStore(home.releases, "ETHUSDT.SIM", regime)
    old = None if alone else store.publish({"model.json": b"old"}, UNTRACKED)
    if old is not None:
        store.promote(old, identity="old", judged_against=None)
    new = store.publish({"model.json": b"new"}, UNTRACKED)
    start = {"plan": RolloutPlan(0.2).as_dict(), "level": 0.05, "live_from_ms": LIVE_FROM}
    assert store.promote(
        new,
        identity="new",
        judged_against=None if old is None else old.sha256,
        share=0.01,
        before=lambda: RolloutStore(store.root, new.sha256).begin(start),
    )
    return Rolled(home, store, new, old, folder)
