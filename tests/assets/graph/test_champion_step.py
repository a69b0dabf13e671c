"""Step 15 with a champion: attempts are counted, share one level, and the check trusts no word."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers.judged_step import DAY_MS, ask, inputs, judged

from ares_assets import step15_rivals
from ares_assets.evidence.repeated_tests import level_of_attempt
from ares_assets.release import served_model
from ares_assets.release_checks import release_gate_holds
from ares_assets.step15_rivals import faced_state
from ares_assets.stored import Stored
from ares_resources.errors import AresError, ObsoleteFormat
from ares_resources.storage.attempts import Attempts
from ares_resources.storage.releases import ReleaseStore

EDGE, DAYS, BLANK = 0.006, 73, 6
LEAD = 0.004


class Home:
    """A partition with a champion, whose replay is the challenger less ``lead`` a day."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.lead = folder, LEAD
        self.store = ReleaseStore(folder, "X", "bull")
        self.champion = self.store.publish({"model.json": b"{}"}, {})
        assert self.store.promote(self.champion, identity="an earlier one", judged_against=None)

    def challenger(self, name: str, *, days: int = DAYS, begins_at: int = 0) -> Stored:
        stored = inputs(EDGE, days, begins_at=begins_at, releases=self.folder)
        stored["final_parameters"].sha256 = name  # type: ignore[misc]
        return stored

    def replayed(self, *told: Any) -> np.ndarray:
        net = told[-1].load()["returns.parquet"]["net_return"].to_numpy()
        noise = np.random.default_rng(1).normal(0.0, 0.005 / np.sqrt(24), net.size)
        return np.asarray(net - self.lead / 24 - noise)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    made = Home(tmp_path)
    monkeypatch.setattr(step15_rivals, "_replayed", made.replayed)
    # The bundle here holds no model; that one is read from files is tested end to end.
    monkeypatch.setattr(served_model.ServedModel, "from_files", lambda files: None)
    return made


def champion_row(report: dict[str, Any]) -> dict[str, Any]:
    return next(row for row in report["gate"] if row["name"] == "better than champion")


def test_each_challenger_has_its_number_and_level_and_keeps_them(home: Home) -> None:
    seen = []
    for name in ("a", "b", "a", "c"):
        stored = home.challenger(name)
        report, metadata = judged(stored)
        test = report["tests"]["champion"]
        seen.append(metadata["attempt"])
        level = level_of_attempt(0.05, metadata["attempt"])
        assert test["level"] == test["comparison"]["level"] == level
        assert report["tests"]["no trade"]["level"] == 0.05
        row = champion_row(report)
        assert row["requirement"].endswith(f"attempt {metadata['attempt']}, level {level:.3g}")
        told = f"against the champion, attempt {metadata['attempt']} at a level of {level:.3g}"
        assert told in metadata["power"]
        assert report["power"]["against_champion"]["level"] == level
        assert release_gate_holds(stored).passed
    assert seen == [1, 2, 1, 3]


def test_later_attempts_need_clearer_evidence(home: Home) -> None:
    home.lead = 0.003
    report, metadata = judged(home.challenger("first"))
    assert report["verdict"] == "promote"
    attempts = Attempts(home.store.root)
    for k in range(1, 100):
        attempts.record(home.champion.sha256, f"in between {k}")
    late, told = judged(home.challenger("late"))
    assert told["attempt"] == 101
    assert late["tests"]["champion"]["decision"] == "undecided"
    assert late["verdict"] != "promote"
    again, _ = judged(home.challenger("first"))
    assert again["verdict"] == "promote"
    assert metadata["attempt"] == 1


def test_a_blank_run_spends_none_of_the_level_of_the_full_run_after_it(home: Home) -> None:
    blank = home.challenger("blank", days=BLANK)
    report, metadata = judged(blank)
    assert metadata["attempt"] is None
    assert metadata["champion"] == home.champion.sha256
    assert report["tests"]["champion"]["decision"] == "undecided"
    assert report["tests"]["champion"]["p_value"] == 1.0
    assert "counts as no attempt" in metadata["champion_remark"]
    assert release_gate_holds(blank).passed
    full = home.challenger("full")
    report, metadata = judged(full)
    assert metadata["attempt"] == 1
    assert report["tests"]["champion"]["level"] == level_of_attempt(0.05, 1)
    assert release_gate_holds(full).passed


