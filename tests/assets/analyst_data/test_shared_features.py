"""Features through the cache: by content of bars, settings and code, and extended bit for bit."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.random_bars import random_market

from ares_assets import shared_features
from ares_assets.analyst.features import compute_features
from ares_assets.shared_features import FEATURE_CODE, kept_features
from ares_assets.step01_data_collection import first_bar_wanted
from ares_resources.settings import FeatureSettings
from ares_resources.timeframes import DAY_MS, WEEK_MS

ROOT = Path(__file__).parents[3]
SETTINGS = FeatureSettings(timeframes=("5m", "1h"))
MARKET = random_market(5_000, seed=3, missing_share=0.004)


def kept(folder: Path, frame: pd.DataFrame, settings: FeatureSettings = SETTINGS) -> str:
    found, how = kept_features(folder, frame, "1m", settings)
    plain = compute_features(frame, timeframe="1m", settings=settings)
    pd.testing.assert_frame_equal(found, plain, check_exact=True)
    assert found.to_numpy().tobytes() == plain.to_numpy().tobytes()
    return how


@pytest.mark.parametrize("cuts", [(3_000, 3_007, 3_600), (61, 62, 4_000), (1, 2, 3)])
def test_appended_bars_extend_and_give_the_bytes_of_a_whole_computation(tmp_path, cuts):
    first, second, third = cuts
    assert kept(tmp_path, MARKET.iloc[:first]) == "computed"
    assert kept(tmp_path, MARKET.iloc[:second]) == f"extended by {second - first} rows"
    assert kept(tmp_path, MARKET.iloc[:second]) == "read"
    assert kept(tmp_path, MARKET.iloc[:third]) == f"extended by {third - second} rows"


def test_only_what_features_depend_on_is_in_the_key(tmp_path, monkeypatch):
    assert kept(tmp_path, MARKET) == "computed"
    assert kept(tmp_path, MARKET.assign(funding_payment=1.0)) == "read"
    assert kept(tmp_path, MARKET.drop(columns="funding_payment")) == "read"
    assert kept(tmp_path, MARKET, FeatureSettings(timeframes=("1h",))) == "computed"
    for column in ("open", "volume", "taker_buy_share", "funding_rate", "open_interest"):
        changed = MARKET.copy()
        changed.loc[4_900, column] = np.nextafter(changed.loc[4_900, column], 0)
        assert kept(tmp_path, changed) == "computed", column
    monkeypatch.setattr(shared_features, "feature_code_fingerprint", lambda: "other code")
    assert kept(tmp_path, MARKET) == "computed"


def test_a_bar_that_was_corrected_is_not_extended_over(tmp_path):
    kept(tmp_path, MARKET.iloc[:3_000])
    corrected = MARKET.copy()
    corrected.loc[2_980, "open_interest"] *= 1 + 1e-9
    assert kept(tmp_path, corrected.iloc[:4_000]) == "extended by 1060 rows"
    corrected.loc[2_000, "close"] *= 1 + 1e-9
    assert kept(tmp_path, corrected) == "computed"


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("ares_"):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    files = {ROOT / (name.replace(".", "/") + ".py") for name in found}
    return {file.relative_to(ROOT).as_posix() for file in files if file.is_file()}


def test_the_code_in_the_key_is_all_that_features_import():
    # The values of settings are in the key; errors change no value.
    reached = {"ares_resources/settings.py", "ares_resources/errors.py"}
    without, left = set(reached), {"ares_assets/analyst/features.py"}
    while left:
        name = left.pop()
        reached.add(name)
        left |= imported(ROOT / name) - reached
    assert reached - without == set(FEATURE_CODE)


def test_the_first_bar_moves_once_a_week():
    start = 1_700_006_400_000
    wanted = [first_bar_wanted(start + day * DAY_MS, 14_400, 60_000) for day in range(15)]
    assert len(set(wanted)) == 3
    for day, first in enumerate(wanted):
        needed = start + day * DAY_MS - 14_400 * 60_000
        assert needed - WEEK_MS < first <= needed
        assert pd.Timestamp(first, unit="ms").day_name() == "Monday"
        assert first % DAY_MS == 0
