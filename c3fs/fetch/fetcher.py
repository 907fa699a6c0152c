"""Where the bytes of a span come from: the cache, memory, or a flight to the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import trio

from c3fs.core.digest import Buffer, Digest
from c3fs.core.span import Span
from c3fs.errors import BlobTooShortError
from c3fs.fetch.flight import Flights
from c3fs.fetch.recent import Recent
from c3fs.store.base import Store


class BlobCache(Protocol):
    """What the fetcher needs of the cache (c3fs.cache.cache.Cache)."""

    def get(self, digest: Digest) -> memoryview | None: ...

    def contains(self, digest: Digest) -> bool: ...

    def put(self, digest: Digest, data: Buffer) -> None: ...


@dataclass(slots=True)
class FetchCounts:
    """Since the fetcher began: blobs and bytes that came from the store, and flights that failed."""

    blobs: int = 0
    bytes: int = 0
    failed: int = 0


class Fetcher:
    """Of one process. `store` must verify (store.verified): what it answers is served and cached as it is."""

    def __init__(self, cache: BlobCache, store: Store) -> None:
        self._cache = cache
        self._store = store
        self._recent = Recent()
        self._flights: Flights | None = None
        self.counts = FetchCounts()

    def __repr__(self) -> str:
        return f"<Fetcher {len(self._flights or ())} in flight, {self.counts}, {self._recent!r}>"

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """The task that runs the flights, until cancelled."""
        async with trio.open_nursery() as nursery:
            self._flights = Flights(nursery, self._fetch)
            task_status.started()
            await trio.sleep_forever()

    def cached(self, digest: Digest) -> Buffer | None:
        """The blob if it is local, without suspending; valid until the caller's next suspension."""
        view = self._cache.get(digest)
        return self._recent.get(digest) if view is None else view

    async def blob(self, digest: Digest) -> Buffer:
        """The blob, from wherever it is nearest; valid until the caller's next suspension.

        Raises BlobError, StoreUnavailableError, StoreRefusedError, DeadlineError.
        """
        data = self.cached(digest)
        return await self._running().join(digest) if data is None else data

    async def read_span(self, span: Span) -> Buffer:
        """All bytes of `span`, which is no hole; see `fetch.base.SpanReader`."""
        assert span.blob is not None
        return cut(await self.blob(span.blob), span.blob, span.offset, span.size)

    def prefetch(self, digest: Digest) -> trio.Event | None:
        """Begin to fetch the blob if it is not local; the event is set when it has landed, or failed."""
        if self._recent.get(digest) is not None or self._cache.contains(digest):
            return None
        return self._running().start(digest).landed

    def _running(self) -> Flights:
        assert self._flights is not None, "Fetcher.run has not been started"
        return self._flights

    async def _fetch(self, digest: Digest) -> Buffer:
        try:
            data = await self._store.get(digest)
        except BaseException:
            self.counts.failed += 1
            raise
        self.counts.blobs += 1
        self.counts.bytes += len(data)
        self._recent.put(digest, data)
        self._cache.put(digest, data)
        return data


def cut(data: Buffer, digest: Digest, offset: int, size: int) -> memoryview:
    """`size` bytes at `offset` of a blob, without a copy; raises BlobTooShortError."""
    if offset + size > len(data):
        raise BlobTooShortError(str(digest), len(data), offset + size)
    return memoryview(data)[offset : offset + size]
