"""Sends blobs from a worker thread to the store: what is missing, each once, a bounded number of bytes at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import trio

from c3fs.core.digest import Buffer, Digest
from c3fs.errors import C3Error
from c3fs.store.base import Store

T = TypeVar("T")
Blob = tuple[Digest, Buffer]

BATCH_BLOBS: Final = 64
BATCH_BYTES: Final = 16 << 20
"""What the store is asked about at a time: a round trip for many blobs, and no more than this waits for an answer."""
QUEUE_BATCHES: Final = 1
PUTS_MAX: Final = 4
"""Puts at a time. On one disk more give nothing, and each holds a blob in memory."""


@dataclass(slots=True)
class UploadCounts:
    """Blobs and bytes the store took, and blobs it had already."""

    blobs: int = 0
    bytes: int = 0
    reused: int = 0


async def upload(
    produce: Callable[[Callable[[Digest, Buffer], None]], T], store: Store, *, on_put: Callable[[UploadCounts], None]
) -> tuple[T, UploadCounts]:
    """Run `produce(emit)` in a worker thread, and put what it emits; its result, once all is stored.

    The first failure on either side ends both, and is raised; cancelled, the thread ends at its next `emit`.
    """
    counts = UploadCounts()
    failed: C3Error | None = None
    made: list[T] = []
    sending, receiving = trio.open_memory_channel[list[Blob]](QUEUE_BATCHES)
    uploader = _Uploader(store, counts, on_put)
    try:
        async with trio.open_nursery() as both:
            both.start_soon(uploader.run, receiving)
            async with sending:
                made.append(await trio.to_thread.run_sync(_produce, produce, sending))
    except* C3Error as group:
        failed = _first(group)
    if failed is not None:
        raise failed
    return made[0], counts


def _produce(
    produce: Callable[[Callable[[Digest, Buffer], None]], T], sending: trio.MemorySendChannel[list[Blob]]
) -> T:
    batch: list[Blob] = []
    size = 0

    def send() -> None:
        nonlocal batch, size
        if batch:
            trio.from_thread.run(sending.send, batch)
        batch, size = [], 0

    def emit(digest: Digest, data: Buffer) -> None:
        nonlocal size
        batch.append((digest, data))
        size += len(data)
        if len(batch) >= BATCH_BLOBS or size >= BATCH_BYTES:
            send()

    made = produce(emit)
    send()
    return made


class _Uploader:
    def __init__(self, store: Store, counts: UploadCounts, on_put: Callable[[UploadCounts], None]) -> None:
        self._store = store
        self._counts = counts
        self._on_put = on_put
        self._limit = trio.CapacityLimiter(PUTS_MAX)

    async def run(self, receiving: trio.MemoryReceiveChannel[list[Blob]]) -> None:
        async with receiving:
            async for batch in receiving:
                missing = await self._store.missing([digest for digest, _ in batch])
                self._counts.reused += len(batch) - len(missing)
                async with trio.open_nursery() as nursery:
                    for digest, data in batch:
                        if digest in missing:
                            nursery.start_soon(self._put, digest, data)

    async def _put(self, digest: Digest, data: Buffer) -> None:
        async with self._limit:
            await self._store.put(digest, data)
        self._counts.blobs += 1
        self._counts.bytes += len(data)
        self._on_put(self._counts)


def _first(group: BaseExceptionGroup[C3Error]) -> C3Error:
    for error in group.exceptions:
        return _first(error) if isinstance(error, BaseExceptionGroup) else error
    raise AssertionError("an empty group")
