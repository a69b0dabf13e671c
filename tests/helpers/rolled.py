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
    exchange: str = "SIM"

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
        return run(["rollout", "ETHUSDT", self.exchange, *map(str, options)])

    def kept(self) -> RolloutStore:
        return RolloutStore(self.store.root, self.new.sha256)

    def state(self) -> dict[str, Any]:
        found = self.kept().state()
        assert found is not None
        return found

    def live(self) -> str | None:
        champion = self.store.champion()
        return None if champion is None else champion.sha256


def begun(
    folder: Path, *, alone: bool = False, regime: str = "bull", exchange: str = "SIM"
) -> Rolled:
    home = Home(folder / "home")
    store = ReleaseStore(home.releases, f"ETHUSDT.{exchange}", regime)
    old = None if alone else store.publish({"model.json": b"old"}, UNTRACKED)
    if old is not None:
        store.promote(old, identity="old", judged_against=None)
    new = store.publish({"model.json": b"new"}, UNTRACKED)
    _promote(store, new, old)
    return Rolled(home, store, new, old, folder, exchange)


def followed(folder: Path, *, days: int = 40, alone: bool = True) -> tuple[Rolled, Rolled]:
    """A release whose rollout completed, and the next one that has just begun beside it.

    ``alone``: nothing served before the first of them.
    """
    first = begun(folder, alone=alone)
    for step in range(5):
        path = first.feed(f"first{step}.csv", days // 5 * step, days // 5)
        assert first.call("--feed", path) == 0
    assert first.state()["plan"]["status"] == "completed"
    second = first.store.publish({"model.json": b"second"}, UNTRACKED)
    _promote(first.store, second, first.new, LIVE_FROM + DAY_MS * days)
    return first, Rolled(first.home, first.store, second, first.new, folder)


def _promote(
    store: ReleaseStore, new: Release, old: Release | None, live_from_ms: int = LIVE_FROM
) -> None:
    start = {"plan": RolloutPlan(0.2).as_dict(), "level": 0.05, "live_from_ms": live_from_ms}
    assert store.promote(
        new,
        identity=new.sha256[:8],
        judged_against=None if old is None else old.sha256,
        share=0.01,
        before=lambda: RolloutStore(store.root, new.sha256).begin(start),
    )
