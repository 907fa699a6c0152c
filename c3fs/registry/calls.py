"""Calls of a database from tasks, in worker threads; under trio and asyncio alike."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import anyio.to_thread
from sqlalchemy import Connection

from c3fs.registry.database import Database

T = TypeVar("T")


async def read(database: Database, work: Callable[[Connection], T]) -> T:
    """See Database.read. When it is cancelled it leaves its thread behind, which changes nothing."""
    call = partial(database.read, work)
    return await anyio.to_thread.run_sync(call, abandon_on_cancel=True, limiter=database.threads)


async def write(
    database: Database, work: Callable[[Connection], T], repeated: Callable[[Connection], T] | None = None
) -> T:
    """See Database.write. Once it has begun it is not cancelled: the caller knows what became of it."""
    call = partial(database.write, work, repeated)
    return await anyio.to_thread.run_sync(call, limiter=database.threads)


async def write_again(database: Database, work: Callable[[Connection], T]) -> T:
    """The same, for work that may be done twice: the second time changes nothing, or nothing that matters."""
    return await write(database, work, work)
