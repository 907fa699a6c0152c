"""Settles what two say differently about one blob: reads it, computes BLAKE3, and removes it if it is a lie.

A row of the deposits says which SHA-256 the bytes have that stand for a digest. S3 vouches for that; that they have the
digest is somebody's word, until somebody else contradicts, or complains.

What is wrong is read once more before it goes: bytes that were damaged on their way here, and only those, come right
the second time, and a good blob that somebody needs may be the only one.

The row goes first, so that nobody is told that the blob is there while it is being removed; a process that dies in
between leaves an object that gc deletes. What was wrong from the start stays wrong: nobody can put other bytes under
the same key, so removing it undoes no honest put. Only a blob that was right and has rotted can be put again, under the
same key, while it is being removed: so it is looked for once more at the end, and its row goes if it is not there.
"""

from __future__ import annotations

import logging
from typing import Final

import anyio
import anyio.to_thread

from c3fs.core.digest import Digest
from c3fs.errors import BlobMissingError
from c3fs.registry.deposits import Deposits
from c3fs.server.objects import Objects

SETTLED_AT_ONCE: Final = 2
"""Blobs of an account read at once for this: somebody who contradicts for fun costs two reads at a time, and only his
own account waits for him."""

log = logging.getLogger("c3fs.server")


class Settling:
    """Of one account's blobs."""

    def __init__(self, objects: Objects, rows: Deposits, allowed: anyio.CapacityLimiter) -> None:
        self._objects = objects
        self._rows = rows
        self._allowed = allowed

    async def removed(self, digest: Digest, sha256: bytes) -> bool:
        """Whether the bytes that were put for `digest`, and have this SHA-256, are not the blob, and are gone."""
        async with self._allowed:
            try:
                size, actual = await self._look(digest, sha256)
                if actual != digest:
                    size, actual = await self._look(digest, sha256)
            except BlobMissingError:
                await self._rows.forget({digest: sha256})
                log.warning("blob %s has gone from the store", digest)
                return True
            if actual == digest:
                return False
            log.warning("blob %s is corrupt and removed: its bytes have the digest %s", digest, actual)
            await self._rows.forget({digest: sha256})
            await self._objects.remove(digest, sha256)
            if not (await self._objects.have([(digest, size, sha256)]))[0]:
                await self._rows.forget({digest: sha256})
            return True

    async def _look(self, digest: Digest, sha256: bytes) -> tuple[int, Digest]:
        """How many bytes there are, and their digest."""
        data = await self._objects.read(digest, sha256)
        return len(data), await anyio.to_thread.run_sync(Digest.of, data)
