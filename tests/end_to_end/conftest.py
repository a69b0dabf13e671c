"""One blank training of the simulated ETHUSDT, shared by the tests that look at its traces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ares_jobs.runner import PartitionOutcome, TrainingRequest, train
from ares_resources.home import Home
from ares_resources.symbols import SymbolKey

REQUEST = TrainingRequest(SymbolKey("ETHUSDT", "SIM"), mode="blank")


@dataclass(frozen=True)
class Trained:
    """The home and what the training told."""

    home: Home
    outcomes: list[PartitionOutcome]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    home = Home(tmp_path_factory.mktemp("trained"))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        yield Trained(home, train(REQUEST, home=home))
