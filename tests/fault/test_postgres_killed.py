"""PostgreSQL that is killed, restarted, away or silent while it is called."""

from __future__ import annotations

from contextlib import closing

import pytest
import trio
from sqlalchemy import Connection, text

from c3fs.core.ref import Ref, parse_ref
from c3fs.errors import StoreUnavailableError
from c3fs.registry.database import Database
from c3fs.registry.postgres import postgres_engines
from c3fs.registry.sql import SqlRegistry
from tests.support.postgres import Cluster
from tests.support.records import job_id, make_blobs, make_job, make_manifest

pytestmark = pytest.mark.postgres


async def test_a_server_that_was_restarted(mortal: Cluster) -> None:
    with SqlRegistry.open(mortal.url(mortal.make_registry())) as registry:
        await registry.add_job(make_job(1))
        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(registry.jobs)
        mortal.kill()
        mortal.start()
        # The connections of before are all dead.
        assert [job.id for job in await registry.jobs()] == [job_id(1)]
        await registry.add_job(make_job(2))


async def test_a_server_that_is_away_for_a_moment(mortal: Cluster) -> None:
    with SqlRegistry.open(mortal.url(mortal.make_registry())) as registry:
        mortal.stop()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(registry.add_job, make_job(1))
            nursery.start_soon(registry.jobs)
            await trio.to_thread.run_sync(mortal.start)
        assert [job.id for job in await registry.jobs()] == [job_id(1)]


async def test_a_server_that_stays_away(mortal: Cluster) -> None:
    with SqlRegistry.open(mortal.url(mortal.make_registry())) as registry:
        mortal.stop()
        with trio.fail_after(30), pytest.raises(StoreUnavailableError) as caught:
            await registry.jobs()
        assert caught.value.retryable
        assert "\n" not in str(caught.value)
        mortal.start()


async def test_a_server_that_is_silent(mortal: Cluster) -> None:
    """A call gives its connection up, and tries another; before that one answers, nobody does."""
    url = mortal.url(mortal.make_registry())

    def ask(connection: Connection) -> int:
        return connection.execute(text("SELECT pg_backend_pid()")).scalar_one()

    with closing(Database(postgres_engines(url, 1.0, answer_within=0.3))) as database:
        before = database.read(ask)
        mortal.freeze()
        answers: list[int] = []

        async def call() -> None:
            answers.append(await trio.to_thread.run_sync(database.read, ask))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            with trio.move_on_after(1):
                await trio.sleep_forever()
            assert not answers
            mortal.thaw()
        assert answers[0] != before


def data_set(number: int) -> Ref:
    return parse_ref(f"/datasets/d{number}")


async def test_killed_again_and_again_nothing_is_lost_or_charged_twice(mortal: Cluster) -> None:
    """Twelve at once register trees that share blobs, and whoever is told that it did not work asks again."""
    tasks, rounds, kills = 12, 6, 4
    told: dict[str, str] = {}
    with SqlRegistry.open(mortal.url(mortal.make_registry())) as registry:
        stop = trio.Event()

        async def publish(number: int) -> None:
            count = 0
            while count < rounds or not stop.is_set():
                name = str(data_set(number))
                blobs = make_blobs(range(number + count, number + count + 20))
                try:
                    done = await registry.register(make_manifest(name, f"{number} {count}"), blobs, mark=0)
                except StoreUnavailableError:
                    continue
                told[done.manifest.ref] = done.manifest.root.digest
                count += 1

        async with trio.open_nursery() as nursery:
            for number in range(tasks):
                nursery.start_soon(publish, number)
            for _ in range(kills):
                await trio.to_thread.run_sync(mortal.kill)
                await trio.to_thread.run_sync(mortal.start)
                await registry.balance()
            stop.set()

        everything = make_blobs(range(1000))
        stored = await registry.named([digest for digest, _ in everything])
        for number in range(tasks):
            there = {manifest.ref: manifest.root.digest for manifest in await registry.versions(data_set(number))}
            assert there == {ref: root for ref, root in told.items() if ref.startswith(f"{data_set(number)}/")}
            assert set(there) == {f"{data_set(number)}/@v{count + 1}" for count in range(len(there))}
        balance = await registry.balance(lines=100_000)
        assert balance.stored == sum(size for digest, size in everything if digest in stored)
        assert balance.stored == sum(line.delta for line in balance.lines)
        assert {line.ref for line in balance.lines} == set(told)
        assert len(balance.lines) == len(told)
