"""What is uploaded is kept on this machine too: the next job here, which reads it, fetches nothing."""

from __future__ import annotations

from collections.abc import Mapping

from c3fs.cache.cache import Cache
from c3fs.core.digest import Buffer, Digest
from c3fs.store.base import Store


class Filling:
    """Keeps in the cache what goes into the inner store, and what was there already. For a store that is not on this
    machine: of one that is, the cache would only be a second copy."""

    def __init__(self, inner: Store, cache: Cache) -> None:
        self._inner = inner
        self._cache = cache

    def __repr__(self) -> str:
        return f"<Filling {self._inner!r}>"

    async def get(self, digest: Digest) -> Buffer:
        return await self._inner.get(digest)

    async def put(self, digest: Digest, data: Buffer) -> None:
        await self._inner.put(digest, data)
        await self._cache.keep(digest, data)

    async def missing(self, blobs: Mapping[Digest, Buffer]) -> set[Digest]:
        missing = await self._inner.missing(blobs)
        for digest, data in blobs.items():
            if digest not in missing and not self._cache.contains(digest):
                # A copy: the piece of a larger buffer would keep all of that in memory until it is committed.
                await self._cache.keep(digest, bytes(data))
        return missing
