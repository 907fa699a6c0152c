"""Recomputes the digest of every blob that comes out of a store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import trio

from c3fs.core.digest import Buffer, Digest
from c3fs.errors import BlobCorruptError
from c3fs.store.base import Store

INLINE_MAX: Final = 512 << 10
"""Bytes verified on the event loop: 65 us of it. A hop to a thread costs 150 us, and 4 MiB take 500 us."""


class Verified:
    """No bytes pass whose digest is not the one asked for: get raises BlobCorruptError instead."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner

    def __repr__(self) -> str:
        return f"Verified({self._inner!r})"

    async def get(self, digest: Digest) -> Buffer:
        data = await self._inner.get(digest)
        if len(data) <= INLINE_MAX:
            actual = Digest.of(data)
        else:
            actual = await trio.to_thread.run_sync(Digest.of, data)
        if actual != digest:
            raise BlobCorruptError(str(digest), str(actual))
        return data

    async def put(self, digest: Digest, data: Buffer) -> None:
        await self._inner.put(digest, data)

    async def missing(self, blobs: Mapping[Digest, Buffer]) -> set[Digest]:
        return await self._inner.missing(blobs)