@pytest.mark.parametrize(
    ("days", "begins_at", "attempt"), [(19, 0, None), (20, 0, 1), (20, 1, None), (21, 1, 1)]
)
def test_an_attempt_is_what_lasts_for_a_first_look(
    home: Home, days: int, begins_at: int, attempt: int | None
) -> None:
    stored = home.challenger("a", days=days, begins_at=begins_at)
    report, metadata = judged(stored)
    assert (metadata["attempt"], report["days"]) == (attempt, days - (begins_at > 0))
    assert Attempts(home.store.root).number(home.champion.sha256, "a-a") == attempt
    assert release_gate_holds(stored).passed


def test_a_long_stretch_that_tells_of_no_attempt_fails_the_check(home: Home) -> None:
    stored = home.challenger("a")
    # As if it were short, for whoever reads no returns: the test is then made at the full level.
    walk = stored["walk_forward_report"].metadata
    walk["window_end_ms"] = walk["holdout_start_ms"] + BLANK * DAY_MS
    report, metadata = judged(stored)
    assert (report["verdict"], metadata["attempt"]) == ("promote", None)
    assert report["tests"]["champion"]["level"] == 0.05
    found = release_gate_holds(stored)
    assert not found.passed
    assert "no attempt at the champion is told, but its 73 days can settle" in found.words


def test_a_short_stretch_that_tells_of_an_attempt_never_made_fails_the_check(home: Home) -> None:
    stored = home.challenger("a", days=BLANK)
    report, _ = judged(stored)
    report["attempt"] = 1
    assert "attempt 1 at the champion is told, None is recorded" in release_gate_holds(stored).words


def test_a_champion_that_was_taken_back_bars_nobody(home: Home) -> None:
    home.lead = 0.0
    stored = home.challenger("a")
    report, metadata = judged(stored)
    assert report["verdict"] != "promote"
    assert metadata["attempt"] == 1
    assert home.store.roll_back(home.champion.sha256, "it lost")
    assert home.store.live_version() is None
    report, metadata = judged(stored)
    assert (report["verdict"], metadata["champion"]) == ("promote", "none")
    assert metadata["attempt"] is None
    found = release_gate_holds(stored)
    assert found.passed, found.words


def test_of_the_champions_faced_one_that_stands_is_enough_to_fail_the_check(home: Home) -> None:
    stored = home.challenger("a")
    judged(stored)
    new = home.store.publish({"model.json": b"[]"}, {})
    assert home.store.promote(new, identity="b", judged_against=home.champion.sha256)
    judged(stored)
    assert home.store.roll_back(new.sha256, "it lost")
    assert home.store.live_version() == home.champion.sha256
    report, _ = judged(stored)
    forget(report)
    report.update(champion="none", attempt=None)
    stored["ab_test_report"].metadata["champion"] = "none"
    stored["model_release"].metadata["judged_against"] = "none"
    found = release_gate_holds(stored)
    assert not found.passed
    assert f"judged without a champion, but {home.champion.sha256!r}" in found.words


def test_whoever_only_asks_makes_no_attempt_and_the_key_knows_the_number(home: Home) -> None:
    stored = home.challenger("a")
    work: Any = SimpleNamespace(workspace=stored.workspace, request=stored.request)
    before = faced_state(work, stored)
    assert faced_state(work, home.challenger("b")) == before
    judged(stored)
    assert faced_state(work, stored) == before
    assert faced_state(work, home.challenger("b")) != before


