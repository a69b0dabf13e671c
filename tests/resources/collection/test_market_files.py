"""Every real file beside the checkout gets the treatment that its notes ask for."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.market_files import read_bars_file

from ares_resources.errors import BadInput, DataConflict
from ares_resources.exchanges.files.ingest import ingest
from ares_resources.exchanges.files.reader import ReadOptions
from ares_resources.storage.catalogue import Catalogue, Series
from ares_resources.symbols import SymbolKey

pytestmark = pytest.mark.market

KEY = SymbolKey.parse("ETHUSDT.BINANCE")
PERPETUAL = SymbolKey.parse("BTC/USDT:USDT.BINANCE")
MINUTES, HOURS = Series(KEY, "bars", "1m"), Series(KEY, "bars", "1h")
ALWAYS = (0, 2**60)
HALT = [1_679_661_600_000, 1_679_666_400_000, 80]  # 2023-03-24 12:40 to 14:00


def _real(market_dir: Path, name: str) -> pd.DataFrame:
    frame = pd.read_parquet(market_dir / "real" / name)
    moments = frame["timestamp"].astype("datetime64[ms, UTC]")
    return frame.assign(timestamp=moments.astype("int64"))


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return Catalogue(tmp_path)


def test_two_years_of_minutes_come_in_within_seconds(
    market_dir: Path, catalogue: Catalogue
) -> None:
    start = time.perf_counter()
    report = ingest(catalogue, [market_dir / "real" / "binance_ETHUSDT_1m.parquet"], KEY)
    assert time.perf_counter() - start < 15  # 1.4 s on an idle machine
    assert (report.added, report.gaps, report.missing_bars) == (1_051_120, 1, 80)
    assert catalogue.gaps(MINUTES, *ALWAYS).values.tolist() == [HALT]
    held = catalogue.read(MINUTES, *ALWAYS)
    pd.testing.assert_frame_equal(
        held.drop(columns="taker_buy_share"), _real(market_dir, "binance_ETHUSDT_1m.parquet")
    )


def test_dumps_zips_and_freqtrade_agree_with_each_other(
    market_dir: Path, catalogue: Catalogue
) -> None:
    raw = market_dir / "raw"
    zips = sorted((raw / "binance_daily_zips").glob("*.zip"))
    paths = [raw / "ETHUSDT-1m-2023-03-24.csv", *zips, raw / "freqtrade_ETH_USDT-1m.json"]
    report = ingest(catalogue, paths, KEY)
    assert [file.added for file in report.files] == [1360, *[1440] * 4, 0, 1440, 1440, 56_087]
    assert [file.repeated for file in report.files] == [0, *[0] * 4, 1360, 0, 0, 10_000]
    assert catalogue.gaps(MINUTES, *ALWAYS).values.tolist() == [HALT]
    held = catalogue.read(MINUTES, *ALWAYS)
    real = _real(market_dir, "binance_ETHUSDT_1m.parquet")
    real = real[real["timestamp"].isin(held["timestamp"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(held.drop(columns="taker_buy_share"), real)
    known = held["taker_buy_share"].notna()
    assert known.sum() == 10_000 - 72  # the dumps' bars, but for the halt's without a trade
    assert held.loc[known, "taker_buy_share"].between(0, 1).all()


def test_messy_export_is_refused_unless_a_policy_is_chosen(
    market_dir: Path, catalogue: Catalogue
) -> None:
    path = market_dir / "raw" / "cryptodatadownload_Binance_ETHUSDT_1h.csv"
    # One of the 2,649 repetitions differs only in columns that bars do not have.
    with pytest.raises(DataConflict, match=r"2648 conflicting .* \(of 2649 duplicates\)"):
        ingest(catalogue, [path], KEY)
    assert catalogue.coverage(HOURS) is None
    report = ingest(catalogue, [path], KEY, on_conflict="keep_first")
    assert (report.added, report.gaps, report.missing_bars) == (33_413, 8, 16)
    assert (report.files[0].first, report.files[0].last) == (
        "2017-08-17T04:00:00Z",
        "2021-06-10T00:00:00Z",
    )
    notes = " ".join(report.files[0].notes)
    assert "s in 28584 rows, ms in 7478 rows" in notes
    assert "volume_eth" in notes


def test_prices_of_a_test_network_are_refused(market_dir: Path, catalogue: Catalogue) -> None:
    path = market_dir / "raw" / "bybit_testnet_like_ETHUSDT_1m_blocks.parquet"
    with pytest.raises(BadInput, match="24 bars among 105076 that leap by more than 65 % up"):
        ingest(catalogue, [path], KEY)
    assert catalogue.coverage(MINUTES) is None


def test_real_prices_are_not_taken_for_a_test_network(market_dir: Path) -> None:
    for path in sorted((market_dir / "real").glob("*.parquet")):
        if "funding" not in path.name:
            timeframe = path.stem.rsplit("_", 1)[1]
            assert read_bars_file(path).timeframe == timeframe


def test_bars_stamped_at_their_close_fit_binance_after_the_shift(market_dir: Path) -> None:
    path = market_dir / "raw" / "ftx_btc-perp-20211231-20220201_1m.csv"
    real = read_bars_file(market_dir / "real" / "binance_BTCUSDT_15m.parquet").frame
    real = real.set_index("timestamp")["close"]

    def correlation(stamped_at: str) -> float:
        """Of 15-minute returns, of closes at the same true time."""
        frame = read_bars_file(path, stamped_at=stamped_at).frame
        closes = frame.set_index(frame["timestamp"] + 60_000)["close"]
        closes.index -= 900_000
        both = pd.DataFrame({"ftx": closes, "binance": real}).dropna()
        returns = np.log(both).diff().dropna()
        return float(returns.corr().iloc[0, 1])

    assert correlation("close") > 0.995
    assert correlation("close") > correlation("open")


def test_other_freqtrade_files(market_dir: Path) -> None:
    raw = market_dir / "raw"
    futures = read_bars_file(raw / "freqtrade_ETH_USDT_USDT-5m-futures.feather")
    assert (futures.timeframe, len(futures.frame)) == ("5m", 12_812)
    short = read_bars_file(raw / "freqtrade_XRP_USDT_USDT-1h-futures.json.gz")
    assert (short.timeframe, len(short.frame)) == ("1h", 100)


def test_funding_comes_in_and_its_zone_must_be_known(
    market_dir: Path, catalogue: Catalogue
) -> None:
    export = market_dir / "raw" / "binance_web_funding_history_BTCUSDT.csv"
    settled = market_dir / "real" / "binanceusdm_BTCUSDT_funding8h.parquet"
    with pytest.raises(BadInput, match=r"the viewer's own zone .* needed: --utc-offset"):
        ingest(catalogue, [export], PERPETUAL)
    assert catalogue.symbols() == []
    said = ingest(catalogue, [export], PERPETUAL, options=ReadOptions(utc_offset_ms=8 * 3_600_000))
    funding = catalogue.read(Series(PERPETUAL, "funding"), *ALWAYS)
    assert (said.added, said.gaps) == (6033, 0)
    assert funding["timestamp"].iloc[[0, -1]].tolist() == [1_568_102_400_000, 1_741_824_000_000]
    assert ingest(catalogue, [settled], PERPETUAL).added == 0  # equal to the last bit


def test_the_zone_of_an_export_is_told_by_equal_settlements(
    market_dir: Path, catalogue: Catalogue
) -> None:
    export = market_dir / "raw" / "binance_web_funding_history_BTCUSDT.csv"
    settled = market_dir / "real" / "binanceusdm_BTCUSDT_funding8h.parquet"
    ingest(catalogue, [settled], PERPETUAL)
    report = ingest(catalogue, [export], PERPETUAL)
    assert (report.added, report.files[0].repeated) == (6033 - 4721, 4721)
    assert "its zone is UTC+08:00, told by equal rates" in report.files[0].notes


def test_bars_stamped_at_their_close_are_found_out_by_another_market(
    market_dir: Path, catalogue: Catalogue
) -> None:
    ftx = market_dir / "raw" / "ftx_btc-perp-20211231-20220201_1m.csv"
    known = market_dir / "real" / "binance_ETHUSDT_1m.parquet"
    key = SymbolKey.parse("BTC-PERP.FTX")
    quote = ReadOptions(volume_unit="quote")
    alone = ingest(Catalogue(catalogue.root / "alone"), [ftx], key, options=quote)
    assert alone.files[0].first == "2021-12-31T23:01:00Z"  # nobody to compare with
    ingest(catalogue, [known], KEY)
    report = ingest(catalogue, [ftx], key, options=quote)
    assert report.files[0].first == "2021-12-31T23:00:00Z"
    notes = " ".join(report.files[0].notes)
    assert "times are closes; moved back by one bar" in notes
    assert "returns match ETHUSDT.BINANCE 0.88 when moved back by 60 s" in notes
    insisting = ReadOptions(volume_unit="quote", stamped_at="open")
    other = ingest(catalogue, [ftx], SymbolKey.parse("BTC-USD.FTX"), options=insisting)
    assert other.files[0].first == "2021-12-31T23:01:00Z"


def test_volumes_in_dollars_are_refused_as_base_volumes(
    market_dir: Path, catalogue: Catalogue
) -> None:
    ftx = market_dir / "raw" / "ftx_btc-perp-20211231-20220201_1m.csv"
    with pytest.raises(BadInput, match=r"row 1: volume = 2300413\.7295 .* --volume-unit quote"):
        ingest(catalogue, [ftx], SymbolKey.parse("BTC-PERP.FTX"))
    assert catalogue.symbols() == []
    ingest(
        catalogue,
        [ftx],
        SymbolKey.parse("BTC-PERP.FTX"),
        options=ReadOptions(volume_unit="quote"),
    )
    held = catalogue.read(Series(SymbolKey.parse("BTC-PERP.FTX"), "bars", "1m"), *ALWAYS)
    assert held["volume"].median() < 100  # coins a minute


def test_real_bars_in_a_wrong_zone_are_refused(
    market_dir: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    real = market_dir / "real"
    ingest(catalogue, [real / "binance_ETHUSDT_5m.parquet"], KEY)
    shifted = tmp_path / "x.csv"
    bars = _real(market_dir, "binance_BTCUSDT_5m.parquet")
    moments = pd.to_datetime(bars["timestamp"] + 2 * 3_600_000, unit="ms")
    bars.assign(timestamp=moments.dt.strftime("%Y-%m-%d %H:%M:%S")).to_csv(shifted, index=False)
    key = SymbolKey.parse("BTCUSDT.BINANCE")
    with pytest.raises(BadInput, match=r"moved back by 7200 s.*allowed: --utc-offset \+02:00"):
        ingest(catalogue, [shifted], key)
    report = ingest(catalogue, [shifted], key, options=ReadOptions(utc_offset_ms=2 * 3_600_000))
    assert report.added == len(bars)
    bars.assign(timestamp=bars["timestamp"] + 2 * 3_600_000).to_csv(shifted, index=False)
    other = SymbolKey.parse("BTCUSD.BINANCE")
    with pytest.raises(BadInput, match=r"times or those of .* allowed: --stamped-at open"):
        ingest(catalogue, [shifted], other)
    with pytest.raises(BadInput, match="its times are epochs, which are UTC"):
        ingest(catalogue, [shifted], other, options=ReadOptions(utc_offset_ms=2 * 3_600_000))
