"""The objects of one account in S3, as the control plane itself looks at them: by URLs that it signs for itself.

So S3's clock is the only one that counts, as it is for everybody to whom it gives URLs: a control plane whose clock is
an hour off works like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import anyio

from c3fs.core.digest import Buffer, Digest
from c3fs.errors import BlobMissingError, C3Error, TransferError
from c3fs.registry.control import Claim
from c3fs.store.presign import Presigner
from c3fs.store.s3keys import BlobKey
from c3fs.store.transport import UrlTransport

SECONDS: Final = 120
"""What a URL is good for that is used at once: a transfer, and waiting for a place."""
LOOKED_AT_ONCE: Final = 8
"""Objects of one request that are looked at, so that it leaves places to others."""
_BEYOND: Final = 416
"""The answer for bytes that an object has not."""


class Objects:
    """Raises StoreUnavailableError, StoreRefusedError, DeadlineError. Several accounts share a transport."""

    def __init__(self, presigner: Presigner, transport: UrlTransport) -> None:
        self._presigner = presigner
        self._transport = transport

    def __repr__(self) -> str:
        return f"Objects({self._presigner!r})"

    async def have(self, claims: Sequence[Claim]) -> list[bool]:
        """Whether each is there, with exactly that size; in their order."""
        there = [False] * len(claims)
        failed: list[C3Error] = []

        async def look(first: int) -> None:
            try:
                for at in range(first, len(claims), LOOKED_AT_ONCE):
                    there[at] = await self._has(*claims[at])
            except C3Error as error:
                failed.append(error)
                tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            for first in range(min(LOOKED_AT_ONCE, len(claims))):
                tasks.start_soon(look, first)
        if failed:
            raise failed[0]
        return there

    async def _has(self, digest: Digest, size: int, sha256: bytes) -> bool:
        """Its last byte is there, and none after it: one small request says both."""
        try:
            rest = await self._transport.get(self._get_url(digest, sha256), offset=size - 1)
        except TransferError as error:
            if error.status not in (404, _BEYOND):
                raise
            return False
        return len(rest) == 1

    async def read(self, digest: Digest, sha256: bytes) -> Buffer:
        """All of it, not verified; raises BlobMissingError."""
        try:
            return await self._transport.get(self._get_url(digest, sha256))
        except TransferError as error:
            if error.status != 404:
                raise
            raise BlobMissingError(str(digest)) from None

    async def write(self, digest: Digest, sha256: bytes, data: Buffer) -> None:
        """Put it where a client would, for whoever has verified both digests."""
        url, headers = self._presigner.put_request(BlobKey(digest, sha256), len(data), sha256, SECONDS)
        await self._transport.put(url, data, headers)

    async def remove(self, digest: Digest, sha256: bytes) -> None:
        """Delete it, if it is there."""
        url = self._presigner.url("DELETE", BlobKey(digest, sha256), SECONDS)
        try:
            await self._transport.put(url, b"", {}, method="DELETE")
        except TransferError as error:
            if error.status != 404:
                raise

    def _get_url(self, digest: Digest, sha256: bytes) -> str:
        return self._presigner.get_url(BlobKey(digest, sha256), SECONDS)
