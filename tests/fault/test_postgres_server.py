"""PostgreSQL that is full, read-only, locked, or does not let us in."""

from __future__ import annotations

import traceback
from contextlib import ExitStack, closing
from functools import partial
from threading import Barrier

import psycopg
import pytest
import trio
from sqlalchemy import Connection, text

from c3fs.errors import SettingsError, StoreRefusedError, StoreUnavailableError
from c3fs.registry.database import Database
from c3fs.registry.opening import open_database
from c3fs.registry.sql import SqlRegistry
from tests.support.postgres import CONNECTIONS_MAX, GUARDED, PASSWORD, Cluster
from tests.support.records import job_id, make_job

pytestmark = pytest.mark.postgres


# --- addresses and access --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://", "names no database"),
        ("postgresql://user:Sesam@host", "names no database"),
        ("postgresql://user:Sesam@host:port/db", "it looks like postgresql://"),
        ("postgresql://user:Sesam@host/db?password=Sesam", "'password' may not stand behind"),
        ("postgresql://user@host/db?options=-csynchronous_commit%3Doff", "'options' may not stand behind"),
        ("postgres://user:Sesam@host/db", "it looks like postgresql://"),
        ("mysql://user:Sesam@host/db", "it looks like postgresql://"),
    ],
)
def test_addresses_that_are_none(url: str, says: str) -> None:
    with pytest.raises(SettingsError, match="not the address of a registry") as caught:
        Database.open(url)
    assert says in str(caught.value)
    assert "Sesam" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgresql://u:Sesam@host/db", "postgresql://u@host/db"),
        ("postgresql://u:Sesam@host:5433/db?sslmode=verify-full&sslrootcert=/ca.pem", "postgresql://u@host:5433/db"),
        ("postgresql:///db?host=/run/postgresql&port=5433", "postgresql:///db?host=/run/postgresql"),
        ("postgresql://u:Sesam@/db?host=/run", "postgresql://u@/db?host=/run"),
    ],
)
def test_a_password_is_not_shown(url: str, name: str) -> None:
    with closing(Database.open(url)) as database:
        assert database.name == name
        assert "Sesam" not in repr(database)


def test_a_password_lets_in(cluster: Cluster) -> None:
    name = cluster.make_registry()
    SqlRegistry.open(cluster.url(name, GUARDED, PASSWORD)).close()


@pytest.mark.parametrize(
    ("user", "password", "database", "says"),
    [
        (GUARDED, "Sesam", None, "see that user and password are right"),
        (GUARDED, None, None, "see that user and password are right"),
        ("nobody", None, None, "see that user and password are right"),
        (GUARDED, PASSWORD, "no_such", "make it with createdb, or name another"),
    ],
)
def test_who_is_not_let_in_is_told_why(
    cluster: Cluster, user: str, password: str | None, database: str | None, says: str
) -> None:
    url = cluster.url(database or cluster.make_registry(), user, password)
    with pytest.raises(StoreRefusedError) as caught:
        SqlRegistry.open(url)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    shown = "".join(traceback.format_exception(caught.value))
    assert "Sesam" not in shown


def test_tables_that_may_not_be_made(cluster: Cluster) -> None:
    name = cluster.make_empty()
    cluster.execute(
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC", "ALTER SCHEMA public OWNER TO postgres", database=name
    )
    with pytest.raises(StoreRefusedError, match="give its user the right"):
        SqlRegistry.open(cluster.url(name))


def test_tls(mortal: Cluster) -> None:
    url = mortal.tcp_url(mortal.make_registry())
    SqlRegistry.open(url).close()
    with pytest.raises(StoreRefusedError, match="let the server speak TLS") as caught:
        SqlRegistry.open(f"{url}?sslmode=require")
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))
    certificate = mortal.speak_tls()
    SqlRegistry.open(f"{url}?sslmode=verify-full&sslrootcert={certificate}").close()
    with pytest.raises(StoreRefusedError, match="see that sslrootcert"):
        SqlRegistry.open(f"{url}?sslmode=verify-full&sslrootcert=/nowhere.pem")


