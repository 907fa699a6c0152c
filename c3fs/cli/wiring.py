"""The object graph, and the one place that knows the order in which the store's decorators are stacked.

Nothing is imported before it is needed: the process that serves a mount never loads the registry's SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import trio

from c3fs.cache.cache import Cache
from c3fs.cli.settings import Settings, Storage
from c3fs.core.manifest import Manifest
from c3fs.core.retry import Retry
from c3fs.errors import SettingsError
from c3fs.fetch.fetcher import Fetcher
from c3fs.fetch.prefetcher import Prefetcher
from c3fs.registry.base import Job, Registry, SweepRegistry
from c3fs.store.base import STALE, Store, SweepableStore
from c3fs.store.deadline import Deadline, SweepDeadline
from c3fs.store.directory import DirectoryStore
from c3fs.store.limited import Limited
from c3fs.store.retried import Retried
from c3fs.store.verified import Verified
from c3fs.vfs.filesystem import FileSystem
from c3fs.vfs.tree import Tree

if TYPE_CHECKING:
    from c3fs.cli.joblogs import Log
    from c3fs.registry.sql import SqlRegistry

CALLS_MAX: Final = 8
"""Calls to the store at once: twice what prefetching uses (fetch.prefetcher), so a reader finds a place."""
CALL_WITHIN: Final = 30.0
"""Seconds one call may take: a blob of 4 MiB at 140 kB/s."""
ANSWER_WITHIN: Final = 60.0
"""Seconds until whoever asks the store has an answer, with waiting for a place and trying again: then a reader gets
EIO, and a job UPLOAD_ERROR."""
PATIENCE: Final = 300.0
"""Seconds for which a job waits for a control plane that is away: what its script has made in hours is worth that, and
nobody loses a lease meanwhile."""
FLUSH_WITHIN: Final = 10.0
"""Seconds for what was fetched last to be cached, when a process ends; another may keep the cache's lock."""


class View(NamedTuple):
    """One published tree, readable."""

    tree: Tree
    filesystem: FileSystem


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a process has read: bytes and blobs from the store, and blobs found in the cache."""

    fetched_bytes: int
    fetched_blobs: int
    hits: int


class Reading:
    """The read path of this process: cache, fetcher and prefetcher, running."""

    def __init__(self, cache: Cache, store: Store) -> None:
        self._cache = cache
        self.fetcher = Fetcher(cache, store)
        self.prefetcher = Prefetcher(self.fetcher)

    def view(self, manifest: Manifest) -> View:
        tree = Tree(self.fetcher, manifest.root)
        return View(tree, FileSystem(tree, self.fetcher, self.prefetcher))

    def statistics(self) -> Statistics:
        counts = self.fetcher.counts
        return Statistics(counts.bytes, counts.blobs, self._cache.stats().hits)


@asynccontextmanager
async def reading(storage: Storage) -> AsyncGenerator[Reading]:
    """The read path, for as long as the body runs; what was fetched is in the cache when it ends."""
    async with open_cache(storage) as cache, open_store(storage) as store, trio.open_nursery() as nursery:
        reader = Reading(cache, store)
        await nursery.start(reader.fetcher.run)
        nursery.start_soon(reader.prefetcher.run)
        yield reader
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def uploading(storage: Storage, *, create: bool = True) -> AsyncGenerator[Store]:
    """The store for what a job on this machine has made: what goes to another machine is kept in the cache of this one,
    too; and when that is away it is waited for."""
    async with open_store(storage, create=create, patience=PATIENCE) as store:
        if storage.remote is None:
            yield store
            return
        from c3fs.publish.filling import Filling

        async with open_cache(storage) as cache:
            yield Filling(store, cache)


@asynccontextmanager
async def open_cache(storage: Storage) -> AsyncGenerator[Cache]:
    """The cache of this machine; what is put there while the body runs is there when it ends."""
    cache = Cache.open(storage.cache, storage.cap)
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(cache.run)
            yield cache
            with trio.move_on_after(FLUSH_WITHIN):
                await cache.flush()
            nursery.cancel_scope.cancel()
    finally:
        cache.close()


@asynccontextmanager
async def open_store(storage: Storage, *, create: bool = True, patience: float = 0.0) -> AsyncGenerator[Store]:
    """The store, its calls bounded and verified. That of this machine is made if need be, and if it may `create` one;
    for another machine's there is `patience`, in seconds.

    From the outside in: whoever asks has an answer within a bound; a blob that arrives corrupt is worth another try
    (`Retried` around `Verified`); who waits to try again occupies no place, nor does verifying (`Limited` below both);
    the inner deadline is that of one call under way, not of its waiting for a place.
    """
    if storage.remote is not None:
        from c3fs.cli.remote import open_http_store

        async with open_http_store(storage.remote, patience) as store:
            yield store
        return
    inner = Deadline(DirectoryStore(storage.store, create=create), CALL_WITHIN)
    yield Deadline(Retried(Verified(Limited(inner, CALLS_MAX)), Retry()), ANSWER_WITHIN)


def open_sweepable_store(storage: Storage) -> SweepableStore:
    """The store of this machine as gc sees it, its calls bounded."""
    return SweepDeadline(DirectoryStore(storage.store), CALL_WITHIN)


async def tidy_store(storage: Storage) -> None:
    """Remove what publishers that were killed have left half-written; a control plane looks after its own store."""
    if storage.remote is None:
        await DirectoryStore(storage.store).sweep_temporary(STALE)


@asynccontextmanager
async def open_registry(settings: Settings, *, sweep: bool = True, patience: float = 0.0) -> AsyncGenerator[Registry]:
    """The registry. Jobs whose agent died are cleared away and marked first, so that nobody sees them run, but for
    those of a control plane, which does it itself; `sweep` is False for the agent. `patience` is for a control plane
    that is away, in seconds."""
    if settings.remote is not None:
        from c3fs.cli.remote import open_http_registry

        async with open_http_registry(settings.remote, patience) as registry:
            yield registry
        return
    from c3fs.cli.lost import mark_lost_jobs, remove_orphans

    with _open_sql_registry(settings) as registry:
        if sweep:
            await mark_lost_jobs(registry)
            if settings.has_jobs:
                await remove_orphans(registry, settings.jobs_directory)
        yield registry


@asynccontextmanager
async def open_sweep_registry(settings: Settings) -> AsyncGenerator[SweepRegistry]:
    """The registry as gc sees it; raises SettingsError where it is a control plane's."""
    if settings.remote is not None:
        raise SettingsError(f"the blobs are those of {settings.remote.endpoint}: gc runs there, not here")
    with _open_sql_registry(settings) as registry:
        yield registry


def _open_sql_registry(settings: Settings) -> SqlRegistry:
    from c3fs.registry.sql import SqlRegistry

    return SqlRegistry.open(settings.registry_url)


@asynccontextmanager
async def open_log(settings: Settings, job: Job) -> AsyncGenerator[Log]:
    """The log of a job."""
    if settings.remote is not None:
        from c3fs.cli.remote import open_remote_log

        async with open_remote_log(settings.remote, job.id) as log:
            yield log
        return
    from c3fs.cli.joblogs import LocalLog, log_path

    with LocalLog(log_path(job)) as log:
        yield log
