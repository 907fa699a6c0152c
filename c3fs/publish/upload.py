"""Sends blobs from a worker thread to the store: what is missing, each once, a bounded number of bytes at a time."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Final, TypeVar

import trio

from c3fs.core.digest import Buffer, Digest
from c3fs.errors import C3Error
from c3fs.store.base import Store

T = TypeVar("T")
Batch = list[tuple[Digest, Buffer]]
_MARK: Final[Batch] = []

BATCH_BLOBS: Final = 64
BATCH_BYTES: Final = 16 << 20
"""What the store is asked about at a time: a round trip for many blobs, and no more than this waits for an answer."""
PUTS_MAX: Final = 8
"""Puts at a time: 32 MiB at most. Four fill a local disk (c3fs.store.blobfile); twice that for a store further away."""
LOST_MAX: Final = 8
"""Blobs that may fail when that is not an error. When more do, the store is down, and asking it once for each would
only take the longer."""


@dataclass(slots=True)
class UploadCounts:
    """Blobs and bytes the store took, and blobs it had already."""

    blobs: int = 0
    bytes: int = 0
    reused: int = 0


async def upload(
    produce: Callable[[Sender], T],
    store: Store,
    *,
    counts: UploadCounts,
    on_change: Callable[[], None],
    may_lose: bool = False,
) -> T:
    """Run `produce` in a worker thread and put what it emits; its result, once all of that is stored.

    `counts` is kept up to date, and `on_change` called after each change. With `may_lose` a few blobs may fail to be
    put: `Sender.settle` tells which; those emitted after it must not.

    The first failure on either side ends both, and is raised. Cancelled, or when the store fails, the thread ends at
    its next `emit`, or wherever `produce` looks whether it is cancelled: it never outlives this call.
    """
    uploader = _Uploader(store, counts, on_change, LOST_MAX if may_lose else 0)
    sending, receiving = trio.open_memory_channel[Batch](0)
    made: list[T] = []
    failed: C3Error | None = None
    try:
        async with trio.open_nursery() as both:
            both.start_soon(uploader.run, receiving)
            with sending:
                made.append(await trio.to_thread.run_sync(_run, produce, Sender(sending, uploader)))
    except* C3Error as group:
        failed = _first(group)
    if failed is not None:
        raise failed
    return made[0]


class Sender:
    """The worker thread's end: gathers blobs into batches. `emit` blocks while the uploader has enough to do."""

    def __init__(self, sending: trio.MemorySendChannel[Batch], uploader: _Uploader) -> None:
        self._sending = sending
        self._uploader = uploader
        self._batch: Batch = []
        self._size = 0

    def emit(self, digest: Digest, data: Buffer) -> None:
        """`data` must not change any more."""
        self._batch.append((digest, data))
        self._size += len(data)
        if len(self._batch) >= BATCH_BLOBS or self._size >= BATCH_BYTES:
            self.flush()

    def flush(self) -> None:
        if self._batch:
            trio.from_thread.run(self._sending.send, self._batch)
        self._batch, self._size = [], 0

    def settle(self) -> Set[Digest]:
        """Wait until all that was emitted is stored; the blobs that could not be."""
        self.flush()
        # The channel holds nothing: when a second batch was taken, the puts of the first are under way.
        trio.from_thread.run(self._sending.send, _MARK)
        return trio.from_thread.run(self._uploader.settled)


def _run(produce: Callable[[Sender], T], sender: Sender) -> T:
    made = produce(sender)
    sender.flush()
    return made


class _Uploader:
    """Asks about one batch while blobs of the one before are still being put."""

    def __init__(self, store: Store, counts: UploadCounts, on_change: Callable[[], None], may_lose: int) -> None:
        self._store = store
        self._counts = counts
        self._on_change = on_change
        self._may_lose = may_lose
        self._lost: set[Digest] = set()
        self._places = trio.Semaphore(PUTS_MAX)

    def __repr__(self) -> str:
        return f"<_Uploader {PUTS_MAX - self._places.value} puts, {self._counts}>"

    async def run(self, receiving: trio.MemoryReceiveChannel[Batch]) -> None:
        # The channel is not closed here: a failure ends the thread by cancelling it, and not by a second error.
        async with trio.open_nursery() as puts:
            async for batch in receiving:
                if not batch:
                    continue
                missing = await self._store.missing(dict(batch))
                self._counts.reused += len(batch) - len(missing)
                self._on_change()
                for digest, data in batch:
                    if digest in missing:
                        await self._places.acquire()
                        # A lone chunk would keep all of its window in memory.
                        puts.start_soon(self._put, digest, bytes(data) if 2 * len(missing) < len(batch) else data)

    async def settled(self) -> Set[Digest]:
        """Wait for all puts that are under way; blobs that were lost. From then on none may be."""
        for _ in range(PUTS_MAX):
            await self._places.acquire()
        for _ in range(PUTS_MAX):
            self._places.release()
        self._may_lose = 0
        return frozenset(self._lost)

    async def _put(self, digest: Digest, data: Buffer) -> None:
        try:
            await self._store.put(digest, data)
        except C3Error:
            if len(self._lost) >= self._may_lose:
                raise
            self._lost.add(digest)
        else:
            self._counts.blobs += 1
            self._counts.bytes += len(data)
            self._on_change()
        finally:
            self._places.release()


def _first(group: BaseExceptionGroup[C3Error]) -> C3Error:
    for error in group.exceptions:
        return _first(error) if isinstance(error, BaseExceptionGroup) else error
    raise AssertionError("an empty group")
