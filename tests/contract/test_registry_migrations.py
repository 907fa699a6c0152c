"""Registries whose tables are older: brought up to date when they are opened, by one process, whole or not at all."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from c3fs.core.job import JobState
from c3fs.core.ref import parse_ref
from c3fs.errors import StoreRefusedError
from c3fs.registry.database import Database
from c3fs.registry.migrations import upgrade
from c3fs.registry.opening import open_database
from c3fs.registry.schema import VERSION, metadata
from c3fs.registry.sql import SqlRegistry
from tests.support.postgres import shared_cluster
from tests.support.racer import race
from tests.support.records import job_id, make_blob, make_blobs, make_manifest
from tests.support.version2 import make_version2

T = TypeVar("T")


def sqlite_place(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/registry.db"


def postgres_place(_: Path) -> str:
    cluster = shared_cluster()
    return cluster.url(cluster.make_empty())


@pytest.fixture(
    params=[
        pytest.param(sqlite_place, id="sqlite"),
        pytest.param(postgres_place, id="postgres", marks=pytest.mark.postgres),
    ]
)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where there is nothing yet."""
    return request.param(tmp_path)


@pytest.fixture
def old(empty: str) -> str:
    """Where there is a registry of version 2."""
    make_version2(empty)
    return empty


def look(url: str, work: Callable[[Connection], T]) -> T:
    database = Database.open(url)
    try:
        return database.read(work)
    finally:
        database.close()


def version(url: str) -> int:
    def found(connection: Connection) -> int:
        return connection.execute(text("SELECT version FROM schema_version")).scalar_one()

    return look(url, found)


def differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    return compare_metadata(context, metadata)


def shape(connection: Connection) -> dict[str, Any]:
    """What Alembic does not compare: keys, and their order."""
    seen = inspect(connection)
    return {
        name: (
            seen.get_pk_constraint(name)["constrained_columns"],
            sorted((column["name"], str(column["type"]), column["nullable"]) for column in seen.get_columns(name)),
            sorted((key["constrained_columns"], key["referred_table"]) for key in seen.get_foreign_keys(name)),
            sorted((index["name"] or "", index["column_names"]) for index in seen.get_indexes(name)),
        )
        for name in seen.get_table_names()
    }


def test_the_tables_are_the_same_made_at_once_or_brought_up_to_date(old: str, tmp_path: Path) -> None:
    open_database(old).close()
    assert look(old, differences) == []
    fresh = postgres_place(tmp_path) if old.startswith("postgresql") else f"sqlite:///{tmp_path}/fresh.db"
    open_database(fresh).close()
    assert look(fresh, differences) == []
    assert look(old, shape) == look(fresh, shape)


def test_the_first_revision_makes_what_version_2_was(tmp_path: Path) -> None:
    make_version2(sqlite_place(tmp_path))
    database = Database.open(f"sqlite:///{tmp_path}/made.db")
    try:
        database.migrate(lambda connection: upgrade(connection, None, 2))
        assert database.read(shape) == look(sqlite_place(tmp_path), shape)
    finally:
        database.close()


async def test_what_was_there_is_there_and_goes_on(old: str) -> None:
    with SqlRegistry.open(old) as registry:
        job = await registry.job(job_id(1))
        assert (job.state, job.exit_code, job.inputs) == (JobState.SUCCEEDED, 0, ("/datasets/a/@v1/sub",))
        assert job.directory == "/home/\udcff/jobs"
        assert [user.id for user in await registry.consumers(parse_ref("/datasets/a/@v1"))] == [job_id(1)]
        assert await registry.manifest(parse_ref("/jobs/" + job_id(1))) == make_manifest("/jobs/" + job_id(1), "y")
        stored = (await registry.balance()).stored
        assert stored == sum(size for _, size in make_blobs([1, 2, 3]))
        # The sweep of before counts: what was marked then comes too late.
        assert await registry.mark() == 1
        done = await registry.register(make_manifest("/datasets/a", "z"), make_blobs([3, 4]), mark=1)
        assert (done.manifest.ref, done.charged) == ("/datasets/a/@v2", make_blob(4)[1])
        assert [line.balance for line in (await registry.balance()).lines][:2] == [stored + done.charged, stored]
        assert (await registry.condemn({make_blob(9)[0]}, 60)).id == 2


