"""The body of a request as httpx sends it.

httpx iterates over bodies with asynchronous generators and leaves them to the garbage collector when sending one ends
early: then trio warns, for a generator that is collected may want to do what it cannot do any more. This iterator wants
nothing. It is made anew for each request, and gives the body in pieces, for a send of megabytes is copied whole.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from c3fs.core.digest import Buffer

if TYPE_CHECKING:
    import httpx

PIECE: Final = 1 << 16


class _Pieces:
    def __init__(self, data: Buffer) -> None:
        self._data = memoryview(data)
        self._at = 0

    def __aiter__(self) -> _Pieces:
        return self

    async def __anext__(self) -> bytes:
        piece = bytes(self._data[self._at : self._at + PIECE])
        if not piece:
            raise StopAsyncIteration
        self._at += len(piece)
        return piece


def body_of(data: Buffer) -> httpx.AsyncByteStream:
    import httpx

    class Body(httpx.AsyncByteStream):
        def __aiter__(self) -> AsyncIterator[bytes]:
            return _Pieces(data)

    return Body()
