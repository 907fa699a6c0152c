"""One flight per digest, whoever waits, leaves or fails; then the cache, or memory, answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from c3fs.core.digest import Buffer, Digest
from c3fs.core.span import Span
from c3fs.errors import BlobError, BlobMissingError, BlobTooShortError, StoreUnavailableError
from c3fs.fetch.fetcher import Fetcher
from c3fs.fetch.prefetcher import FLIGHTS_MAX, QUEUE_MAX, Prefetcher
from c3fs.fetch.recent import Recent
from tests.support.blobs import DictCache, SteeredStore, seeded


@asynccontextmanager
async def running(store: SteeredStore, cache: DictCache) -> AsyncGenerator[Fetcher, None]:
    fetcher = Fetcher(cache, store)
    async with trio.open_nursery() as nursery:
        await nursery.start(fetcher.run)
        yield fetcher
        nursery.cancel_scope.cancel()


async def test_many_readers_are_one_fetch() -> None:
    store, cache = SteeredStore(), DictCache()
    digest = store.add(b"weights")
    store.gate = trio.Event()
    got: list[bytes] = []

    async with running(store, cache) as fetcher:

        async def read() -> None:
            got.append(bytes(await fetcher.blob(digest)))

        async with trio.open_nursery() as readers:
            for _ in range(50):
                readers.start_soon(read)
            await wait_all_tasks_blocked()
            store.gate.set()

    assert got == [b"weights"] * 50
    assert store.gets[digest] == 1
    assert (fetcher.counts.blobs, fetcher.counts.bytes) == (1, 7)


async def test_what_was_fetched_is_cached() -> None:
    store, cache = SteeredStore(), DictCache()
    digest = store.add(b"weights")
    async with running(store, cache) as fetcher:
        assert fetcher.cached(digest) is None
        await fetcher.blob(digest)
        assert bytes(fetcher.cached(digest) or b"") == b"weights"
        await fetcher.blob(digest)
    assert store.gets[digest] == 1


async def test_a_refusing_cache_does_not_fetch_a_blob_for_every_piece() -> None:
    store = SteeredStore()
    digest = store.add(seeded(1, 1 << 20))
    async with running(store, DictCache(refuse=True)) as fetcher:
        for at in range(0, 1 << 20, 128 << 10):
            await fetcher.read_span(Span(digest, at, 128 << 10))
    assert store.gets[digest] == 1


async def test_a_reader_that_leaves_neither_stops_nor_restarts_the_flight() -> None:
    store, cache = SteeredStore(), DictCache()
    digest = store.add(b"weights")
    store.gate = trio.Event()
    async with running(store, cache) as fetcher:
        with trio.move_on_after(0) as leaving:
            await fetcher.blob(digest)
        assert leaving.cancelled_caught
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fetcher.blob, digest)
            await wait_all_tasks_blocked()
            store.gate.set()
    assert store.gets[digest] == 1
    assert digest in cache.blobs


async def test_a_failed_flight_fails_everybody_who_waited_and_nobody_asks_again() -> None:
    store, cache = SteeredStore(), DictCache()
    digest = store.add(b"weights")
    store.gate = trio.Event()
    store.faults = [StoreUnavailableError("down")]
    failed = 0

    async with running(store, cache) as fetcher:

        async def read() -> None:
            nonlocal failed
            with pytest.raises(StoreUnavailableError):
                await fetcher.blob(digest)
            failed += 1

        async with trio.open_nursery() as readers:
            for _ in range(20):
                readers.start_soon(read)
            await wait_all_tasks_blocked()
            store.gate.set()
        assert failed == 20
        assert store.gets[digest] == 1
        # The store is well again: the next reader gets the bytes without any remount.
        assert bytes(await fetcher.blob(digest)) == b"weights"
    assert fetcher.counts.failed == 1


async def test_a_missing_blob_is_an_error_that_names_it() -> None:
    async with running(SteeredStore(), DictCache()) as fetcher:
        with pytest.raises(BlobMissingError, match=str(Digest.of(b"gone"))):
            await fetcher.blob(Digest.of(b"gone"))


async def test_a_span_beyond_its_blob_is_refused() -> None:
    store = SteeredStore()
    digest = store.add(b"weights")
    async with running(store, DictCache()) as fetcher:
        with pytest.raises(BlobTooShortError):
            await fetcher.read_span(Span(digest, 3, 5))


async def test_prefetch_leaves_places_for_readers() -> None:
    store = SteeredStore()
    digests = [store.add(seeded(seed, 100)) for seed in range(20)]
    store.gate = trio.Event()
    async with running(store, DictCache()) as fetcher, trio.open_nursery() as nursery:
        prefetcher = Prefetcher(fetcher)
        nursery.start_soon(prefetcher.run)
        prefetcher.want(digests)
        await wait_all_tasks_blocked()
        assert sum(store.gets.values()) == FLIGHTS_MAX
        store.gate.set()
        await wait_all_tasks_blocked()
        assert all(store.gets[digest] == 1 for digest in digests)
        prefetcher.want(digests)
        await wait_all_tasks_blocked()
        assert sum(store.gets.values()) == len(digests)
        nursery.cancel_scope.cancel()


async def test_a_failing_prefetch_is_nobodys_error() -> None:
    store = SteeredStore()
    digest = store.add(b"weights")
    store.faults = [StoreUnavailableError("down")]
    async with running(store, DictCache()) as fetcher, trio.open_nursery() as nursery:
        prefetcher = Prefetcher(fetcher)
        nursery.start_soon(prefetcher.run)
        prefetcher.want([digest])
        await wait_all_tasks_blocked()
        assert bytes(await fetcher.blob(digest)) == b"weights"
        nursery.cancel_scope.cancel()


async def test_prefetch_wishes_are_bounded() -> None:
    store = SteeredStore()
    async with running(store, DictCache()) as fetcher:
        prefetcher = Prefetcher(fetcher)
        prefetcher.want([Digest.of(b"%d" % n) for n in range(10 * QUEUE_MAX)])
        assert repr(prefetcher) == f"<Prefetcher {QUEUE_MAX} waiting>"


def test_recent_keeps_the_last_bytes_used() -> None:
    recent = Recent(limit=10)
    a, b, c = (Digest.of(name) for name in (b"a", b"b", b"c"))
    recent.put(a, b"aaaa")
    recent.put(b, b"bbbb")
    assert recent.get(a) == b"aaaa"
    recent.put(c, b"cccc")
    assert recent.get(b) is None
    assert recent.get(a) == b"aaaa"
    assert recent.get(c) == b"cccc"
    recent.put(b, b"b" * 11)
    assert recent.get(b) is None


async def test_a_defect_of_the_store_is_an_error_of_the_blob_and_not_the_end(caplog: pytest.LogCaptureFixture) -> None:
    class Defective(SteeredStore):
        async def get(self, digest: Digest) -> Buffer:
            if self.gets[digest]:
                return await super().get(digest)
            self.gets[digest] += 1
            raise RuntimeError("can't start new thread")

    store = Defective()
    digest = store.add(b"weights")
    async with running(store, DictCache()) as fetcher:
        with pytest.raises(BlobError, match="can't start new thread"):
            await fetcher.blob(digest)
        assert bytes(await fetcher.blob(digest)) == b"weights"
    assert "a defect of c3fs" in caplog.text
