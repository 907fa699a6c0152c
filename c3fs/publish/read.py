"""Reads one file as it was at one moment: into memory when it is small, chunk by chunk when it is large."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import Final, NamedTuple

from c3fs.core.digest import Buffer, Digest, Hasher
from c3fs.core.span import FILE_MAX, Span
from c3fs.publish.chunk import LARGE, chunks, segments

_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
"""NONBLOCK: a fifo that has taken a file's place must not wait for its writer."""
_ZEROS: Final = bytes(1 << 20)

Tick = Callable[[int], None]
"""Told of bytes that were read, every few MiB; may raise to end the work (trio.Cancelled does)."""


class Content(NamedTuple):
    """What was read: the bytes of a small file (`data`), or the spans of a large one."""

    mode: int
    mtime_ns: int
    size: int
    digest: Digest
    data: bytes
    spans: list[Span]


class FileReader:
    """Gives the chunks of large files to `emit` as it goes, those of a file that then turns out to have changed too."""

    def __init__(self, emit: Callable[[Digest, Buffer], None], tick: Tick) -> None:
        self._emit = emit
        self._tick = tick

    def read(self, directory: int, name: bytes) -> Content | None:
        """The file's content; None if it changed while it was read, or is no regular file. Raises OSError.

        It is the same at the end as at the beginning when size, mtime and ctime are: ctime moves with every write,
        truncation and change of links, and nobody can set it.
        """
        descriptor = os.open(name, _READ, dir_fd=directory)
        try:
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                return None
            read = self._large if before.st_size >= LARGE else self._small
            content = read(descriptor, before)
            return content if _stamp(before) == _stamp(os.fstat(descriptor)) else None
        finally:
            os.close(descriptor)

    def _small(self, descriptor: int, about: os.stat_result) -> Content | None:
        size = about.st_size
        data = os.read(descriptor, size + 1)
        self._tick(len(data))
        if len(data) != size:
            return None
        return Content(stat.S_IMODE(about.st_mode), mtime_of(about), size, Digest.of(data), data, [])

    def _large(self, descriptor: int, about: os.stat_result) -> Content | None:
        hasher = Hasher()
        spans: list[Span] = []
        for segment in segments(descriptor, about.st_size):
            if segment.hole:
                spans.append(Span(None, 0, segment.size))
                self._hash_zeros(hasher, segment.size)
                continue
            for chunk in chunks(descriptor, segment.offset, segment.size):
                hasher.update(chunk)
                digest = Digest.of(chunk)
                spans.append(Span(digest, 0, len(chunk)))
                self._emit(digest, chunk)
                self._tick(len(chunk))
        if sum(span.size for span in spans) != about.st_size:
            return None
        return Content(
            stat.S_IMODE(about.st_mode), mtime_of(about), about.st_size, hasher.digest(), b"", spans
        )  # fmt: skip

    def _hash_zeros(self, hasher: Hasher, size: int) -> None:
        """Eight GB/s, and no shorter way: BLAKE3 numbers the KiBs of its input, so no two stretches are alike."""
        zeros = memoryview(_ZEROS)
        while size:
            step = min(size, len(zeros))
            hasher.update(zeros[:step])
            self._tick(step)
            size -= step


def mtime_of(about: os.stat_result) -> int:
    """Nanoseconds, within what the format can say: up to 2262. Some file systems keep times of the year 292 billion."""
    return max(-FILE_MAX, min(FILE_MAX, about.st_mtime_ns))


def _stamp(about: os.stat_result) -> tuple[int, int, int]:
    return about.st_size, about.st_mtime_ns, about.st_ctime_ns