def test_an_attempt_that_became_another_one_meanwhile_is_not_tested(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = home.challenger("a")
    honest = Attempts.expected

    def overtaken(self: Attempts, champion: str, challenger: str) -> int:
        number = honest(self, champion, challenger)
        self.record(champion, "another")
        return number

    monkeypatch.setattr(Attempts, "expected", overtaken)
    with pytest.raises(AresError, match="number 2, not 1"):
        judged(stored)


def test_a_new_champion_is_faced_for_the_first_time(home: Home) -> None:
    for name in ("a", "b"):
        judged(home.challenger(name))
    new = home.store.publish({"model.json": b"[]"}, {})
    assert home.store.promote(new, identity="b", judged_against=home.champion.sha256)
    assert judged(home.challenger("c"))[1]["attempt"] == 1


def test_the_p_value_is_that_of_the_least_clear_required_rival(home: Home) -> None:
    home.lead = 0.0005
    report, metadata = judged(home.challenger("a"))
    p = {name: test["p_value"] for name, test in report["tests"].items()}
    assert p["no trade"] < 0.05 < p["champion"]
    assert metadata["p_value"] == p["champion"]


def test_a_champion_of_an_old_format_is_not_required_and_the_check_knows(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*told: Any) -> Any:
        raise ObsoleteFormat("format 1")

    monkeypatch.setattr(step15_rivals, "_replayed", refused)
    monkeypatch.setattr(served_model.ServedModel, "from_files", refused)
    stored = home.challenger("a")
    report, _ = judged(stored)
    assert report["verdict"] == "promote"
    assert "champion" not in report["tests"]
    assert "against_champion" not in report["power"]
    assert release_gate_holds(stored).passed


def forget(report: dict[str, Any]) -> None:
    """As if there had been nobody to beat, all through the report."""
    report["tests"].pop("champion")
    report["champion_daily"] = None
    report["gate"] = [row for row in report["gate"] if row["name"] != "better than champion"]


FAULTS = {
    "better": "better than champion",
    "no test": "can be replayed, but was not compared with",
    "no champion": "judged without a champion",
    "another champion": "attempt 1 at the champion is told, None is recorded",
    "first attempt": "attempt 1 at the champion is told, 2 is recorded",
    "no attempt": "no attempt at the champion is told, but its 73 days can settle something",
    "other returns": "better than champion",
    "fewer days": "the champion has 72 days, the challenger 73",
    "row gone": "15 rows were acted on, 16 are found: better than champion",
    "row twice": "17 rows were acted on, 16 are found: trades",
    "told apart": "it and step 16 tell",
    "not degraded": "degraded",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_champion_is_not_taken_on_trust(home: Home, fault: str) -> None:
    judged(home.challenger("earlier"))
    home.lead = LEAD if fault in ("row gone", "row twice", "other returns") else 0.0005
    stored = home.challenger("a")
    report, _ = judged(stored)
    assert release_gate_holds(stored).passed
    released = stored["model_release"].metadata
    if fault == "better":
        champion_row(report).update(passed=True, measured="better, p = 0.0001, annual Sharpe 9.00")
        report["tests"]["champion"]["comparison"]["decision"] = "better"
    elif fault == "no test":
        forget(report)
    elif fault == "no champion":
        forget(report)
        report.update(champion="none", attempt=None)
    elif fault == "another champion":
        report.update(champion="e" * 64, attempt=1)
    elif fault == "first attempt":
        report["attempt"] = 1
    elif fault == "no attempt":
        report["attempt"] = None
    elif fault == "other returns":
        report["champion_daily"] = [day + 0.02 for day in report["champion_daily"]]
    elif fault == "fewer days":
        report["champion_daily"].pop()
    elif fault == "row gone":
        report["gate"].remove(champion_row(report))
    elif fault == "row twice":
        report["gate"].append(next(row for row in report["gate"] if row["name"] == "trades"))
    elif fault == "told apart":
        released["judged_against"] = "none"
    else:
        stored["walk_forward_report"].degraded.append("stale bars")
    failed = any(row["required"] and not row["passed"] for row in report["gate"])
    verdict = "insufficient evidence" if failed else "promote"
    for place in (report, stored["ab_test_report"].metadata, released):
        place["verdict"] = verdict
    if fault != "told apart":
        stored["ab_test_report"].metadata["champion"] = report["champion"]
        released["judged_against"] = report["champion"]
    found = release_gate_holds(stored)
    assert not found.passed
    assert FAULTS[fault] in found.words


def test_a_champion_where_there_is_none_is_noticed(tmp_path: Path) -> None:
    stored = inputs(EDGE, DAYS, releases=tmp_path)
    report, _ = judged(stored)
    assert release_gate_holds(stored).passed
    report["champion_daily"] = [0.0] * DAYS
    assert "where there is none" in release_gate_holds(stored).words


def test_looser_settings_are_told_with_the_release(home: Home) -> None:
    stored = home.challenger("a")
    ask(stored, {"gate": {"minimum_trades": 5}})
    report, metadata = judged(stored)
    told = "gate.minimum_trades 5 (default 30)"
    assert metadata["loosened"] == [told]
    assert told in metadata["reason"]
    (row,) = (row for row in report["gate"] if row["name"].startswith("requirements looser"))
    assert row["measured"] == told
    assert release_gate_holds(stored).passed
