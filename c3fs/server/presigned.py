"""Blobs in S3, an object a blob at `ab/<digest>.<sha256>`: got by presigned URL, and put, if S3 compares checksums.

Why this is safe is told in the package's notes. A blob is there when the deposits have a row for it, which is made
after the object has been looked at: its key says which SHA-256 S3 has compared its bytes with, its size is what was
claimed. Where S3 does not compare, blobs are put through the control plane, which verifies them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from typing import Final, Protocol

import anyio
import anyio.to_thread

from c3fs.api.messages import BlobUrl, Slot
from c3fs.core.digest import Buffer, Digest
from c3fs.errors import BlobCorruptError, BlobMissingError, InvalidRequestError, StoreUnavailableError
from c3fs.registry.control import Claim
from c3fs.registry.deposits import Deposits
from c3fs.server.gateway import Claimed
from c3fs.server.objects import Objects
from c3fs.server.settling import Settling

_UNKNOWN: Final = "(another one: the right bytes are stored)"


class Signer(Protocol):
    """Says where blobs are got and put. See c3fs.server.signing."""

    def get_url(self, digest: Digest, sha256: bytes) -> BlobUrl: ...

    def put_slot(self, digest: Digest, sha256: bytes, size: int) -> Slot:
        """Raises StoreUnavailableError as long as it is not known what S3 does with checksums."""
        ...


class Presigned:
    """Behind c3fs.server.gateway.Gateway, for one account."""

    def __init__(
        self,
        objects: Objects,
        signer: Signer,
        deposits: Deposits,
        settled_at_once: anyio.CapacityLimiter,
    ) -> None:
        self._objects = objects
        self._signer = signer
        self._deposits = deposits
        self._settling = Settling(objects, deposits, settled_at_once)

    def __repr__(self) -> str:
        return f"Presigned({self._objects!r}, {self._signer!r})"

    async def missing(self, claims: Sequence[Claimed]) -> list[Slot]:
        rows = _rows(claims)
        await self._settle(await self._deposits.disputed(rows))
        present = await self._deposits.present(rows)
        return [self._signer.put_slot(digest, sha, size) for digest, size, sha in rows if digest not in present]

    async def confirm(self, claims: Sequence[Claimed]) -> list[Digest]:
        rows = _rows(claims)
        # Before the objects are looked at: what a sweep condemns afterwards is refused.
        mark = await self._deposits.mark()
        present = await self._deposits.present(rows)
        asked = [row for row in rows if row[0] not in present]
        found = await self._objects.have(asked)
        there = [row for row, is_there in zip(asked, found, strict=True) if is_there]
        noted = await self._note(there, mark)
        return sorted({digest for digest, _, _ in asked} - noted)

    async def urls(self, digests: Collection[Digest]) -> list[BlobUrl]:
        stored = await self._deposits.sha256_of(digests)
        return [self._signer.get_url(digest, checksum) for digest, checksum in sorted(stored.items())]

    async def unstored(self, blobs: Mapping[Digest, int]) -> set[Digest]:
        return await self._deposits.unconfirmed(blobs)

    async def get(self, digest: Digest) -> Buffer:
        """For who cannot reach S3."""
        stored = await self._deposits.sha256_of([digest])
        if digest not in stored:
            raise BlobMissingError(str(digest))
        return await self._objects.read(digest, stored[digest])

    async def put(self, digest: Digest, data: Buffer) -> None:
        actual, checksum = await anyio.to_thread.run_sync(lambda: (Digest.of(data), sha256(data).digest()))
        if actual != digest:
            raise BlobCorruptError(str(digest), str(actual))
        mark = await self._deposits.mark()
        await self._objects.write(digest, checksum, data)
        if not await self._note([(digest, len(data), checksum)], mark):
            raise StoreUnavailableError(f"somebody puts other bytes for {digest} at the same time")

    async def complaint(self, digest: Digest) -> bool:
        stored = await self._deposits.sha256_of([digest])
        return digest in stored and await self._settling.removed(digest, stored[digest])

    async def _note(self, rows: list[Claim], mark: int) -> set[Digest]:
        """Rows for what has been seen in the store; a liar's row there instead goes first. Those that have theirs: not
        what a liar, who confirms without end, has got at once again."""
        noted = await self._deposits.confirm(rows, mark=mark)
        contradicted = [row for row in rows if row[0] not in noted]
        if contradicted:
            await self._settle(await self._deposits.disputed(contradicted))
            noted |= await self._deposits.confirm(contradicted, mark=mark)
        return noted

    async def _settle(self, disputed: dict[Digest, bytes]) -> None:
        """Raises BlobCorruptError for the first that is right as it is, and was claimed to be something else: whoever
        claims nonsense has one blob read."""
        for digest, checksum in disputed.items():
            if not await self._settling.removed(digest, checksum):
                raise BlobCorruptError(str(digest), _UNKNOWN)


def _rows(claims: Sequence[Claimed]) -> list[Claim]:
    """Each digest once; raises InvalidRequestError if one is claimed to be two things."""
    rows = {claim.digest: (claim.digest, claim.size, claim.sha256) for claim in claims}
    for claim in claims:
        if rows[claim.digest] != (claim.digest, claim.size, claim.sha256):
            raise InvalidRequestError(f"{claim.digest} is claimed twice, with different bytes")
    return list(rows.values())
