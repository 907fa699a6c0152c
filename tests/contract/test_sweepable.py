"""What every store promises to gc, asked of each of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import pytest
import trio

from c3fs.core.digest import Digest
from c3fs.store.base import SHELVES, Deleted, Store, StoredBlob, SweepableStore
from c3fs.store.directory import DirectoryStore
from c3fs.store.memory import MemoryStore
from c3fs.store.s3 import S3Store
from tests.support.blobs import seeded
from tests.support.radosgw import shared_radosgw
from tests.support.seaweed import shared_seaweed


class KeptStore(Store, SweepableStore, Protocol):
    """Both sides of a store."""


OpenKept = Callable[[Path], KeptStore]
STORES: Final[dict[str, OpenKept]] = {
    "memory": lambda _path: MemoryStore(),
    "directory": lambda path: DirectoryStore(str(path / "store")),
    "seaweed": lambda _path: S3Store(shared_seaweed().settings()),
    "radosgw": lambda _path: S3Store(shared_radosgw().settings()),
}
MARKS: Final = {"radosgw": pytest.mark.ceph}


@pytest.fixture(params=[pytest.param(name, marks=MARKS.get(name, ())) for name in STORES])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> KeptStore:
    return STORES[request.param](tmp_path)


def always() -> bool:
    return True


def numbered(count: int) -> dict[Digest, bytes]:
    return {Digest.of(data): data for data in (b"%d" % number for number in range(count))}


async def put_all(store: Store, blobs: dict[Digest, bytes]) -> None:
    async with trio.open_nursery() as nursery:
        for digest, data in blobs.items():
            nursery.start_soon(store.put, digest, data)


async def list_all(store: SweepableStore) -> list[StoredBlob]:
    listed: list[StoredBlob] = []
    for prefix in range(SHELVES):
        shelf = await store.shelf(prefix)
        assert shelf.foreign == 0
        assert all(blob.digest[0] == prefix for blob in shelf.blobs)
        listed += shelf.blobs
    return listed


async def test_an_empty_store_has_empty_shelves_and_nothing_to_delete(store: KeptStore) -> None:
    assert await list_all(store) == []
    assert await store.delete([Digest.of(b"absent")], always) == Deleted(0, 0)
    assert await store.sweep_temporary(0) == 0


async def test_every_blob_is_on_its_shelf_with_its_size_and_time(store: KeptStore) -> None:
    before = time.time()
    blobs = numbered(700)
    await put_all(store, blobs)
    listed = await list_all(store)
    assert {blob.digest: blob.size for blob in listed} == {digest: len(data) for digest, data in blobs.items()}
    assert len(listed) == len(blobs)
    # The kernel's clock for files is up to one tick behind.
    assert all(before - 1 <= blob.modified <= time.time() for blob in listed)


async def test_what_is_deleted_is_missing_and_all_else_stays(store: KeptStore) -> None:
    blobs = numbered(700)
    await put_all(store, blobs)
    gone, kept = set(list(blobs)[::3]), set(blobs) - set(list(blobs)[::3])
    size = sum(len(blobs[digest]) for digest in gone)
    assert await store.delete(gone, always) == Deleted(len(gone), size)
    assert await store.missing(blobs) == gone
    assert {blob.digest for blob in await list_all(store)} == kept
    assert await store.delete(gone, always) == Deleted(0, 0)
    await put_all(store, {digest: blobs[digest] for digest in gone})
    assert await store.missing(blobs) == set()


@pytest.mark.parametrize("permitted", [0, 1, 100])
async def test_it_stops_when_it_is_not_allowed_any_more(store: KeptStore, permitted: int) -> None:
    blobs = numbered(300)
    await put_all(store, blobs)
    left = permitted

    def allowed() -> bool:
        nonlocal left
        left -= 1
        return left >= 0

    deleted = await store.delete(blobs, allowed)
    assert deleted.blobs == permitted
    assert len(await list_all(store)) == 300 - permitted


async def test_a_cancelled_delete_undoes_no_later_answer(store: KeptStore) -> None:
    blobs = {Digest.of(data): data for data in (seeded(number, 1 << 12) for number in range(256))}
    await put_all(store, blobs)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.delete, list(blobs), always)
        await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    found = set(blobs) - await store.missing(blobs)
    await put_all(store, {digest: blobs[digest] for digest in set(blobs) - found})
    assert await store.missing(blobs) == set()
    for digest, data in blobs.items():
        assert await store.get(digest) == data
    assert len(await list_all(store)) == len(blobs)
