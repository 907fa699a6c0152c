"""The one protocol behind which blobs are kept."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from c3fs.core.digest import Buffer, Digest


class Store(Protocol):
    """Keeps blobs by digest. Any number of tasks may call it at once.

    Every method may raise StoreUnavailableError (retryable) or StoreRefusedError (permanent). Cancelling a
    call leaves the store as if the call had not been made, or had succeeded.
    """

    async def get(self, digest: Digest) -> Buffer:
        """The whole blob, as a buffer the caller owns; raises BlobMissingError.

        Only a store under `Verified` promises that the bytes have that digest.
        """
        ...

    async def put(self, digest: Digest, data: Buffer) -> None:
        """Keep `data`, whose digest the caller has computed; the same blob twice is no error.

        When it returns the blob survives a power cut. `data` must not change before that.
        """
        ...

    async def missing(self, digests: Collection[Digest]) -> set[Digest]:
        """Those of `digests` the store does not have."""
        ...
