"""Which span holds which byte of a file: prefix sums and bisect, lazily for files of very many spans."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from c3fs.core.digest import Digest
from c3fs.core.span import Span
from c3fs.core.spanlist import SpanIndex, SpanLeaf, decode_span_node
from c3fs.core.wirespan import unwire
from c3fs.errors import InvalidFormatError
from c3fs.fetch.base import SpanReader

LEVELS_MAX: Final = 4
"""Indexes above a leaf of a span list. Three address 10**9 spans or more; a deeper list is hostile."""


class SpanMap:
    """Spans that lie end to end from `start` on. Immutable."""

    __slots__ = ("end", "spans", "start", "starts")

    def __init__(self, spans: Sequence[Span], start: int = 0) -> None:
        *starts, end = accumulate((span.size for span in spans), initial=start)
        self.spans = spans
        self.start = start
        self.starts = starts
        self.end = end

    def pieces(self, offset: int, size: int) -> list[Span]:
        """The spans, the first and last cut to fit, that hold `size` bytes at `offset`, as far as they go."""
        pieces: list[Span] = []
        at = bisect_right(self.starts, offset) - 1
        while size > 0 and at < len(self.spans):
            span = self.spans[at]
            skip = offset - self.starts[at]
            take = min(span.size - skip, size)
            pieces.append(Span(span.blob, span.offset + skip if span.blob is not None else 0, take))
            offset += take
            size -= take
            at += 1
        return pieces

    def blobs(self, offset: int, end: int) -> list[Digest]:
        """The blobs that hold the bytes from `offset` up to `end`, in order."""
        first = max(bisect_right(self.starts, offset) - 1, 0)
        last = bisect_right(self.starts, end - 1)
        return [span.blob for span in self.spans[first:last] if span.blob is not None]


class LongSpanMap:
    """The spans of a long file: keeps the way down to the part read last, and decodes no other.

    `decoded` counts the nodes it has decoded.
    """

    def __init__(self, reader: SpanReader, span: Span, size: int) -> None:
        self._reader = reader
        self._size = size
        self._root = span
        self._indexes: list[tuple[int, SpanIndex]] = []
        self._leaf: SpanMap | None = None
        self.decoded = 0

    async def part(self, offset: int) -> SpanMap:
        """The leaf that holds the byte at `offset`; raises what `read_span` does, and InvalidFormatError."""
        leaf = self._leaf
        if leaf is not None and leaf.start <= offset < leaf.end:
            return leaf
        start, size, span = 0, self._size, self._root
        for level in range(LEVELS_MAX + 1):
            node = await self._node(level, start, size, span)
            if isinstance(node, SpanLeaf):
                self._leaf = SpanMap([unwire(node.blobs, wire, span.blob) for wire in node.spans], start)
                return self._leaf
            starts = list(accumulate((row.size for row in node.rows), initial=start))
            at = bisect_right(starts, offset, hi=len(node.rows)) - 1
            row = node.rows[at]
            start, size, span = starts[at], row.size, unwire(node.blobs, row.span, span.blob)
        raise InvalidFormatError("span list", f"deeper than {LEVELS_MAX} indexes")

    async def _node(self, level: int, start: int, size: int, span: Span) -> SpanIndex | SpanLeaf:
        if level < len(self._indexes) and self._indexes[level][0] == start:
            return self._indexes[level][1]
        node = decode_span_node(await self._reader.read_span(span), size)
        self.decoded += 1
        if isinstance(node, SpanIndex) and level <= len(self._indexes):  # else another read has gone elsewhere
            self._indexes[level:] = [(start, node)]
        return node
