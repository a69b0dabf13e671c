"""Real ETHUSDT bars: ingested, trained offline, with the exchange's halt in the ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares_jobs.runner import PartitionOutcome, TrainingRequest, train
from ares_resources.exchanges.files.ingest import ingest
from ares_resources.home import Home
from ares_resources.storage.catalogue import Catalogue
from ares_resources.symbols import SymbolKey

pytestmark = pytest.mark.market
SYMBOL = SymbolKey("ETHUSDT", "BINANCE")


@pytest.fixture(scope="module")
def home(market_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    made = Home(tmp_path_factory.mktemp("real"))
    ingest(Catalogue(made.catalogue), [market_dir / "real" / "binance_ETHUSDT_1m.parquet"], SYMBOL)
    return made


def trained(home: Home, **changes: object) -> list[PartitionOutcome]:
    overrides = {"tracking": {"enabled": False}}
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        request = TrainingRequest(SYMBOL, overrides=overrides, offline=True, **changes)  # type: ignore[arg-type]
        return train(request, home=home)


def test_all_three_regimes_end_with_a_verdict_or_an_honest_reason(home: Home) -> None:
    outcomes = trained(home, mode="blank", as_of="2024-01-01T00:00:00Z")
    assert len(outcomes) == 3
    for outcome in outcomes:
        assert outcome.status in ("released", "kept", "insufficient evidence", "skipped")
        assert outcome.reason
    assert sum(outcome.status != "skipped" for outcome in outcomes) >= 2


def test_the_halt_of_24_march_2023_is_in_the_gap_ledger(home: Home) -> None:
    (outcome,) = trained(home, mode="blank", as_of="2023-04-10T00:00:00Z", regimes=("sideways",))
    assert outcome.metrics["market_data/missing_bars"] == 80
    (gap,) = outcome.metrics["market_data/gap_ledger"]
    assert gap["missing_bars"] == 80
    assert gap["start_ms"] == 1_679_661_600_000
    assert gap["end_ms"] == 1_679_666_400_000


@pytest.mark.slow
def test_the_full_mode_of_a_year_runs_to_its_end(home: Home) -> None:
    outcomes = trained(home, mode="full", as_of="2024-01-01T00:00:00Z")
    assert all(outcome.status != "failed" for outcome in outcomes)
