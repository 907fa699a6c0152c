"""The cache over real LMDB: what it keeps, what it forgets, and that it never lies or fails."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import lmdb
import pytest
import trio

from c3fs.cache import cache as cache_module
from c3fs.cache.cache import PENDING_MAX, Cache
from c3fs.cache.environment import open_environment
from c3fs.cache.records import budget, pages
from c3fs.core.digest import Digest
from tests.support.blobs import seeded

CAP = 64 << 20
MIB = 1 << 20


@asynccontextmanager
async def running(directory: Path, cap: int | None = CAP, *, now: list[float] | None = None) -> AsyncGenerator[Cache]:
    clock = (lambda: now[0]) if now is not None else None
    environment = open_environment(str(directory), cap)
    cache = Cache(environment) if clock is None else Cache(environment, clock)
    async with trio.open_nursery() as nursery:
        await nursery.start(cache.run)
        yield cache
        nursery.cancel_scope.cancel()
    cache.close()


def blob(seed: int, size: int = MIB) -> tuple[Digest, bytes]:
    data = seeded(seed, size)
    return Digest.of(data), data


async def test_what_is_put_is_there_before_and_after_the_commit(tmp_path: Path) -> None:
    digest, data = blob(1)
    async with running(tmp_path) as cache:
        assert cache.get(digest) is None
        cache.put(digest, data)
        assert bytes(cache.get(digest) or b"") == data
        assert cache.contains(digest)
        await cache.flush()
        assert bytes(cache.get(digest) or b"") == data
        stats = cache.stats()
        assert (stats.hits, stats.misses, stats.blobs, stats.bytes) == (2, 1, 1, pages(MIB))
        assert "2 hits, 1 misses, 0 blobs waiting" in repr(cache)


async def test_another_opening_finds_it(tmp_path: Path) -> None:
    digest, data = blob(1)
    async with running(tmp_path) as cache:
        cache.put(digest, data)
    async with running(tmp_path, None) as cache:
        assert bytes(cache.get(digest) or b"") == data
        assert cache.stats().cap == CAP


async def test_leaving_commits_what_waits(tmp_path: Path) -> None:
    blobs = [blob(seed) for seed in range(10)]
    async with running(tmp_path) as cache:
        for digest, data in blobs:
            cache.put(digest, data)
    async with running(tmp_path) as cache:
        assert all(cache.contains(digest) for digest, _ in blobs)


async def test_more_than_may_wait_is_forgotten(tmp_path: Path) -> None:
    async with running(tmp_path) as cache:
        for seed in range(PENDING_MAX // MIB + 5):
            cache.put(*blob(seed))
        assert cache.stats().dropped == 5
        await cache.flush()
        cache.put(*blob(1000))
        assert cache.contains(blob(1000)[0])


async def test_eviction_takes_what_was_used_longest_ago(tmp_path: Path) -> None:
    now = [1_000_000.0]
    room = budget(CAP) // pages(MIB)
    async with running(tmp_path, now=now) as cache:
        for seed in range(room):
            cache.put(*blob(seed))
            await cache.flush()
            now[0] += 60
        assert cache.stats().evicted == 0
        assert cache.get(blob(0)[0]) is not None  # the oldest becomes the newest
        now[0] += 60
        cache.put(*blob(5000))
        await cache.flush()
        now[0] += 60
        cache.put(*blob(5001))
        await cache.flush()
        assert cache.stats().evicted == 2
        assert [seed for seed in range(5) if cache.contains(blob(seed)[0])] == [0, 3, 4]


async def test_the_file_never_passes_the_cap(tmp_path: Path) -> None:
    async with running(tmp_path) as cache:
        for seed in range(200):
            cache.put(*blob(seed, 100_000 + seed * 20_011))
            if seed % 4 == 3:
                await cache.flush()
            assert os.stat(tmp_path / "v1" / "data.mdb").st_size <= CAP
        stats = cache.stats()
        assert stats.evicted > 100
        assert 0 < stats.bytes <= budget(CAP)


async def test_wrong_bytes_are_dropped_and_never_served(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    digest, data = blob(1)
    async with running(tmp_path) as cache:
        cache.put(digest, data)
    environment = open_environment(str(tmp_path), None)
    with environment.handle.begin(write=True) as txn:
        txn.put(digest, b"x" + data[1:], db=environment.blobs)
    environment.close()
    async with running(tmp_path) as cache:
        assert cache.get(digest) is None
        assert "wrong bytes" in caplog.text
        cache.put(digest, data)
        await cache.flush()
        assert bytes(cache.get(digest) or b"") == data
        assert cache.stats().blobs == 1


def readers(environment: lmdb.Environment) -> int:
    """Read transactions that are open; a slot that is kept for the next one shows a dash for its transaction."""
    rows = [line.split() for line in environment.readers().splitlines()[1:]]
    return sum(len(row) == 3 and row[2] != "-" for row in rows)


def test_an_idle_process_holds_no_read_transaction(tmp_path: Path) -> None:
    digest, data = blob(1)

    async def check() -> None:
        environment = open_environment(str(tmp_path), CAP)
        cache = Cache(environment)
        async with trio.open_nursery() as nursery:
            await nursery.start(cache.run)
            cache.put(digest, data)
            await cache.flush()
            assert cache.get(digest) is not None
            assert readers(environment.handle) == 1
            for _ in range(3):
                await trio.sleep(cache_module.IDLE)
            assert readers(environment.handle) == 0
            assert bytes(cache.get(digest) or b"") == data
            nursery.cancel_scope.cancel()
        cache.close()

    trio.run(check)


async def test_a_failed_commit_pauses_and_recovers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    # A blob larger than the budget of the smallest cache finds no room whatever is evicted.
    big = blob(1, 4 * MIB)
    async with running(tmp_path, 8 * MIB) as cache:
        for seed in range(8):
            cache.put(*blob(seed, 4 * MIB))
        await cache.flush()
        stats = cache.stats()
        assert stats.bytes <= 8 * MIB
        assert os.stat(tmp_path / "v1" / "data.mdb").st_size <= 8 * MIB
        assert bytes(cache.get(big[0]) or big[1]) == big[1]


def test_room_is_kept_for_what_lmdb_needs() -> None:
    assert pages(1) == 4096
    assert pages(4096) == 8192
    assert budget(64 << 20) == 32 << 20
    assert budget(64 << 30) == 56 << 30


async def test_a_cache_that_is_given_up_forgets_what_waits_and_flushes_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A record of the wrong form, as only damage makes it, ends the cache and nothing else."""
    digest, data = blob(1)
    async with running(tmp_path) as cache:
        cache.put(digest, data)
    environment = open_environment(str(tmp_path), None)
    with environment.handle.begin(write=True) as txn:
        txn.put(b"totals", b"short", db=environment.info)
    environment.close()
    async with running(tmp_path) as cache:
        cache.put(*blob(2))
        with trio.fail_after(10):
            await cache.flush()
        cache.put(*blob(3))
        with trio.fail_after(10):
            await cache.flush()
        assert cache.get(digest) is None
        assert cache.stats().broken
    assert "going on without the cache" in caplog.text
    async with running(tmp_path) as cache:  # marked, and begun anew
        assert cache.get(digest) is None
        cache.put(digest, data)
        await cache.flush()
        assert cache.get(digest) is not None


async def test_a_busy_reader_s_touches_are_recorded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "MINUTE", 1)
    monkeypatch.setattr("c3fs.cache.records.MINUTE", 1)
    digest, data = blob(1)
    now = [1_000_000.0]
    async with running(tmp_path, now=now) as cache:
        cache.put(digest, data)
        await cache.flush()
        now[0] += 3600
        for _ in range(40):  # never idle for a whole turn
            assert cache.get(digest) is not None
            await trio.sleep(0.1)
    environment = open_environment(str(tmp_path), None)
    with environment.handle.begin() as txn, txn.cursor(db=environment.order) as cursor:
        assert cursor.first()
        assert int.from_bytes(cursor.key()[:4]) == 1_003_600
    environment.close()
