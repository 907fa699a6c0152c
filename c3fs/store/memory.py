"""A store in memory, for tests and for trees that need not outlive the process."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

import trio

from c3fs.core.digest import Buffer, Digest
from c3fs.errors import BlobMissingError
from c3fs.store.base import Deleted, Shelf, StoredBlob


class _Kept(NamedTuple):
    data: bytes
    modified: float


class MemoryStore:
    """Behind c3fs.store.base.Store and SweepableStore, but for the power cut. Every call gives other tasks a turn
    first, and does its work at once."""

    def __init__(self) -> None:
        self._blobs: dict[Digest, _Kept] = {}

    def __repr__(self) -> str:
        return f"<MemoryStore {len(self._blobs)} blobs>"

    async def get(self, digest: Digest) -> Buffer:
        await trio.lowlevel.checkpoint()
        try:
            return self._blobs[digest].data
        except KeyError:
            raise BlobMissingError(str(digest)) from None

    async def put(self, digest: Digest, data: Buffer) -> None:
        await trio.lowlevel.checkpoint()
        self._blobs.setdefault(digest, _Kept(bytes(data), time.time()))

    async def missing(self, blobs: Mapping[Digest, Buffer]) -> set[Digest]:
        await trio.lowlevel.checkpoint()
        return {digest for digest in blobs if digest not in self._blobs}

    async def shelf(self, prefix: int) -> Shelf:
        await trio.lowlevel.checkpoint()
        found = ((digest, kept) for digest, kept in self._blobs.items() if digest[0] == prefix)
        return Shelf([StoredBlob(digest, len(kept.data), kept.modified) for digest, kept in found])

    async def delete(self, digests: Collection[Digest], allowed: Callable[[], bool]) -> Deleted:
        await trio.lowlevel.checkpoint()
        blobs = size = 0
        for digest in digests:
            if not allowed():
                break
            kept = self._blobs.pop(digest, None)
            if kept is not None:
                blobs, size = blobs + 1, size + len(kept.data)
        return Deleted(blobs, size)

    async def sweep_temporary(self, older_than_s: float) -> int:
        await trio.lowlevel.checkpoint()
        return 0
