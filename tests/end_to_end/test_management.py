"""Position management where it is kept: in the served signals, in the backtest, and blind ahead.

The blank training's own finding is that the rule does not pay, so the test takes its bundle and
lets it: what is tried is that a kept rule acts, not that it helps.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from ares_assets.release.partition_model import PartitionModel
from ares_assets.release.served_model import ServedModel
from ares_resources.backtesting import EXIT_NAMES
from ares_resources.storage.artifacts import Artifact, ArtifactStore, Place
from ares_resources.storage.releases import ReleaseStore

from .conftest import Trained

CODES = {"exit_long": 1, "exit_short": -1}


def artifact(trained: Trained, name: str, regime: str | None) -> Artifact:
    store = ArtifactStore(trained.home.artifacts, trained.home.runs)
    found = store.pointed(Place(name, "ETHUSDT.SIM", regime), run_id=None, mode="blank")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def managed(trained: Trained) -> tuple[ServedModel, pd.DataFrame, dict[str, int]]:
    walk = artifact(trained, "walk_forward_report", "bear").metadata
    (version,) = (trained.home.releases / "ETHUSDT.SIM" / "bear" / "versions").iterdir()
    store = ReleaseStore(trained.home.releases, "ETHUSDT.SIM", "bear")
    release = store.find(json.loads((version / "manifest.json").read_text())["sha256"])
    assert release is not None
    files = release.files()
    described = json.loads(files["tactician.json"])
    # A narrow band, so that what little the analyst expects moves positions.
    described["parameters"]["management"] = {"kept": True, "band": 1e-5}
    described["parameters"]["ensemble"]["threshold"] = 0.0
    # Payoffs that make Kelly's rule stake something on each signal, whatever was learnt.
    described["parameters"]["payoffs"] = {"average_win": 0.01, "average_loss": 0.001}
    model = json.loads(files["model.json"])
    model["parameters"] = {"enter_margin": 0.0, "stop_width": 50.0, "target_width": 50.0}
    files |= {
        "tactician.json": json.dumps(described).encode(),
        "model.json": json.dumps(model).encode(),
    }
    frame = artifact(trained, "market_data", None).load()
    return (
        ServedModel.from_files(files),
        frame,
        {name: walk[name] for name in ("first_row", "history_row")},
    )


def test_served_signals_carry_it_and_see_no_future(managed) -> None:  # type: ignore[no-untyped-def]
    served, frame, where = managed
    signals = served.signals(frame, **where)
    assert {"reduce_long", "exit_long"} & set(signals["management"])
    assert "hold" in set(signals["management"])
    cut = int(signals["row"].iloc[len(signals) // 2]) + 3
    again = served.signals(frame.iloc[:cut], **where)
    pd.testing.assert_frame_equal(again, signals[signals["row"] < cut].reset_index(drop=True))


def test_the_backtest_leaves_when_told(managed) -> None:  # type: ignore[no-untyped-def]
    served, frame, where = managed
    model: PartitionModel = served.model
    signals = served.signals(frame, **where)
    first, latency = where["first_row"], model.settings.costs.latency_bars
    path = model.trade(frame, signals, first_row=first)
    told = np.array([EXIT_NAMES[int(reason)] == "signal" for reason in path.exit_reason])
    assert told.any()
    said = signals.set_index("row")["management"]
    for row, side in zip(path.exit_row[told] + first - latency, path.side[told], strict=True):
        assert CODES[said[row]] == side
    silent = model.trade(frame, signals.assign(management="hold"), first_row=first)
    assert not any(EXIT_NAMES[int(reason)] == "signal" for reason in silent.exit_reason)
    assert path.result != silent.result
