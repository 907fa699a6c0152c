"""Cuts a large file into chunks by content, around its holes.

FastCDC, by the library of that name (PyPI `fastcdc`, its Cython half: 1.5-1.9 GB/s). Its cuts are part of format 1:
tests/unit/publish/test_chunk.py holds some of them fast. A cut depends on at most CHUNK_MAX bytes from where the chunk
begins, so a window of a few chunks gives the same cuts as the whole file would.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, Protocol, cast

import fastcdc.fastcdc_cy  # pyright: ignore[reportMissingTypeStubs, reportMissingImports]

from c3fs.core.span import BLOB_MAX

CHUNK_MIN: Final = 512 << 10
CHUNK_AVERAGE: Final = 2 << 20
CHUNK_MAX: Final = BLOB_MAX
LARGE: Final = CHUNK_MIN
"""Bytes from which a file is cut into chunks of its own; smaller ones go into packs."""
HOLE_MIN: Final = CHUNK_MIN
"""Bytes of a hole that is kept as one; a shorter one is read as zeros: chunks between holes would be tiny."""
WINDOW: Final = 4 * CHUNK_MAX
"""Bytes read ahead of the cuts: the last quarter of a window is cut in the next one."""


class Segment(NamedTuple):
    """A stretch of a file, all data or all hole."""

    offset: int
    size: int
    hole: bool


def segments(descriptor: int, size: int) -> list[Segment]:
    """Data and holes of the file, in order, end to end; one segment where the file system knows of no holes."""
    found: list[Segment] = []
    at = 0
    while at < size:
        data = _next_data(descriptor, at, size)
        if data - at >= HOLE_MIN or (data == size and data > at):
            found.append(Segment(at, data - at, hole=True))
            at = data
            continue
        end = data
        while end < size:
            end = os.lseek(descriptor, end, os.SEEK_HOLE)
            data = _next_data(descriptor, end, size)
            if data - end >= HOLE_MIN or data == size:
                break
            end = data
        end = min(end, size)
        found.append(Segment(at, end - at, hole=False))
        at = end
    return found


def _next_data(descriptor: int, at: int, size: int) -> int:
    try:
        return min(os.lseek(descriptor, at, os.SEEK_DATA), size)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return size
        if error.errno == errno.EINVAL:
            return at
        raise


class Cutter:
    """Cuts stretches of files, with one buffer for all of them. Not for two threads at once."""

    def __init__(self) -> None:
        self._buffer = memoryview(bytearray(WINDOW))

    def chunks(self, descriptor: int, offset: int, size: int) -> Iterator[memoryview]:
        """The chunks of the stretch, each valid until the next is asked for. A file that has become shorter gives
        fewer bytes: the caller compares."""
        filled = 0
        left = size
        while left or filled:
            while left and filled < WINDOW:
                got = os.preadv(descriptor, [self._buffer[filled : min(WINDOW, filled + left)]], offset)
                if not got:
                    left = 0
                filled += got
                offset += got
                left -= got
            used = 0
            for length in _cut(self._buffer[:filled]):
                if left and filled - used < CHUNK_MAX:
                    break
                yield self._buffer[used : used + length]
                used += length
            self._buffer[: filled - used] = self._buffer[used:filled]
            filled -= used


def _cut(window: memoryview) -> Iterator[int]:
    """The lengths of the chunks; each is found when it is asked for."""
    return (found.length for found in _fastcdc(window, CHUNK_MIN, CHUNK_AVERAGE, CHUNK_MAX))


class _Cut(Protocol):
    """What the library, which has no types, says of one chunk."""

    length: int


_fastcdc = cast(
    Callable[[memoryview, int, int, int], Iterator[_Cut]],
    fastcdc.fastcdc_cy.fastcdc_cy,  # pyright: ignore[reportUnknownMemberType] - it has no types
)
