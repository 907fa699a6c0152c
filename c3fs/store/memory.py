"""A store in memory, for tests and for trees that need not outlive the process."""

from __future__ import annotations

from collections.abc import Collection

import trio

from c3fs.core.digest import Buffer, Digest
from c3fs.errors import BlobMissingError


class MemoryStore:
    """Behind c3fs.store.base.Store, but for the power cut. Every call gives other tasks a turn first."""

    def __init__(self) -> None:
        self._blobs: dict[Digest, bytes] = {}

    def __repr__(self) -> str:
        return f"<MemoryStore {len(self._blobs)} blobs>"

    async def get(self, digest: Digest) -> Buffer:
        await trio.lowlevel.checkpoint()
        try:
            return self._blobs[digest]
        except KeyError:
            raise BlobMissingError(str(digest)) from None

    async def put(self, digest: Digest, data: Buffer) -> None:
        await trio.lowlevel.checkpoint()
        self._blobs[digest] = bytes(data)

    async def missing(self, digests: Collection[Digest]) -> set[Digest]:
        await trio.lowlevel.checkpoint()
        return {digest for digest in digests if digest not in self._blobs}