# --- a server that cannot ----------------------------------------------------------------------------------


async def test_a_database_that_is_read_only(cluster: Cluster) -> None:
    name = cluster.make_registry()
    cluster.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with SqlRegistry.open(cluster.url(name)) as registry:
        assert await registry.jobs() == []
        with pytest.raises(StoreRefusedError, match="it is read-only: a standby, perhaps"):
            await registry.add_job(make_job(1))


async def test_a_standby(mortal: Cluster) -> None:
    url = mortal.url(mortal.make_registry())
    mortal.stop()
    (mortal.root / "data" / "standby.signal").touch()
    mortal.start()
    with SqlRegistry.open(url) as registry:
        assert await registry.jobs() == []
        with pytest.raises(StoreRefusedError, match="it is read-only: a standby, perhaps"):
            await registry.add_job(make_job(1))
    mortal.stop()
    (mortal.root / "data" / "standby.signal").unlink()
    mortal.start()


async def test_too_many_connections(mortal: Cluster) -> None:
    name = mortal.make_registry()
    with SqlRegistry.open(mortal.url(name)) as registry, ExitStack() as others:
        await registry.add_job(make_job(1))
        registry.close()
        while True:
            try:
                others.enter_context(mortal.connect())
            except psycopg.OperationalError:
                break
        with pytest.raises(StoreUnavailableError, match="too many clients") as caught:
            await registry.jobs()
        assert caught.value.retryable
        others.close()
        assert [job.id for job in await registry.jobs()] == [job_id(1)]


async def test_more_calls_than_connections(cluster: Cluster) -> None:
    """They wait here for each other."""
    with SqlRegistry.open(cluster.url(cluster.make_registry())) as registry:
        async with trio.open_nursery() as nursery:
            for number in range(2 * CONNECTIONS_MAX):
                nursery.start_soon(registry.add_job, make_job(number))
        assert len(await registry.jobs()) == 2 * CONNECTIONS_MAX


# --- locks ---------------------------------------------------------------------------------------------------


async def test_a_lock_that_is_never_given_up(cluster: Cluster) -> None:
    name = cluster.make_registry()
    with SqlRegistry.open(cluster.url(name), lock_wait_s=0.1) as registry, closing(cluster.connect(name)) as other:
        other.autocommit = False
        other.execute("SELECT * FROM accounts FOR UPDATE")
        with pytest.raises(StoreUnavailableError, match="another has been writing to it for too long"):
            await registry.set_quota(1)
        # Readers wait for no writer.
        assert (await registry.balance()).stored == 0
        other.rollback()
        await registry.set_quota(1)


async def test_a_deadlock_is_resolved(cluster: Cluster) -> None:
    with closing(open_database(cluster.url(cluster.make_registry()))) as database:
        both = Barrier(2, timeout=20)
        tries: list[str] = []

        def add(connection: Connection) -> None:
            for name in ("a", "b"):
                connection.execute(text(f"INSERT INTO accounts VALUES ('{name}', 0, 0)"))

        def lock(first: str, second: str, connection: Connection) -> None:
            tries.append(first)
            connection.execute(text(f"UPDATE accounts SET quota = quota + 1 WHERE name = '{first}'"))
            if len(tries) <= 2:
                both.wait()
            connection.execute(text(f"UPDATE accounts SET quota = quota + 1 WHERE name = '{second}'"))

        database.write(add)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, database.write, partial(lock, "a", "b"))
            nursery.start_soon(trio.to_thread.run_sync, database.write, partial(lock, "b", "a"))
        assert len(tries) == 3
        found = database.read(lambda connection: connection.execute(text("SELECT quota FROM accounts")).scalars().all())
        assert sorted(found)[:2] == [2, 2]
