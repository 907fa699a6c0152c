"""Two transactions on PostgreSQL that meet: the first has done its work and not committed when the second begins."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from threading import Event

import trio
from sqlalchemy import Connection

from c3fs.errors import C3Error
from c3fs.registry.opening import open_database
from c3fs.registry.sql import SqlRegistry
from c3fs.registry.views import View
from tests.support.programs import eventually
from tests.support.records import EPOCH

WITHIN = 20.0
ACCOUNT = "local"
Work = Callable[[Connection], object]
Call = Callable[[], Awaitable[object]]


class GivenUp(C3Error):
    """Makes the first transaction roll back."""


class Stage:
    """A registry, and another connection that holds a transaction open until `go`."""

    def __init__(self, url: str) -> None:
        self.database = open_database(url)
        self.registry = SqlRegistry(self.database, View(ACCOUNT), lambda: EPOCH)
        self.done = Event()
        self.go = Event()

    def hold(self, work: Work, commits: bool) -> None:
        def held(connection: Connection) -> None:
            work(connection)
            self.done.set()
            assert self.go.wait(WITHIN)
            if not commits:
                raise GivenUp

        try:
            self.database.write(held)
        except GivenUp:
            pass

    def await_waiting(self) -> None:
        """Until a session of this database waits for a lock."""
        query = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        eventually(
            "the second waits for the first",
            lambda: self.database.read(lambda connection: connection.exec_driver_sql(query).first()) is not None,
        )

    @asynccontextmanager
    async def holding(self, first: Work, *, commits: bool) -> AsyncGenerator[None]:
        """The first has done its work inside, and commits or rolls back at the end."""
        with trio.fail_after(2 * WITHIN):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.to_thread.run_sync, partial(self.hold, first, commits))
                await trio.to_thread.run_sync(self.done.wait, WITHIN)
                try:
                    yield
                finally:
                    self.go.set()

    async def meet(self, first: Work, second: Call, *, commits: bool) -> object:
        """What the second call, which waits for the first, answers, or the name of the error that it raises."""
        answers: list[object] = []

        async def call() -> None:
            try:
                answers.append(await second())
            except C3Error as error:
                answers.append(type(error).__name__)

        async with trio.open_nursery() as nursery, self.holding(first, commits=commits):
            nursery.start_soon(call)
            await trio.to_thread.run_sync(self.await_waiting)
            assert not answers
        return answers[0]
