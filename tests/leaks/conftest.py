"""One honest partition, all sixteen steps, that leaks are planted into."""

from __future__ import annotations

import pytest
from helpers.partition_runs import trained

from ares_assets.stored import Stored


@pytest.fixture(scope="session")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    # Without costs there is something to trade, so that the released model has real signals.
    return trained(tmp_path_factory.mktemp("honest"), costs={"fee_bp": 0.0, "slippage_bp": 0.0})
