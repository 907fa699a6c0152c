"""Blobs and stores a test can steer: seeded bytes, and stores that wait or fail when told to."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from typing import Final

import trio

from c3fs.core.digest import Buffer, Digest
from c3fs.core.span import Span
from c3fs.errors import BlobMissingError, C3Error

_PIECE: Final = 64 << 20
"""Bytes: Random.randbytes goes through one integer, which has fewer than 2**31 bits."""


def seeded(seed: int, size: int) -> bytes:
    """`size` bytes that are always the same for the same seed."""
    source = random.Random(seed)
    return b"".join(source.randbytes(min(_PIECE, size - at)) for at in range(0, size, _PIECE))


class DictCache:
    """The cache's protocol over a dict; `refuse` makes it forget everything at once, as a broken one does."""

    def __init__(self, *, refuse: bool = False) -> None:
        self.blobs: dict[Digest, bytes] = {}
        self.refuse = refuse

    def get(self, digest: Digest) -> memoryview | None:
        data = self.blobs.get(digest)
        return None if data is None else memoryview(data)

    def contains(self, digest: Digest) -> bool:
        return digest in self.blobs

    def put(self, digest: Digest, data: Buffer) -> None:
        if not self.refuse:
            self.blobs[digest] = bytes(data)


class SteeredStore:
    """A store in memory. Each get takes the next of `faults` and raises it, if there is one; while `gate` is an
    event, gets wait for it. `gets` counts them by digest."""

    def __init__(self) -> None:
        self.blobs: dict[Digest, bytes] = {}
        self.gets: Counter[Digest] = Counter()
        self.faults: list[C3Error] = []
        self.gate: trio.Event | None = None

    def add(self, data: bytes) -> Digest:
        digest = Digest.of(data)
        self.blobs[digest] = data
        return digest

    def span(self, data: bytes) -> Span:
        return Span(self.add(data), 0, len(data))

    async def get(self, digest: Digest) -> Buffer:
        self.gets[digest] += 1
        await trio.lowlevel.checkpoint()
        if self.gate is not None:
            await self.gate.wait()
        if self.faults:
            raise self.faults.pop(0)
        if digest not in self.blobs:
            raise BlobMissingError(str(digest))
        return self.blobs[digest]

    async def put(self, digest: Digest, data: Buffer) -> None:
        await trio.lowlevel.checkpoint()
        self.blobs[digest] = bytes(data)

    async def missing(self, blobs: Mapping[Digest, Buffer]) -> set[Digest]:
        await trio.lowlevel.checkpoint()
        return {digest for digest in blobs if digest not in self.blobs}
