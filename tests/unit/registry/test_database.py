"""Files that are no registry, or cannot be used, or are locked: one clear error each."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
import trio

from c3fs.core.job import JobState
from c3fs.core.ref import parse_ref
from c3fs.errors import InvalidFormatError, SettingsError, StoreRefusedError, StoreUnavailableError
from c3fs.registry.schema import VERSION
from c3fs.registry.sql import SqlRegistry
from tests.support.records import job_id, make_blobs, make_job, make_manifest


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def change(path: Path, statement: str) -> None:
    """Run a statement on the closed registry behind its back."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


# --- addresses -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad",
    ["", "registry.db", "sqlite://", "sqlite:///registry.db", "sqlite:////tmp/", "sqlite:///:memory:", "mysql://x"],
)
def test_addresses_that_are_none(bad: str) -> None:
    with pytest.raises(SettingsError, match="not the address of a registry"):
        SqlRegistry.open(bad)


@pytest.mark.parametrize("name", ["a?b=c", "a#b", "a%41", "file:x", "ä b", "\udcff"])
def test_a_path_is_taken_as_it_is_written(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / "registry.db"
    with SqlRegistry.open(url(path)) as registry:
        trio.run(registry.add_job, make_job(1))
    assert path.is_file()
    with SqlRegistry.open(url(path)) as registry:
        assert trio.run(registry.job, job_id(1)) == make_job(1)


# --- files that cannot be used ---------------------------------------------------------------------------


def no_database(path: Path) -> None:
    path.write_bytes(b"this is no SQLite database, and long enough for a header of one" * 100)


def truncated(path: Path) -> None:
    SqlRegistry.open(url(path)).close()
    os.truncate(path, 5000)


def damaged(path: Path) -> None:
    SqlRegistry.open(url(path)).close()
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 3000)


def foreign(path: Path) -> None:
    change(path, "CREATE TABLE songs (title TEXT)")


def newer(path: Path) -> None:
    SqlRegistry.open(url(path)).close()
    change(path, f"UPDATE schema_version SET version = {VERSION + 1}")


def unfinished(path: Path) -> None:
    SqlRegistry.open(url(path)).close()
    change(path, "DELETE FROM schema_version")


def folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (no_database, "it is no registry"),
        (truncated, "it is damaged"),
        (damaged, "it is damaged"),
        (foreign, "database of another program"),
        (newer, f"of version {VERSION + 1}, and this c3fs works with version {VERSION}"),
        (unfinished, "of version 0"),
        (folder, "unable to open database file"),
    ],
)
def test_a_file_that_is_no_registry_is_refused(tmp_path: Path, spoil: Callable[[Path], None], says: str) -> None:
    path = tmp_path / "registry.db"
    spoil(path)
    with pytest.raises(StoreRefusedError, match=says) as caught:
        SqlRegistry.open(url(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreRefusedError, match="in the way"):
        SqlRegistry.open(url(tmp_path / "file" / "registry.db"))


def test_damage_that_is_met_later(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    SqlRegistry.open(url(path)).close()
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'accounts'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    with SqlRegistry.open(url(path)) as registry, pytest.raises(StoreRefusedError, match="it is damaged"):
        trio.run(registry.balance)


def test_a_manifest_is_not_trusted_because_the_registry_has_it(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    with SqlRegistry.open(url(path)) as registry:
        trio.run(partial(registry.register, make_manifest("/datasets/a/@v1"), make_blobs([]), mark=0))
    change(path, """UPDATE manifests SET body = replace(body, '"format":1', '"format":9')""")
    with SqlRegistry.open(url(path)) as registry, pytest.raises(InvalidFormatError, match="format 9"):
        trio.run(registry.manifest, parse_ref("/datasets/a"))


OPENING = """
import sys
from c3fs.errors import C3Error
from c3fs.registry.sql import SqlRegistry
try:
    SqlRegistry.open(sys.argv[1]).close()
except C3Error as error:
    print(type(error).__name__, error)
"""


@pytest.mark.namespaces
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("ro", "unable to open database file; give this user the right"),
        ("size=8k", "disk I/O error; free some space there"),
        ("size=64k", "is full; free some space there"),
    ],
)
def test_a_disk_that_is_full_or_read_only(tmp_path: Path, options: str, says: str) -> None:
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--user", "--map-root-user"]
    script = f'mount -t tmpfs -o {options} c3fs-test "$1" && exec "$0" -c "$3" "$2"'
    command = [*unshare, "sh", "-c", script, sys.executable, str(tmp_path), url(tmp_path / "registry.db"), OPENING]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    assert done.stdout.startswith("StoreRefusedError ")
    assert says in done.stdout


# --- locks -----------------------------------------------------------------------------------------------


def test_a_database_that_stays_locked_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    with SqlRegistry.open(url(path), lock_wait_s=0.05) as registry:
        trio.run(registry.add_job, make_job(1))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(StoreUnavailableError, match="locked") as caught:
                trio.run(registry.move_job, job_id(1), JobState.SCHEDULING)
            assert caught.value.retryable
            # Readers wait for no writer.
            assert trio.run(registry.job, job_id(1)).state is JobState.PENDING
            other.execute("ROLLBACK")
        assert trio.run(registry.move_job, job_id(1), JobState.SCHEDULING).state is JobState.SCHEDULING


def test_a_lock_that_is_given_up_in_time_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    with SqlRegistry.open(url(path)) as registry, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        moved: list[JobState] = []

        async def add() -> None:
            await registry.add_job(make_job(1))
            moved.append(JobState.PENDING)

        async def main() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(add)
                assert await registry.jobs() == []
                assert not moved
                other.execute("ROLLBACK")

        trio.run(main)
        assert moved


def test_a_transaction_that_fails_changes_nothing(tmp_path: Path) -> None:
    with SqlRegistry.open(url(tmp_path / "registry.db"), account="nobody") as registry:
        # No such account: registering breaks off after some statements, and the pool's connection is usable.
        for _ in range(6):
            with pytest.raises(Exception, match="No row was found"):
                trio.run(partial(registry.register, make_manifest("/datasets/a/@v1"), make_blobs([1]), mark=0))
        assert trio.run(registry.jobs) == []


def test_times_come_from_the_clock(tmp_path: Path) -> None:
    times = [datetime(2026, 1, 1, 0, 0, second, second, tzinfo=UTC) for second in range(4)]
    clock = iter(times)
    with SqlRegistry.open(url(tmp_path / "registry.db"), now=lambda: next(clock)) as registry:
        trio.run(registry.add_job, make_job(1))
        trio.run(registry.move_job, job_id(1), JobState.SCHEDULING)
        running = trio.run(registry.move_job, job_id(1), JobState.RUNNING)
        ended = trio.run(registry.move_job, job_id(1), JobState.CANCELED)
        trio.run(partial(registry.register, make_manifest("/datasets/a/@v1"), make_blobs([]), mark=0))
        assert (running.started, running.finished) == (times[1], None)
        assert (ended.started, ended.finished) == (times[1], times[2])
        assert trio.run(registry.balance).lines[0].at == times[3]
