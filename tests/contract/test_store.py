"""What every store promises, asked of each of them. Another store is another line in STORES."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
import trio

from c3fs.core.digest import Digest
from c3fs.core.retry import Retry
from c3fs.core.span import BLOB_MAX
from c3fs.errors import BlobMissingError
from c3fs.store.base import Store
from c3fs.store.counted import Counted
from c3fs.store.deadline import Deadline
from c3fs.store.directory import DirectoryStore
from c3fs.store.limited import Limited
from c3fs.store.memory import MemoryStore
from c3fs.store.retried import Retried
from c3fs.store.s3 import S3Store
from c3fs.store.verified import Verified
from tests.support.blobs import seeded
from tests.support.httpstores import in_presigned_seaweed, in_relay
from tests.support.radosgw import shared_radosgw
from tests.support.seaweed import shared_seaweed
from tests.support.store_program import temporary_files

OpenStore = Callable[[], Store]
"""Opens a store of the same contents again; a memory store is itself."""


def in_memory(_path: Path) -> OpenStore:
    store = MemoryStore()
    return lambda: store


def in_directory(path: Path) -> OpenStore:
    return lambda: DirectoryStore(str(path / "store"))


def decorated(path: Path) -> OpenStore:
    def open_store() -> Store:
        tried = Deadline(Verified(Counted(DirectoryStore(str(path / "store")))), 60)
        return Deadline(Retried(Limited(tried, 4), Retry()), 100)

    return open_store


def in_seaweed(_path: Path) -> OpenStore:
    settings = shared_seaweed().settings()
    return lambda: S3Store(settings)


def in_radosgw(_path: Path) -> OpenStore:
    settings = shared_radosgw().settings()
    return lambda: S3Store(settings)


STORES: Final = [
    pytest.param(in_memory, id="memory"),
    pytest.param(in_directory, id="directory"),
    pytest.param(decorated, id="decorated"),
    pytest.param(in_seaweed, id="seaweed"),
    pytest.param(in_relay, id="http-relayed"),
    pytest.param(in_presigned_seaweed, id="http-presigned"),
    pytest.param(in_radosgw, id="radosgw", marks=pytest.mark.ceph),
]


@pytest.fixture(params=STORES)
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> OpenStore:
    make: Callable[[Path], OpenStore] = request.param
    return make(tmp_path)


@pytest.mark.parametrize("size", [0, 1, 4096, 512 << 10, BLOB_MAX - 1, BLOB_MAX])
async def test_what_was_put_is_got(open_store: OpenStore, size: int) -> None:
    data = seeded(size, size)
    digest = Digest.of(data)
    await open_store().put(digest, data)
    assert bytes(await open_store().get(digest)) == data


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
async def test_any_buffer_can_be_put_and_belongs_to_the_caller_afterwards(
    open_store: OpenStore, kind: Callable[[bytearray], bytes | bytearray | memoryview]
) -> None:
    store = open_store()
    source = bytearray(seeded(1, 1 << 20))
    digest = Digest.of(source)
    await store.put(digest, kind(source))
    source[:] = bytes(len(source))
    assert Digest.of(await store.get(digest)) == digest


async def test_a_blob_that_is_not_there_is_missing(open_store: OpenStore) -> None:
    store = open_store()
    absent = Digest.of(b"absent")
    with pytest.raises(BlobMissingError) as caught:
        await store.get(absent)
    assert caught.value.digest == str(absent)
    await store.put(Digest.of(b"present"), b"present")
    with pytest.raises(BlobMissingError):
        await store.get(absent)


async def test_missing_tells_which(open_store: OpenStore) -> None:
    store = open_store()
    blobs = {Digest.of(data): data for data in (b"%d" % number for number in range(300))}
    assert await store.missing(blobs) == set(blobs)
    stored = list(blobs)[::2]
    async with trio.open_nursery() as nursery:
        for digest in stored:
            nursery.start_soon(store.put, digest, blobs[digest])
    assert await open_store().missing(blobs) == set(blobs) - set(stored)
    assert await store.missing({}) == set()


@pytest.mark.parametrize("stored", [0, 1, 60, 120])
async def test_missing_tells_which_of_many_that_begin_alike(open_store: OpenStore, stored: int) -> None:
    store = open_store()
    numbered = ((Digest.of(b"%d" % number), b"%d" % number) for number in itertools.count())
    alike = dict(itertools.islice((blob for blob in numbered if blob[0][0] == 0xAB), 160))
    asked, present = list(alike)[40:], list(alike)[: 40 + stored]
    async with trio.open_nursery() as nursery:
        for digest in present:
            nursery.start_soon(store.put, digest, alike[digest])
    others = {Digest.of(data): data for data in (b"other %d" % number for number in range(100))}
    assert await store.missing({digest: alike[digest] for digest in asked} | others) == {*asked[stored:], *others}


async def test_putting_twice_is_no_error(open_store: OpenStore) -> None:
    data = seeded(1, 1 << 20)
    for _ in range(2):
        await open_store().put(Digest.of(data), data)
    assert await open_store().get(Digest.of(data)) == data


async def test_one_blob_put_by_many_at_once_while_others_read(open_store: OpenStore) -> None:
    data = seeded(2, BLOB_MAX)
    digest = Digest.of(data)
    stores = [open_store() for _ in range(3)]
    read = 0

    async def get(store: Store) -> None:
        nonlocal read
        try:
            assert await store.get(digest) == data
        except BlobMissingError:
            return
        read += 1

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            for store in stores:
                nursery.start_soon(store.put, digest, data)
                nursery.start_soon(get, store)
    await get(stores[0])
    assert read


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
async def test_a_cancelled_put_leaves_the_whole_blob_or_nothing(open_store: OpenStore, steps: int) -> None:
    store = open_store()
    blobs = [seeded(number, BLOB_MAX) for number in range(4)]
    async with trio.open_nursery() as nursery:
        for data in blobs:
            nursery.start_soon(store.put, Digest.of(data), data)
        for _ in range(steps):
            # Each asks for a thread too, so the later the step, the further the puts have come.
            await store.missing({})
        nursery.cancel_scope.cancel()
    for data in blobs:
        digest = Digest.of(data)
        if not await store.missing({digest: data}):
            assert await store.get(digest) == data
        await store.put(digest, data)
        assert await open_store().get(digest) == data


async def test_a_cancelled_get_does_no_harm(open_store: OpenStore) -> None:
    store = open_store()
    data = seeded(3, BLOB_MAX)
    await store.put(Digest.of(data), data)
    with trio.move_on_after(0):
        await store.get(Digest.of(data))
    assert await store.get(Digest.of(data)) == data


# --- killed processes: of stores that outlive one -------------------------------------------------------


@pytest.mark.parametrize("acknowledged", [0, 1, 2, 7])
async def test_a_killed_writer_leaves_whole_blobs_and_all_it_has_acknowledged(
    tmp_path: Path, acknowledged: int
) -> None:
    path = tmp_path / "store"
    told = kill_writer(path, acknowledged)
    store = DirectoryStore(str(path))
    assert len(told) >= acknowledged
    assert await store.missing(dict.fromkeys(told, b"")) == set()
    visible = [name for part in os.listdir(path) if part != "tmp" for name in os.listdir(path / part)]
    for name in visible:
        assert Digest.of(await store.get(Digest.parse(name))) == Digest.parse(name)
    left = os.listdir(path / "tmp")
    assert await store.sweep_temporary(-3600) == len(left)


def kill_writer(path: Path, acknowledged: int) -> list[Digest]:
    """Let a process put blobs, kill it when it has said so many digests, and return all that it said."""
    command = [sys.executable, "-m", "tests.support.store_program", "forever", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        told = [writer.stdout.readline() for _ in range(acknowledged)]
        deadline = time.monotonic() + 30
        while not temporary_files(str(path)):
            assert writer.poll() is None, "the writer has ended by itself"
            assert time.monotonic() < deadline, "the writer has not come to write"
        writer.send_signal(signal.SIGKILL)
        told += writer.stdout.readlines()
    assert writer.returncode == -signal.SIGKILL
    return [Digest.parse(line.strip()) for line in told]
