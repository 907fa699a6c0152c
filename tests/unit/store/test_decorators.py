"""Verified, Limited, Counted and Deadline: each does its one thing, and passes the rest on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from c3fs.core.digest import Digest
from c3fs.core.retry import Retry
from c3fs.core.span import BLOB_MAX
from c3fs.errors import BlobCorruptError, BlobMissingError, DeadlineError, StoreUnavailableError
from c3fs.store.base import Deleted, Shelf, Store
from c3fs.store.counted import Counted, StoreCounts
from c3fs.store.deadline import Deadline, SweepDeadline
from c3fs.store.limited import Limited
from c3fs.store.memory import MemoryStore
from c3fs.store.retried import Retried
from c3fs.store.verified import INLINE_MAX, Verified
from tests.support.blobs import seeded
from tests.support.clocks import on_mock_clock
from tests.unit.store.scripted import ScriptedStore

BLOB = b"weights"
DIGEST = Digest.of(BLOB)

DECORATORS: list[Callable[[Store], Store]] = [
    Verified,
    lambda inner: Retried(inner, Retry()),
    lambda inner: Limited(inner, 2),
    Counted,
    lambda inner: Deadline(inner, 10),
]


@pytest.mark.parametrize("decorate", DECORATORS, ids=lambda make: repr(make(ScriptedStore())).split("(")[0])
@on_mock_clock
async def test_all_calls_and_errors_pass_through(decorate: Callable[[Store], Store]) -> None:
    inner = ScriptedStore()
    store = decorate(inner)
    assert await store.missing({DIGEST: BLOB}) == {DIGEST}
    with pytest.raises(BlobMissingError):
        await store.get(DIGEST)
    await store.put(DIGEST, BLOB)
    assert await store.get(DIGEST) == BLOB
    assert await store.missing({DIGEST: BLOB}) == set()
    assert inner.calls == ["missing", "get", "put", "get", "missing"]


# --- Verified --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, INLINE_MAX, INLINE_MAX + 1, BLOB_MAX])
async def test_verified_lets_the_right_bytes_pass_and_no_others(size: int) -> None:
    inner = ScriptedStore()
    data = seeded(1, size)
    right, wrong = Digest.of(data), Digest.of(b"something else")
    await inner.put(right, data)
    await inner.put(wrong, data)
    store = Verified(inner)
    assert await store.get(right) == data
    with pytest.raises(BlobCorruptError) as caught:
        await store.get(wrong)
    assert (caught.value.digest, caught.value.actual) == (str(wrong), str(right))


# --- Limited ---------------------------------------------------------------------------------------------


@on_mock_clock
async def test_limited_bounds_the_calls_at_once() -> None:
    inner = ScriptedStore(*[1.0] * 10)
    await inner.inner.put(DIGEST, BLOB)
    store = Limited(inner, 3)
    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(store.get, DIGEST)
            nursery.start_soon(store.put, DIGEST, BLOB)
        nursery.start_soon(store.missing, {DIGEST: BLOB})
        await wait_all_tasks_blocked()
        assert repr(store) == f"Limited({inner!r}, 3 of 3)"
    assert inner.most == 3
    assert len(inner.calls) == 9
    assert trio.current_time() == 3.0


@on_mock_clock
async def test_limited_gives_the_place_of_a_failed_or_cancelled_call_to_the_next() -> None:
    inner = ScriptedStore(StoreUnavailableError("no"), 1000.0)
    store = Limited(inner, 1)
    with pytest.raises(StoreUnavailableError):
        await store.put(DIGEST, BLOB)
    with trio.move_on_after(1):
        await store.put(DIGEST, BLOB)
    await store.put(DIGEST, BLOB)
    assert len(inner.calls) == 3


# --- Counted ---------------------------------------------------------------------------------------------


@on_mock_clock
async def test_counted_counts_what_succeeded() -> None:
    no = StoreUnavailableError("no")
    store = Counted(ScriptedStore(no, no, no))
    for call in (store.get(DIGEST), store.put(DIGEST, BLOB), store.missing({DIGEST: BLOB})):
        with pytest.raises(StoreUnavailableError):
            await call
    assert store.counts == StoreCounts()
    await store.put(DIGEST, BLOB)
    await store.get(DIGEST)
    await store.get(DIGEST)
    await store.missing({DIGEST: BLOB})
    assert store.counts == StoreCounts(gets=2, get_bytes=14, puts=1, put_bytes=7, missing=1)


# --- Deadline --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["get", "put", "missing", "shelf", "delete", "sweep_temporary"])
@on_mock_clock
async def test_deadline_ends_a_call_that_hangs(call: str) -> None:
    hanging = ScriptedStore(1000.0)
    store, swept = Deadline(hanging, 5), SweepDeadline(hanging, 5)
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "get": lambda: store.get(DIGEST),
        "put": lambda: store.put(DIGEST, BLOB),
        "missing": lambda: store.missing({DIGEST: BLOB}),
        "shelf": lambda: swept.shelf(0),
        "delete": lambda: swept.delete([DIGEST], lambda: True),
        "sweep_temporary": lambda: swept.sweep_temporary(0),
    }
    with pytest.raises(DeadlineError, match=r"did not finish in 5 s") as caught:
        await calls[call]()
    assert caught.value.retryable
    assert trio.current_time() == 5


async def test_what_gc_asks_passes_through() -> None:
    inner = MemoryStore()
    store = SweepDeadline(inner, 5)
    assert await store.shelf(DIGEST[0]) == Shelf([])
    await inner.put(DIGEST, BLOB)
    [blob] = (await store.shelf(DIGEST[0])).blobs
    assert (blob.digest, blob.size) == (DIGEST, len(BLOB))
    assert await store.delete([DIGEST], lambda: False) == Deleted(0, 0)
    assert await store.delete([DIGEST], lambda: True) == Deleted(1, len(BLOB))
    assert await store.sweep_temporary(0) == 0


@on_mock_clock
async def test_deadline_leaves_its_callers_cancellation_alone() -> None:
    store = Deadline(ScriptedStore(1000.0), 5)
    with trio.move_on_after(2) as scope:
        await store.get(DIGEST)
    assert scope.cancelled_caught
    assert trio.current_time() == 2


@on_mock_clock
async def test_the_stack_retries_hung_tries_within_a_deadline_for_all() -> None:
    inner = ScriptedStore(1000.0, StoreUnavailableError("no"), 2.0)
    await inner.inner.put(DIGEST, BLOB)
    counted = Counted(inner)
    tried = Retried(Limited(Deadline(Verified(counted), 5), 1), Retry(3, 1.0, 1.0), draw=lambda: 1.0)
    assert await Deadline(tried, 60).get(DIGEST) == BLOB
    # 5 s hung, a pause, an error at once, a pause, 2 s of work.
    assert trio.current_time() == 9
    assert counted.counts.gets == 1

    hanging = Retried(Deadline(ScriptedStore(*[1000.0] * 9), 5), Retry(9, 0.0, 0.0))
    with pytest.raises(DeadlineError, match="12 s"):
        await Deadline(hanging, 12).get(DIGEST)
    assert trio.current_time() == 9 + 12
