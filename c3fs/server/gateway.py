"""The blobs of one account as the control plane hands them out and takes them in. One protocol, a way a file.

relayed     through the control plane: over a directory
presigned   past it: S3, by presigned URLs
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from c3fs.api.messages import BlobUrl, Claim, Slot
from c3fs.core.digest import Buffer, Digest


@dataclass(frozen=True, slots=True)
class Claimed:
    """A blob that somebody says to have, with both digests of its bytes."""

    digest: Digest
    size: int
    sha256: bytes

    @classmethod
    def of(cls, claim: Claim) -> Claimed:
        return cls(Digest.parse(claim.digest), claim.size, bytes.fromhex(claim.sha256))


class Gateway(Protocol):
    """Any number of tasks may call it. Every method may raise StoreUnavailableError, StoreRefusedError, DeadlineError.

    Whom a blob is shown to is not decided here.
    """

    async def missing(self, claims: Sequence[Claimed]) -> list[Slot]:
        """Where those are to be put that are not there as they are claimed. Raises BlobCorruptError when the claim
        contradicts what is there, and what is there is right."""
        ...

    async def confirm(self, claims: Sequence[Claimed]) -> list[Digest]:
        """Take for stored those that are where `missing` said; the others are the answer. Raises SweptError."""
        ...

    async def urls(self, digests: Collection[Digest]) -> list[BlobUrl]:
        """Where those are got from that are stored."""
        ...

    async def unstored(self, blobs: Mapping[Digest, int]) -> set[Digest]:
        """Those of `blobs` that no manifest may name, for they are not stored, or have not that many bytes."""
        ...

    async def get(self, digest: Digest) -> Buffer:
        """The whole blob, as it is: who gets it verifies it. Raises BlobMissingError."""
        ...

    async def put(self, digest: Digest, data: Buffer) -> None:
        """Keep the blob, verified before anything is; raises BlobCorruptError."""
        ...

    async def complaint(self, digest: Digest) -> bool:
        """Look whether the blob is corrupt, and remove it if it is; whether it was. One that is not there is not."""
        ...
