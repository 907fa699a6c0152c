"""The pipeline between the thread that makes blobs and the store: bounded, and over at once when either side ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import pytest
import trio
import trio.testing

from c3fs.core.digest import Buffer, Digest
from c3fs.errors import C3Error, CollectError, StoreRefusedError, StoreUnavailableError
from c3fs.publish.upload import BATCH_BLOBS, BATCH_BYTES, LOST_MAX, PUTS_MAX, Sender, UploadCounts, upload
from tests.support.blobs import SteeredStore, seeded

BLOBS = [seeded(number, 1_000) for number in range(300)]


class FaultyStore(SteeredStore):
    """A store whose puts wait for `open`, and of which some fail. `most` is how many were under way at once."""

    def __init__(self, *, fail: Callable[[Digest], bool] = lambda _: False, stalled: bool = False) -> None:
        super().__init__()
        self.fail = fail
        self.open = trio.Event()
        if not stalled:
            self.open.set()
        self.asked: list[int] = []
        self.down: C3Error | None = None
        self.puts = self.most = 0

    async def missing(self, blobs: Mapping[Digest, Buffer]) -> set[Digest]:
        self.asked.append(len(blobs))
        if self.down is not None:
            raise self.down
        return await super().missing(blobs)

    async def put(self, digest: Digest, data: Buffer) -> None:
        self.puts += 1
        self.most = max(self.most, self.puts)
        try:
            await self.open.wait()
            if self.fail(digest):
                raise StoreRefusedError("no room")
            await super().put(digest, data)
        finally:
            self.puts -= 1


async def sent(
    produce: Callable[[Sender], object], store: SteeredStore, *, may_lose: bool = False
) -> tuple[object, UploadCounts]:
    counts = UploadCounts()
    threads = threading.active_count()
    result = await upload(produce, store, counts=counts, on_change=lambda: None, may_lose=may_lose)
    assert threading.active_count() <= threads + 1  # trio keeps a thread for the next use
    return result, counts


def emit_all(sender: Sender) -> str:
    for data in BLOBS:
        sender.emit(Digest.of(data), data)
    return "made"


async def test_everything_is_stored_when_it_returns() -> None:
    store = FaultyStore()
    result, counts = await sent(emit_all, store)
    assert result == "made"
    assert store.blobs == {Digest.of(data): data for data in BLOBS}
    assert counts == UploadCounts(blobs=300, bytes=300_000, reused=0)
    assert max(store.asked) == BATCH_BLOBS
    assert sum(store.asked) == 300
    assert store.most <= PUTS_MAX


async def test_what_the_store_has_is_not_put_again() -> None:
    store = FaultyStore(fail=lambda _: True)
    for data in BLOBS:
        store.add(data)
    _, counts = await sent(emit_all, store)
    assert counts == UploadCounts(blobs=0, bytes=0, reused=300)


async def test_nothing_to_send_asks_nothing() -> None:
    store = FaultyStore()
    assert await sent(lambda _: 7, store) == (7, UploadCounts())
    assert store.asked == []


async def test_the_thread_waits_for_the_store() -> None:
    """With nothing put, no more is made than two batches and what is under way."""
    store = FaultyStore(stalled=True)
    made = 0

    def produce(sender: Sender) -> None:
        nonlocal made
        for number in range(200):
            data = number.to_bytes(4) * (1 << 18)
            sender.emit(Digest.of(data), data)
            made += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(sent, produce, store)
        with trio.move_on_after(10):
            while store.puts < PUTS_MAX:
                await trio.lowlevel.checkpoint()
        await trio.testing.wait_all_tasks_blocked(0.2)
        assert made <= 3 * BATCH_BYTES >> 20
        store.open.set()
    assert made == 200


async def test_views_of_a_window_are_stored_as_bytes_that_stay() -> None:
    store = FaultyStore()
    window = memoryview(seeded(1, 64_000))

    def produce(sender: Sender) -> None:
        for at in range(64):
            piece = window[at * 1_000 : (at + 1) * 1_000]
            sender.emit(Digest.of(piece), piece)

    for at in range(1, 64):
        store.add(bytes(window[at * 1_000 : (at + 1) * 1_000]))
    _, counts = await sent(produce, store)
    assert counts.blobs == 1
    assert store.blobs[Digest.of(window[:1_000])] == window[:1_000]


# --- failures ------------------------------------------------------------


async def test_the_first_failed_put_ends_the_thread() -> None:
    ended = threading.Event()

    def produce(sender: Sender) -> None:
        try:
            while True:
                emit_all(sender)
        finally:
            ended.set()

    with pytest.raises(StoreRefusedError):
        await sent(produce, FaultyStore(fail=lambda _: True))
    assert ended.is_set()


async def test_a_store_that_does_not_answer_ends_the_thread() -> None:
    store = FaultyStore()
    store.down = StoreUnavailableError("down")
    with pytest.raises(StoreUnavailableError):
        await sent(emit_all, store)


async def test_a_failure_of_the_thread_ends_the_puts() -> None:
    def produce(sender: Sender) -> None:
        for number in range(BATCH_BLOBS):
            sender.emit(Digest.of(BLOBS[number]), BLOBS[number])
        raise CollectError(b"x", "cannot be read")

    store = FaultyStore(stalled=True)
    with pytest.raises(CollectError):
        await sent(produce, store)
    assert store.puts == 0


async def test_both_failing_is_one_error() -> None:
    def produce(sender: Sender) -> None:
        try:
            emit_all(sender)
        except trio.Cancelled:
            raise CollectError(b"x", "failed too") from None

    with pytest.raises((StoreRefusedError, CollectError)):
        await sent(produce, FaultyStore(fail=lambda _: True))


async def test_cancelling_ends_a_thread_that_waits_for_the_store() -> None:
    ended = threading.Event()

    def produce(sender: Sender) -> None:
        try:
            while True:
                emit_all(sender)
        finally:
            ended.set()

    store = FaultyStore(stalled=True)
    with trio.move_on_after(0.2) as scope:
        await sent(produce, store)
    assert scope.cancelled_caught
    assert ended.is_set()
    assert store.puts == 0


async def test_cancelling_ends_a_thread_that_only_computes() -> None:
    def produce(_: Sender) -> None:
        while True:
            trio.from_thread.check_cancelled()

    with trio.move_on_after(0.1) as scope:
        await sent(produce, FaultyStore())
    assert scope.cancelled_caught


# --- when blobs may be lost ------------------------------------------------------------


async def test_settling_waits_for_every_put_and_names_the_lost() -> None:
    lost = {Digest.of(data) for data in BLOBS[:3]}
    store = FaultyStore(fail=lambda digest: digest in lost)

    def produce(sender: Sender) -> object:
        emit_all(sender)
        settled = sender.settle()
        return settled, len(store.blobs)

    result, counts = await sent(produce, store, may_lose=True)
    assert result == (lost, 297)
    assert counts.blobs == 297


async def test_after_settling_nothing_may_be_lost() -> None:
    def produce(sender: Sender) -> None:
        sender.settle()
        sender.emit(Digest.of(b"x"), b"x")

    with pytest.raises(StoreRefusedError):
        await sent(produce, FaultyStore(fail=lambda _: True), may_lose=True)


async def test_a_store_that_loses_too_much_is_down() -> None:
    store = FaultyStore(fail=lambda _: True)
    with pytest.raises(StoreRefusedError):
        await sent(emit_all, store, may_lose=True)
    assert not store.blobs
    assert store.most <= PUTS_MAX
    assert LOST_MAX < 300


async def test_settling_with_nothing_sent() -> None:
    assert await sent(lambda sender: sender.settle(), FaultyStore(), may_lose=True) == (frozenset(), UploadCounts())
