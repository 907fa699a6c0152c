"""Counts what a store was asked and gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from c3fs.core.digest import Buffer, Digest
from c3fs.store.base import Store


@dataclass(slots=True)
class StoreCounts:
    """Calls that succeeded, and the bytes of blobs that came and went. `missing` counts calls, not digests."""

    gets: int = 0
    get_bytes: int = 0
    puts: int = 0
    put_bytes: int = 0
    missing: int = 0


class Counted:
    """`counts` may be read at any time, and belongs to the event loop's thread."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self.counts = StoreCounts()

    def __repr__(self) -> str:
        return f"Counted({self._inner!r}, {self.counts})"

    async def get(self, digest: Digest) -> Buffer:
        data = await self._inner.get(digest)
        self.counts.gets += 1
        self.counts.get_bytes += len(data)
        return data

    async def put(self, digest: Digest, data: Buffer) -> None:
        await self._inner.put(digest, data)
        self.counts.puts += 1
        self.counts.put_bytes += len(data)

    async def missing(self, blobs: Mapping[Digest, Buffer]) -> set[Digest]:
        found = await self._inner.missing(blobs)
        self.counts.missing += 1
        return found
