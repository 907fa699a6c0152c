"""Cuts a large file into chunks by content, around its holes.

FastCDC, by the library of that name (PyPI `fastcdc`, its Cython half: 1.5-1.9 GB/s). Its cuts are what makes two
versions of a file share chunks, so they never change: tests/unit/publish/test_chunk.py holds some of them fast.

Files are read in windows (never mapped: a file that is truncated meanwhile would be SIGBUS). A cut that the library
finds before the end of the window is the same whatever comes after it, and so is one at CHUNK_MAX; one at the window's
end is not decided: the next window begins there. Reading those bytes again (0.9 MiB of 16 on the average, from the page
cache) costs less than moving them, and lets every chunk be a view into its window: nothing is copied.
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
WINDOW: Final = 16 << 20
"""Bytes read at a time. 8 MiB: a tenth slower, for what is read twice; 32 MiB: a third slower, for pages newly mapped
each time (glibc keeps no block that large)."""


class Segment(NamedTuple):
    """A stretch of a file, all data or all hole."""

    offset: int
    size: int
    hole: bool


def segments(descriptor: int, size: int) -> Iterator[Segment]:
    """Data and holes of the file, in order, end to end; one segment where the file system knows of no holes."""
    start = at = 0
    while at < size:
        hole = _seek(descriptor, at, os.SEEK_HOLE, size)
        data = _seek(descriptor, hole, os.SEEK_DATA, size)
        if data - hole >= HOLE_MIN:
            if hole > start:
                yield Segment(start, hole - start, hole=False)
            yield Segment(hole, data - hole, hole=True)
            start = data
        at = max(data, at + 1)
    if start < size:
        yield Segment(start, size - start, hole=False)


def _seek(descriptor: int, at: int, whence: int, size: int) -> int:
    """The next hole or data at or after `at`, or `size` when there is none."""
    try:
        return min(os.lseek(descriptor, at, whence), size)
    except OSError as error:
        # ENXIO: nothing more up to the end, or the file has become shorter. EINVAL: knows no holes.
        if error.errno in (errno.ENXIO, errno.EINVAL):
            return size
        raise


def chunks(descriptor: int, offset: int, size: int) -> Iterator[memoryview]:
    """The chunks of a stretch of data; each keeps the window in memory that it lies in. A file that has become shorter
    gives fewer bytes: the caller compares."""
    end = offset + size
    while offset < end:
        window = memoryview(os.pread(descriptor, min(WINDOW, end - offset), offset))
        last = offset + len(window) == end
        used = 0
        for length in _cut(window):
            if used + length == len(window) and length < CHUNK_MAX and not last:
                break
            yield window[used : used + length]
            used += length
        if not used:
            return
        offset += used


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
