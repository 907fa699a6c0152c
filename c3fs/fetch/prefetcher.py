"""Does what readahead decides: begins flights, a bounded number at a time, behind what readers ask for."""

from __future__ import annotations

from collections import deque
from typing import Final

import trio

from c3fs.core.digest import Digest
from c3fs.fetch.fetcher import Fetcher

FLIGHTS_MAX: Final = 4
"""Prefetches in flight: half of what the store is asked at a time, so a reader always finds a free place."""
QUEUE_MAX: Final = 64
"""Blobs waiting: the windows of a few streams. The oldest wishes are dropped, their readers have passed."""


class Prefetcher:
    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._queue: deque[Digest] = deque(maxlen=QUEUE_MAX)
        self._wanted = trio.Event()

    def __repr__(self) -> str:
        return f"<Prefetcher {len(self._queue)} waiting>"

    def want(self, digests: list[Digest]) -> None:
        """Fetch these when there is room; never waits, may forget."""
        if digests:
            self._queue.extend(digests)
            self._wanted.set()

    async def run(self) -> None:
        """Until cancelled. A prefetch that fails is not an error: the reader asks again and hears of it."""
        async with trio.open_nursery() as nursery:
            for _ in range(FLIGHTS_MAX):
                nursery.start_soon(self._work)

    async def _work(self) -> None:
        while True:
            while self._queue:
                landed = self._fetcher.prefetch(self._queue.popleft())
                if landed is not None:
                    await landed.wait()
            self._wanted = trio.Event() if self._wanted.is_set() else self._wanted
            await self._wanted.wait()
