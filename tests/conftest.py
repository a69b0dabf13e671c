"""Fixtures that every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
MARKET = REPOSITORY.parent / "shared" / "market"


@pytest.fixture(scope="session")
def market_dir() -> Path:
    """The folder of real exchange bars that lies beside the checkout, where there is one."""
    if not (MARKET / "README.md").is_file():
        pytest.skip("no real market data beside the checkout (../shared/market)")
    return MARKET
