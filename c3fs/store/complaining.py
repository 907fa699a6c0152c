"""Tells the keeper of a store of blobs that came corrupt, so that a bad copy does not stay.

Whoever reads must not change a store, and is not believed either: the keeper looks itself, and removes what is corrupt.
Then the honest bytes can be put again. A blob is complained of once, before it is asked for again: bytes that were
damaged on their way come right the second time, and a copy that is bad is gone by then.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from c3fs.core.digest import Buffer, Digest
from c3fs.errors import BlobCorruptError, C3Error
from c3fs.store.base import Store

log = logging.getLogger(__name__)

REMEMBERED_MAX: Final = 10_000
"""Blobs that were complained of; when there are more, the next complaints are repetitions at worst."""


class Complaining:
    """Over `Verified`. `complain` tells whether the blob was corrupt, and is gone."""

    def __init__(self, inner: Store, complain: Callable[[Digest], Awaitable[bool]]) -> None:
        self._inner = inner
        self._complain = complain
        self._told: set[Digest] = set()

    def __repr__(self) -> str:
        return f"Complaining({self._inner!r}, {len(self._told)} told)"

    async def get(self, digest: Digest) -> Buffer:
        try:
            return await self._inner.get(digest)
        except BlobCorruptError:
            if digest not in self._told:
                await self._tell(digest)
            raise

    async def put(self, digest: Digest, data: Buffer) -> None:
        await self._inner.put(digest, data)

    async def missing(self, blobs: Mapping[Digest, Buffer]) -> set[Digest]:
        return await self._inner.missing(blobs)

    async def _tell(self, digest: Digest) -> None:
        if len(self._told) >= REMEMBERED_MAX:
            self._told.clear()
        self._told.add(digest)
        try:
            removed = await self._complain(digest)
        except C3Error as error:
            log.warning("blob %s is corrupt, and the control plane cannot be told: %s", digest, error)
        else:
            log.warning("blob %s came corrupt; %s", digest, "it is removed" if removed else "the store's copy is good")
