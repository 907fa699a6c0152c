"""Reads a file: the hot path between the vfs and the cache."""

from __future__ import annotations

from c3fs.core.digest import Buffer
from c3fs.core.span import Span
from c3fs.fetch.fetcher import Fetcher, cut
from c3fs.fetch.prefetcher import Prefetcher
from c3fs.fetch.readahead import Window
from c3fs.fetch.spanmap import LongSpanMap, SpanMap


class FileReader:
    """One open handle on one file of `size` bytes. Any number of reads may be under way at once."""

    __slots__ = ("_fetcher", "_map", "_prefetcher", "_window", "size")

    def __init__(
        self, fetcher: Fetcher, prefetcher: Prefetcher | None, spans: SpanMap | LongSpanMap, size: int
    ) -> None:
        self._fetcher = fetcher
        self._prefetcher = prefetcher
        self._map = spans
        self._window = Window()
        self.size = size

    async def read_at(self, offset: int, size: int) -> Buffer:
        """The bytes at `offset`, `size` of them or as many as the file has there.

        The buffer is only valid until the caller's next suspension. Raises what `Fetcher.blob` does, and
        InvalidFormatError.
        """
        size = min(size, self.size - offset)
        if size <= 0:
            return b""
        part = self._map if isinstance(self._map, SpanMap) else await self._map.part(offset)
        if self._prefetcher is not None:
            self._read_ahead(self._prefetcher, part, offset, size)
        pieces = part.pieces(offset, size)
        if len(pieces) == 1 and part.end >= offset + size:
            return await self._piece(pieces[0])
        return await self._gather(part, offset, size)

    async def _piece(self, piece: Span) -> Buffer:
        if piece.blob is None:
            return bytes(piece.size)
        data = self._fetcher.cached(piece.blob)
        if data is None:
            data = await self._fetcher.blob(piece.blob)
        return cut(data, piece.blob, piece.offset, piece.size)

    async def _gather(self, part: SpanMap, offset: int, size: int) -> Buffer:
        """Several spans in one buffer: a view does not outlive the suspension that fetches the next."""
        gathered = bytearray(size)
        filled = 0
        while True:
            for piece in part.pieces(offset + filled, size - filled):
                if piece.blob is not None:
                    gathered[filled : filled + piece.size] = await self._piece(piece)
                filled += piece.size
            if filled == size:
                return gathered
            assert isinstance(self._map, LongSpanMap)
            part = await self._map.part(offset + filled)

    def _read_ahead(self, prefetcher: Prefetcher, part: SpanMap, offset: int, size: int) -> None:
        wanted = self._window.advise(offset, size, part.end)
        if wanted is not None:
            prefetcher.want(part.blobs(*wanted))
