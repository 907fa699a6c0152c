"""The last blobs fetched, in memory: what serves when the cache may not or cannot keep them."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from c3fs.core.digest import Buffer, Digest

RECENT_MAX: Final = 16 << 20
"""Bytes: four of the largest blobs, and a tenth of the memory a mount may use."""


class Recent:
    """A least-recently-used set of blobs of at most `limit` bytes together."""

    def __init__(self, limit: int = RECENT_MAX) -> None:
        self._limit = limit
        self._bytes = 0
        self._blobs: OrderedDict[Digest, Buffer] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Recent {len(self._blobs)} blobs, {self._bytes >> 20} of {self._limit >> 20} MiB>"

    def get(self, digest: Digest) -> Buffer | None:
        data = self._blobs.get(digest)
        if data is not None:
            self._blobs.move_to_end(digest)
        return data

    def put(self, digest: Digest, data: Buffer) -> None:
        if digest in self._blobs or len(data) > self._limit:
            return
        self._blobs[digest] = data
        self._bytes += len(data)
        while self._bytes > self._limit:
            _, old = self._blobs.popitem(last=False)
            self._bytes -= len(old)
