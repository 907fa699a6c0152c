"""What a gc deletes, keeps, counts and leaves behind, when nobody else is there."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from c3fs.core.digest import Digest
from c3fs.core.ref import parse_ref
from c3fs.errors import DeletionUnansweredError, StoreUnavailableError, SweptError
from c3fs.gc.lease import SHARE, Lease, time_with_sleep
from c3fs.gc.sweep import BATCH, SWEEP_SECONDS, GcRequest, Swept, Tally, sweep_store
from c3fs.registry.sql import SqlRegistry
from c3fs.store.base import SHELVES, STALE, Deleted
from c3fs.store.directory import DirectoryStore
from c3fs.store.memory import MemoryStore
from tests.support.records import make_manifest

NOW = 1_800_000_000.0
DAY = 86_400.0


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[SqlRegistry]:
    with SqlRegistry.open(f"sqlite:///{tmp_path}/registry.db") as opened:
        yield opened


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(str(tmp_path / "store"))


def data_of(number: int) -> bytes:
    return b"blob %d" % number


def rows(numbers: Iterable[int]) -> list[tuple[Digest, int]]:
    return [(Digest.of(data_of(number)), len(data_of(number))) for number in numbers]


async def put(store: DirectoryStore | MemoryStore, numbers: Iterable[int]) -> list[Digest]:
    digests = [digest for digest, _ in rows(numbers)]
    for number in numbers:
        await store.put(Digest.of(data_of(number)), data_of(number))
    return digests


def tally(numbers: Sequence[int]) -> Tally:
    return Tally(len(numbers), sum(size for _, size in rows(numbers)))


async def publish(registry: SqlRegistry, numbers: Iterable[int], ref: str = "/datasets/a") -> None:
    await registry.register(make_manifest(ref), rows(numbers), mark=await registry.mark())


def set_age(root: Path, digest: Digest, age: float) -> None:
    os.utime(root / "store" / str(digest)[:2] / str(digest), (NOW - age, NOW - age))


def at_now(grace: float, *, dry_run: bool = False) -> GcRequest:
    return GcRequest(grace, dry_run, clocks=(lambda: NOW,))


async def test_only_what_nothing_names_is_deleted(registry: SqlRegistry, store: DirectoryStore) -> None:
    digests = await put(store, range(60))
    await publish(registry, range(20))
    seen: list[int] = []
    swept = await sweep_store(GcRequest(0), store, registry, progress=lambda swept: seen.append(swept.shelves))
    assert swept == Swept(SHELVES, deleted=tally(range(20, 60)), named=tally(range(20)))
    assert seen == list(range(1, SHELVES + 1))
    assert await store.missing(dict.fromkeys(digests, b"")) == set(digests[20:])
    assert (await registry.balance()).stored == swept.named.bytes
    await registry.remove([parse_ref("/datasets/a/@v1")])
    assert (await sweep_store(GcRequest(0), store, registry)).deleted == tally(range(20))
    assert (await sweep_store(GcRequest(0), store, registry)) == Swept(SHELVES)


async def test_more_on_one_shelf_than_are_condemned_at_a_time(registry: SqlRegistry) -> None:
    class OneShelf(MemoryStore):
        most = 0

        async def delete(self, digests: Collection[Digest], allowed: Callable[[], bool]) -> Deleted:
            self.most = max(self.most, len(digests))
            return await super().delete(digests, allowed)

    store = OneShelf()
    for number in range(BATCH * 2 + 1):
        await store.put(Digest(b"\7" + number.to_bytes(31, "big")), b"x")
    swept = await sweep_store(GcRequest(0), store, registry)
    assert (swept.deleted, store.most) == (Tally(BATCH * 2 + 1, BATCH * 2 + 1), BATCH)


async def test_young_blobs_stay_and_a_wrong_clock_protects_nothing(
    registry: SqlRegistry, store: DirectoryStore, tmp_path: Path
) -> None:
    old, young, edge, future, soon = await put(store, range(5))
    for digest, age in ((old, DAY + 1), (young, DAY - 1), (edge, DAY), (future, -DAY), (soon, -60)):
        set_age(tmp_path, digest, age)
    swept = await sweep_store(at_now(DAY), store, registry)
    assert swept == Swept(SHELVES, deleted=tally([0, 2, 3]), young=tally([1, 4]))
    assert await store.missing(dict.fromkeys([old, young, edge, future, soon], b"")) == {old, edge, future}
    assert (await sweep_store(at_now(0), store, registry)).deleted == tally([1, 4])


async def test_a_dry_run_changes_nothing(registry: SqlRegistry, store: DirectoryStore, tmp_path: Path) -> None:
    digests = await put(store, range(5))
    await publish(registry, range(2))
    set_age(tmp_path, digests[2], 0)
    for digest in digests[3:]:
        set_age(tmp_path, digest, 2 * DAY)
    temporary = tmp_path / "store" / "tmp" / "half"
    temporary.touch()
    os.utime(temporary, (0, 0))
    mark = await registry.mark()
    swept = await sweep_store(at_now(DAY, dry_run=True), store, registry)
    assert swept == Swept(SHELVES, deleted=tally([3, 4]), named=tally([0, 1]), young=tally([2]))
    assert await store.missing(dict.fromkeys(digests, b"")) == set()
    assert await registry.mark() == mark
    assert temporary.exists()


async def test_what_else_lies_in_the_directory(registry: SqlRegistry, store: DirectoryStore, tmp_path: Path) -> None:
    [digest] = await put(store, [1])
    shelf = tmp_path / "store" / str(digest)[:2]
    (shelf / "mine").touch()
    (shelf / str(digest)).chmod(0o600)
    (shelf / str(digest)).write_bytes(b"")
    old, young = (tmp_path / "store" / "tmp" / name for name in ("old", "young"))
    for path in (old, young):
        path.touch()
    long_ago = os.stat(young).st_mtime - STALE - 60
    os.utime(old, (long_ago, long_ago))
    swept = await sweep_store(GcRequest(0), store, registry)
    assert swept == Swept(SHELVES, deleted=Tally(1, 0), foreign=1, temporary=1)
    assert os.listdir(shelf) == ["mine"]
    assert young.exists()


async def test_an_empty_store(registry: SqlRegistry, store: DirectoryStore, tmp_path: Path) -> None:
    assert await sweep_store(GcRequest(0), store, registry) == Swept(SHELVES)
    assert not (tmp_path / "store").exists()


async def test_an_error_ends_it_and_leaves_nobody_waiting(registry: SqlRegistry) -> None:
    class Failing(MemoryStore):
        async def delete(self, digests: Collection[Digest], allowed: Callable[[], bool]) -> Deleted:
            raise StoreUnavailableError("the disk")

    store = Failing()
    await put(store, [1])
    before = await registry.mark()
    with pytest.raises(StoreUnavailableError, match="the disk"):
        await sweep_store(GcRequest(0), store, registry)
    with pytest.raises(SweptError):
        await registry.register(make_manifest("/datasets/a"), rows([1]), mark=before)
    await publish(registry, [1])


async def test_what_may_be_deleted_later_stays_condemned_for_so_long(registry: SqlRegistry) -> None:
    class Unanswering(MemoryStore):
        async def delete(self, digests: Collection[Digest], allowed: Callable[[], bool]) -> Deleted:
            raise DeletionUnansweredError("the store", 900)

    store = Unanswering()
    await put(store, [1])
    with pytest.raises(DeletionUnansweredError):
        await sweep_store(GcRequest(0, seconds=0.001), store, registry)
    # Its own time is over, and still nobody may count on the blob that the store has.
    with pytest.raises(SweptError):
        await publish(registry, [1])
    await publish(registry, [2])


async def test_what_time_ran_out_for_is_left_to_the_next(registry: SqlRegistry) -> None:
    times = iter([NOW] * 8)
    store = MemoryStore()
    await put(store, range(3))
    request = GcRequest(0, clocks=(lambda: next(times, NOW + SWEEP_SECONDS),))
    swept = await sweep_store(request, store, registry)
    assert swept.left > 0
    assert swept.deleted.blobs + swept.left == 3
    assert (await sweep_store(GcRequest(0), store, registry)).deleted.blobs == swept.left


def test_a_lease_ends_by_either_clock_in_half_its_time() -> None:
    wall, boot = [100.0], [5.0]
    lease = Lease(30, (lambda: wall[0], lambda: boot[0]))
    assert lease.holds()
    wall[0] += 30 * SHARE - 0.1
    assert lease.holds()
    boot[0] += 30 * SHARE
    assert not lease.holds()
    wall[0], boot[0] = 101, 6
    assert lease.holds()
    wall[0] = 100 + 30 * SHARE
    assert not lease.holds()
    assert Lease(30).holds()
    assert not Lease(0).holds()
    assert time_with_sleep() > 0
