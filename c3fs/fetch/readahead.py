"""Readahead decides what to fetch before it is asked for; it does nothing itself.

One `Window` per open file handle. A stream, that is reads that follow each other, doubles the window from 4 MiB
up to WINDOW_MAX; a read elsewhere closes it. The kernel's own readahead sends requests slightly out of order and
several at once, so a read counts as following when it begins within SLACK of where the stream has got to.
"""

from __future__ import annotations

from typing import Final

WINDOW_MIN: Final = 4 << 20
WINDOW_MAX: Final = 16 << 20
"""Bytes. Fetched blobs wait in memory to be committed; 16 MiB keeps a mount under 150 MiB."""
SLACK: Final = 2 << 20
"""Bytes: two of the kernel's requests of 1 MiB, the largest it sends."""
STREAK: Final = 2
"""Following reads that make a stream: the first read of a file may be the only one."""


class Window:
    __slots__ = ("_ahead", "_next", "_size", "_streak")

    def __init__(self) -> None:
        self._next = 0
        self._streak = 0
        self._size = 0
        self._ahead = 0

    def __repr__(self) -> str:
        return f"<Window at {self._next}, {self._size >> 20} MiB, asked up to {self._ahead}>"

    def advise(self, offset: int, size: int, known: int) -> tuple[int, int] | None:
        """Note a read of `size` bytes at `offset`; the range (from, to) to prefetch now, if any. Nothing from `known`
        on is asked for: the spans there are not known yet, or the file ends."""
        end = offset + size
        if not self._next - SLACK <= offset <= self._next + SLACK:
            self._next, self._streak, self._size, self._ahead = end, 0, 0, end
            return None
        self._next = max(self._next, end)
        self._streak += 1
        if self._streak < STREAK:
            return None
        if self._ahead - self._next > self._size // 2:
            return None
        self._size = min(max(self._size * 2, WINDOW_MIN), WINDOW_MAX)
        begin = max(self._ahead, self._next)
        self._ahead = max(self._ahead, min(self._next + self._size, known))
        return (begin, self._ahead) if begin < self._ahead else None
