"""Dagster's storage with kept connections: fewer of them, the same content, nothing left open.

Belongs here: `ares_jobs/kept_connections.py`.
"""

import sqlite3
from pathlib import Path

import dagster as dg
import pytest

from ares_jobs.kept_connections import (
    MOST_DATABASES,
    _Engines,
    _remembering,
    keep_connections,
)
from ares_jobs.setup import dagster_instance
from ares_resources.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.create()
    return home


@dg.op
def said(context: dg.OpExecutionContext) -> None:
    context.log.info("said")


@dg.job
def speaking() -> None:
    said()


def _plain(home: Home) -> dg.DagsterInstance:
    return dg.DagsterInstance.from_config(str(home.dagster))


def _events(instance: dg.DagsterInstance, run_id: str) -> list[str | None]:
    return [
        entry.dagster_event.event_type_value if entry.dagster_event else entry.user_message
        for entry in instance.all_logs(run_id)
    ]


def _connections(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    opened: list[str] = []
    connect = sqlite3.dbapi2.connect

    def counted(*arguments: object, **options: object) -> sqlite3.Connection:
        opened.append(str(arguments[0]))
        return connect(*arguments, **options)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr(sqlite3.dbapi2, "connect", counted)
    return opened


def test_a_run_tells_the_same_over_far_fewer_connections(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dagster_instance(home), _plain(home) as instance:
        opened = _connections(monkeypatch)
        plain = speaking.execute_in_process(instance=instance)
        many = len(opened)
        expected = _events(instance, plain.run_id)
    with dagster_instance(home) as instance:
        opened.clear()
        kept = speaking.execute_in_process(instance=instance)
        assert _events(instance, kept.run_id) == expected
    assert len(opened) < many / 5
    with _plain(home) as instance:
        assert _events(instance, kept.run_id) == expected
        assert instance.get_run_by_id(kept.run_id).is_success  # type: ignore[union-attr]


def test_another_process_reads_what_is_written_meanwhile(home: Home) -> None:
    with dagster_instance(home) as instance:
        run_id = speaking.execute_in_process(instance=instance).run_id
        with _plain(home) as other:
            assert _events(other, run_id) == _events(instance, run_id)


def test_a_table_is_asked_for_until_it_is_there() -> None:
    answers, asked = iter([False, True]), []

    def has_table(name: str) -> bool:
        asked.append(name)
        return next(answers)

    remembered = _remembering(has_table)
    assert [remembered("events") for _ in range(4)] == [False, True, True, True]
    assert asked == ["events", "events"]


def test_nothing_stays_open(home: Home) -> None:
    with dagster_instance(home) as instance:
        speaking.execute_in_process(instance=instance)
        assert list(home.dagster.rglob("*.db-wal"))
    assert not list(home.dagster.rglob("*.db-wal")), "the last connection closed copies it back"


def test_commits_of_kept_connections_do_not_wait_for_the_disk(tmp_path: Path) -> None:
    engines = _Engines()
    with engines.of(f"sqlite:///{tmp_path / 'one.db'}").connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1
    engines.close()


def test_engines_are_used_again_and_bounded(tmp_path: Path) -> None:
    engines = _Engines()
    first = engines.of(f"sqlite:///{tmp_path / '0.db'}")
    for number in range(1, MOST_DATABASES):
        engines.of(f"sqlite:///{tmp_path / f'{number}.db'}")
    assert engines.of(f"sqlite:///{tmp_path / '0.db'}") is first
    engines.of(f"sqlite:///{tmp_path / 'more.db'}")
    assert engines.of(f"sqlite:///{tmp_path / '0.db'}") is first
    for number in range(MOST_DATABASES):
        engines.of(f"sqlite:///{tmp_path / f'new{number}.db'}")
    assert engines.of(f"sqlite:///{tmp_path / '0.db'}") is not first


def test_an_instance_over_other_storage_is_left_alone() -> None:
    with dg.DagsterInstance.ephemeral() as instance, keep_connections(instance):
        assert speaking.execute_in_process(instance=instance).success
