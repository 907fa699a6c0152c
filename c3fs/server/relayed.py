"""Blobs that go through the control plane: the store is a directory, which nobody else can reach.

What is put is verified first, so a name in the store stands for what it says when it is kept, and afterwards for what
the disk has made of it. What has rotted is found by whoever gets it, for readers verify: their complaint removes it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, Protocol

import anyio.to_thread

from c3fs.api.messages import BlobUrl, Slot
from c3fs.core.digest import Buffer, Digest
from c3fs.errors import BlobCorruptError
from c3fs.server.bounds import bounded
from c3fs.server.gateway import Claimed
from c3fs.server.signing import OWN_SECONDS, own_path, own_slot
from c3fs.store.base import Store

CALL_WITHIN: Final = 30.0
"""Seconds one call to the store may take: a blob of 4 MiB at 140 kB/s."""


class LocalStore(Store, Protocol):
    """A store that can tell what it has from digests alone, and lets go what has rotted."""

    async def sizes(self, digests: Collection[Digest]) -> dict[Digest, int]:
        """Bytes in those of `digests` that are there."""
        ...

    async def remove_corrupt(self, digest: Digest) -> bool:
        """Delete the blob if it is there and its bytes are not those that the digest names; whether they were not.
        Nobody can put it in between."""
        ...


class Relayed:
    """Behind c3fs.server.gateway.Gateway. No call to the store takes longer than CALL_WITHIN."""

    def __init__(self, store: LocalStore) -> None:
        self._store = store

    def __repr__(self) -> str:
        return f"Relayed({self._store!r})"

    async def missing(self, claims: Sequence[Claimed]) -> list[Slot]:
        missing = await self.unstored({claim.digest: claim.size for claim in claims})
        return [own_slot(digest) for digest in sorted(missing)]

    async def confirm(self, claims: Sequence[Claimed]) -> list[Digest]:
        return sorted(await self.unstored({claim.digest: claim.size for claim in claims}))

    async def urls(self, digests: Collection[Digest]) -> list[BlobUrl]:
        stored = await self._sizes(digests)
        return [BlobUrl(str(digest), own_path(digest), OWN_SECONDS) for digest in sorted(stored)]

    async def unstored(self, blobs: Mapping[Digest, int]) -> set[Digest]:
        stored = await self._sizes(blobs.keys())
        return {digest for digest, size in blobs.items() if stored.get(digest) != size}

    async def get(self, digest: Digest) -> Buffer:
        with bounded("a store's get", CALL_WITHIN):
            return await self._store.get(digest)

    async def put(self, digest: Digest, data: Buffer) -> None:
        actual = await anyio.to_thread.run_sync(Digest.of, data)
        if actual != digest:
            raise BlobCorruptError(str(digest), str(actual))
        with bounded("a store's put", CALL_WITHIN):
            await self._store.put(digest, data)

    async def complaint(self, digest: Digest) -> bool:
        with bounded("a store's look at a blob", CALL_WITHIN):
            return await self._store.remove_corrupt(digest)

    async def _sizes(self, digests: Collection[Digest]) -> dict[Digest, int]:
        with bounded("a store's look for blobs", CALL_WITHIN):
            return await self._store.sizes(digests)
