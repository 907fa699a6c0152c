"""Bounds how many calls a store has at once."""

from __future__ import annotations

from collections.abc import Mapping

import trio

from c3fs.core.digest import Buffer, Digest
from c3fs.store.base import Store


class Limited:
    """At most `limit` calls at once; the others wait, and get their turn in the order they came.

    So many blobs, of 4 MiB at most, are in memory on their way.
    """

    def __init__(self, inner: Store, limit: int) -> None:
        self._inner = inner
        self._limiter = trio.CapacityLimiter(limit)

    def __repr__(self) -> str:
        limiter = self._limiter
        return f"Limited({self._inner!r}, {limiter.borrowed_tokens:g} of {limiter.total_tokens:g})"

    async def get(self, digest: Digest) -> Buffer:
        async with self._limiter:
            return await self._inner.get(digest)

    async def put(self, digest: Digest, data: Buffer) -> None:
        async with self._limiter:
            await self._inner.put(digest, data)

    async def missing(self, blobs: Mapping[Digest, Buffer]) -> set[Digest]:
        async with self._limiter:
            return await self._inner.missing(blobs)
