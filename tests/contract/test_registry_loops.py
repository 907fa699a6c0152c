"""Calls under trio and under asyncio: a control plane may run on either."""

from __future__ import annotations

from contextlib import closing
from threading import Event

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from sqlalchemy import Connection

from c3fs.registry import ledger
from c3fs.registry.database import Database
from c3fs.registry.opening import open_database
from c3fs.registry.sql import SqlRegistry, utc_now
from c3fs.registry.views import View
from tests.support.records import job_id, make_blobs, make_job, make_manifest

WITHIN = 20.0


@pytest.mark.parametrize("backend", ["trio", "asyncio"])
def test_a_registry_serves_tasks_of_either_library(sql_address: str, backend: str) -> None:
    async def main() -> None:
        with SqlRegistry.open(sql_address) as registry:
            async with anyio.create_task_group() as group:
                for number in range(40):
                    group.start_soon(registry.add_job, make_job(number))
            assert len(await registry.jobs()) == 40
            await registry.register(make_manifest("/datasets/a"), make_blobs(range(1000)), mark=0)
            # What is cancelled while it reads does no harm to those after it.
            for _ in range(40):
                with anyio.move_on_after(0):
                    await registry.jobs()
            assert (await registry.job(job_id(1))).id == job_id(1)

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("backend", ["trio", "asyncio"])
def test_a_writing_call_that_has_begun_is_not_cancelled(sql_address: str, backend: str) -> None:
    held, go = Event(), Event()

    def hold(connection: Connection) -> None:
        ledger.set_quota(connection, "local", 1)
        held.set()
        assert go.wait(WITHIN)

    async def main() -> None:
        with closing(open_database(sql_address)) as other, closing(open_database(sql_address)) as database:
            registry = SqlRegistry(database, View("local"), utc_now)
            async with anyio.create_task_group() as group:
                group.start_soon(anyio.to_thread.run_sync, other.write, hold)
                await anyio.to_thread.run_sync(held.wait, WITHIN)
                with anyio.CancelScope() as scope:
                    group.start_soon(cancel, scope, database)
                    await registry.register(make_manifest("/datasets/a"), make_blobs([1]), mark=0)
            assert await registry.datasets() == ["a"]

    async def cancel(scope: anyio.CancelScope, database: Database) -> None:
        with anyio.fail_after(WITHIN):
            while not database.threads.borrowed_tokens:
                await anyio.lowlevel.checkpoint()
        scope.cancel()
        go.set()

    anyio.run(main, backend=backend)
