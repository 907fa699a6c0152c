"""A store in memory whose next answers a test writes down."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import trio

from c3fs.core.digest import Buffer, Digest
from c3fs.errors import C3Error
from c3fs.store.base import Deleted, Shelf
from c3fs.store.memory import MemoryStore


class ScriptedStore:
    """Each call takes the next of `script`: it raises an error, or sleeps so many seconds and then works. When
    the script has ended, calls work at once. `calls` and `at` tell what was called when; `most` how many calls
    there were at once."""

    def __init__(self, *script: C3Error | float) -> None:
        self.inner = MemoryStore()
        self.calls: list[str] = []
        self.at: list[float] = []
        self.most = 0
        self._script = list(script)
        self._now = 0

    async def get(self, digest: Digest) -> Buffer:
        await self._step("get")
        return await self.inner.get(digest)

    async def put(self, digest: Digest, data: Buffer) -> None:
        await self._step("put")
        await self.inner.put(digest, data)

    async def missing(self, blobs: Mapping[Digest, Buffer]) -> set[Digest]:
        await self._step("missing")
        return await self.inner.missing(blobs)

    async def shelf(self, prefix: int) -> Shelf:
        await self._step("shelf")
        return await self.inner.shelf(prefix)

    async def delete(self, digests: Collection[Digest], allowed: Callable[[], bool]) -> Deleted:
        await self._step("delete")
        return await self.inner.delete(digests, allowed)

    async def sweep_temporary(self, older_than_s: float) -> int:
        await self._step("sweep_temporary")
        return await self.inner.sweep_temporary(older_than_s)

    async def _step(self, call: str) -> None:
        self.calls.append(call)
        self.at.append(trio.current_time())
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            if self._script:
                step = self._script.pop(0)
                if isinstance(step, C3Error):
                    raise step
                await trio.sleep(step)
        finally:
            self._now -= 1