def test_a_copy_of_the_file_as_it_was_is_left_beside_it(tmp_path: Path) -> None:
    make_version2(sqlite_place(tmp_path))
    open_database(sqlite_place(tmp_path)).close()
    assert version(sqlite_place(tmp_path)) == VERSION
    assert version(f"sqlite:///{tmp_path}/registry.db.v2") == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["registry.db", "registry.db.v2"]


def test_without_a_copy_nothing_is_changed(tmp_path: Path) -> None:
    make_version2(sqlite_place(tmp_path))
    (tmp_path / "registry.db.v2").mkdir()
    with pytest.raises(StoreRefusedError, match="registry"):
        open_database(sqlite_place(tmp_path))
    assert version(sqlite_place(tmp_path)) == 2


def test_damage_is_not_carried_over(tmp_path: Path) -> None:
    make_version2(sqlite_place(tmp_path))
    with closing(sqlite3.connect(tmp_path / "registry.db")) as connection, connection:
        connection.execute("UPDATE consumed SET job = 'job_2_abc123'")
    with pytest.raises(StoreRefusedError, match="is damaged: a row of consumed refers to nothing"):
        open_database(sqlite_place(tmp_path))
    assert version(sqlite_place(tmp_path)) == 2


def test_several_processes_that_open_it_at_once(old: str) -> None:
    race(old, *[["open"]] * 4)
    assert look(old, differences) == []


def test_several_processes_that_make_it_at_once(empty: str) -> None:
    race(empty, *[["open"]] * 4)
    assert look(empty, differences) == []


KILLED = """
import os, signal, sys
from alembic import op
from c3fs.registry.opening import open_database
name, number = sys.argv[2], int(sys.argv[3])
real = getattr(op, name)
def counted(*args, **kwargs):
    global number
    number -= 1
    if not number:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*args, **kwargs)
setattr(op, name, counted)
open_database(sys.argv[1])
"""


@pytest.mark.parametrize(("name", "number"), [("batch_alter_table", 2), ("create_table", 3), ("create_index", 3)])
def test_killed_in_the_middle_it_is_whole(old: str, name: str, number: int) -> None:
    before = look(old, shape)
    done = subprocess.run([sys.executable, "-c", KILLED, old, name, str(number)], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    assert version(old) == 2
    assert look(old, shape) == before
    open_database(old).close()
    assert look(old, differences) == []


def test_who_may_not_change_tables_is_told_what_does(old: str, empty: str) -> None:
    with pytest.raises(StoreRefusedError, match="is a registry of version 2, older than 3: `c3fs serve --db`"):
        open_database(old, migrate=False)
    assert version(old) == 2
    open_database(old).close()
    open_database(old, migrate=False).close()


def test_who_may_not_make_tables_is_told_what_does(empty: str) -> None:
    with pytest.raises(StoreRefusedError, match="has no tables yet: `c3fs serve --db`"):
        open_database(empty, migrate=False)


@pytest.mark.parametrize("other", [0, 1, VERSION + 1])
def test_versions_that_cannot_be_brought_up_to_date(empty: str, other: int) -> None:
    open_database(empty).close()
    database = Database.open(empty)
    try:
        database.write(lambda connection: connection.execute(text(f"UPDATE schema_version SET version = {other}")))
    finally:
        database.close()
    with pytest.raises(StoreRefusedError, match=f"of version {other}, and this c3fs works with version {VERSION}"):
        open_database(empty)


def test_a_database_of_another_program(empty: str) -> None:
    database = Database.open(empty)
    try:
        database.write(lambda connection: connection.execute(text("CREATE TABLE theirs (x INTEGER)")))
    finally:
        database.close()
    with pytest.raises(StoreRefusedError, match="is a database of another program; choose another"):
        open_database(empty)


OPENING = """
import sys
from c3fs.registry.sql import SqlRegistry
SqlRegistry.open(sys.argv[1]).close()
print("alembic" in sys.modules)
"""


def test_alembic_is_loaded_only_to_bring_up_to_date(old: str, tmp_path: Path) -> None:
    def loads() -> str:
        command = [sys.executable, "-c", OPENING, old]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60, check=True).stdout

    assert [loads(), loads()] == ["True\n", "False\n"]
