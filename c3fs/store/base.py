"""The one protocol behind which blobs are kept, and the one that gc needs besides."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

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

    async def missing(self, blobs: Mapping[Digest, Buffer]) -> set[Digest]:
        """Those of `blobs` the store does not have. A store that has not seen what was put under a digest compares
        the bytes."""
        ...


SHELVES: Final = 256
"""A shelf holds the blobs whose digests begin with the same byte."""


class StoredBlob(NamedTuple):
    """A blob that a store keeps: its bytes there, and when it was put, in seconds since 1970."""

    digest: Digest
    size: int
    modified: float


@dataclass(frozen=True, slots=True)
class Shelf:
    """What is on one shelf. `foreign` counts things that no store has put there; they are left alone."""

    blobs: list[StoredBlob]
    foreign: int = 0


@dataclass(frozen=True, slots=True)
class Deleted:
    """Blobs that were deleted, and the bytes they had."""

    blobs: int
    bytes: int


STALE: Final = 3600.0
"""Seconds after which a half-written blob has no writer any more: a put that is alive takes seconds."""


class SweepableStore(Protocol):
    """A store as gc sees it. Readers and publishers need none of it.

    Every method may raise StoreUnavailableError (retryable) or StoreRefusedError (permanent).
    """

    async def shelf(self, prefix: int) -> Shelf:
        """What is on the shelf of the digests whose first byte is `prefix`. Blobs that are damaged or empty are
        listed like all others; of those that come or go meanwhile nothing is promised."""
        ...

    async def delete(self, digests: Collection[Digest], allowed: Callable[[], bool]) -> Deleted:
        """Delete those of `digests` that are there, in any order, as long as `allowed` (called from any thread, at any
        time during the call) says so; none is deleted long after it was asked.

        What a store answers to `missing` or `put` when the call has ended, be it by cancelling, is not undone by what
        the call has begun. A store that cannot tell raises DeletionUnansweredError, also instead of ending by
        cancelling: then that holds for what it answers some seconds later.
        """
        ...

    async def sweep_temporary(self, older_than_s: float) -> int:
        """Remove what killed writers left half-written, if nobody has written to it for that long, and return how many
        that were. A put that is alive takes seconds: an hour is safe."""
        ...
