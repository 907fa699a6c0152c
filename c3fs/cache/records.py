"""What one write transaction does to the records, and the totals it keeps."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import lmdb

from c3fs.cache.environment import PAGE, Environment
from c3fs.core.digest import Buffer, Digest

_TIME = struct.Struct(">I")
_ENTRY = struct.Struct(">II")
_TOTALS = struct.Struct(">QQ")
_NODE: Final = 16
"""Bytes LMDB puts before a large value (mdb.c, PAGEHDRSZ)."""
_RESERVE_MIN: Final = 64 << 20
MINUTE: Final = 60


@dataclass(slots=True)
class Totals:
    """Blobs, and the bytes of whole pages they take."""

    blobs: int
    bytes: int


def budget(cap: int) -> int:
    """Bytes of records a file of `cap` bytes may hold: an eighth, and 64 MiB at least (half of a small cap), stays
    free for the pages of the batch before, the free list and runs that fit no blob."""
    return cap - max(cap // 8, min(cap // 2, _RESERVE_MIN))


def pages(size: int) -> int:
    """Bytes of whole pages a value of `size` bytes takes."""
    return (size + _NODE + PAGE - 1) // PAGE * PAGE


class Records:
    """The records under one write transaction; `save` before it is committed."""

    def __init__(self, environment: Environment, txn: lmdb.Transaction[bytes]) -> None:
        self._environment = environment
        self._txn = txn
        self.totals = read_totals(environment, txn)

    def put(self, digest: Digest, data: Buffer, now: int) -> None:
        """Keep a blob, unless another process was first."""
        if self._txn.get(digest, db=self._environment.index) is not None:
            return
        self._txn.put(digest, data, db=self._environment.blobs)
        self._txn.put(digest, _ENTRY.pack(len(data), now), db=self._environment.index)
        self._txn.put(_TIME.pack(now) + digest, b"", db=self._environment.order)
        self.totals.blobs += 1
        self.totals.bytes += pages(len(data))

    def touch(self, digest: Digest, now: int) -> None:
        found = self._txn.get(digest, db=self._environment.index)
        if found is None:
            return
        size, before = _ENTRY.unpack(found)
        if now - before < MINUTE:
            return
        self._txn.delete(_TIME.pack(before) + digest, db=self._environment.order)
        self._txn.put(_TIME.pack(now) + digest, b"", db=self._environment.order)
        self._txn.put(digest, _ENTRY.pack(size, now), db=self._environment.index)

    def drop(self, digest: Digest) -> None:
        self._txn.delete(digest, db=self._environment.blobs)
        found = self._txn.get(digest, db=self._environment.index)
        if found is None:
            return
        size, used = _ENTRY.unpack(found)
        self._txn.delete(_TIME.pack(used) + digest, db=self._environment.order)
        self._txn.delete(digest, db=self._environment.index)
        self.totals.blobs -= 1
        self.totals.bytes -= pages(size)

    def evict(self, room: int, limit: int) -> int:
        """Drop what was used longest ago until `room` more bytes stay under `limit`; how many were dropped."""
        dropped = 0
        while self.totals.bytes + room > limit:
            with self._txn.cursor(db=self._environment.order) as cursor:
                if not cursor.first():
                    break
                oldest = Digest(cursor.key()[_TIME.size :])
            self.drop(oldest)
            dropped += 1
        return dropped

    def save(self) -> None:
        self._txn.put(b"totals", _TOTALS.pack(self.totals.blobs, self.totals.bytes), db=self._environment.info)


def read_stats(environment: Environment) -> tuple[int, int]:
    """Blobs and bytes, for people; nothing where they cannot be had now."""
    try:
        with environment.handle.begin() as txn:
            totals = read_totals(environment, txn)
    except (lmdb.Error, struct.error):
        return 0, 0
    return totals.blobs, totals.bytes


def read_totals(environment: Environment, txn: lmdb.Transaction[bytes]) -> Totals:
    found = txn.get(b"totals", db=environment.info)
    return Totals(*_TOTALS.unpack(found)) if found else Totals(0, 0)


def missing_of(environment: Environment, puts: Mapping[Digest, Buffer]) -> Iterable[Digest]:
    """Those of `puts` that nobody has put meanwhile."""
    with environment.handle.begin(db=environment.index) as txn:
        return [digest for digest in puts if txn.get(digest) is None]
