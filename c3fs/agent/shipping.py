"""Sends a job's log on while it is written, to where people read it."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import trio

from c3fs.errors import AccessError, C3Error, JobNotFoundError, LogOffsetError

LOOK_EVERY: Final = 0.25
"""Seconds between looks at the file: soon enough for people."""
PIECE: Final = 1 << 18
"""Bytes sent at a time."""
FINISH_WITHIN: Final = 300.0
"""Seconds for the last lines of a job that is about to end: they too wait for a control plane that is away."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """How many bytes have arrived, and whether no more are taken."""

    end: int
    full: bool = False


Append = Callable[[int, bytes], Awaitable[Shipped]]
"""Appends a piece that begins at this offset. The same piece again is no error; raises LogOffsetError for one that
begins beyond the end."""


class LogShipper:
    """One job's log. What was sent, and not heard of, is sent again."""

    def __init__(self, path: str, append: Append) -> None:
        self._path = path
        self._append = append
        self._offset = 0
        self._done: bool = False
        self._turn = trio.Lock()

    def __repr__(self) -> str:
        return f"<LogShipper {self._path}: {self._offset} bytes sent>"

    async def run(self) -> None:
        """Send what is written, until cancelled, or nobody takes it any more."""
        while not self._done:
            await self._send_all()
            await trio.sleep(LOOK_EVERY)

    async def finish(self) -> None:
        """Send the rest, within FINISH_WITHIN. To be called when all has been written."""
        with trio.move_on_after(FINISH_WITHIN):
            while True:
                if await self._send_all():
                    return
                await trio.sleep(LOOK_EVERY)

    async def _send_all(self) -> bool:
        """Whether there is nothing left that anybody takes."""
        async with self._turn:
            while not self._done and (piece := self._read()):
                try:
                    shipped = await self._append(self._offset, piece)
                except LogOffsetError as error:
                    self._offset = error.end
                except (AccessError, JobNotFoundError):  # the job has ended for everybody else
                    self._done = True
                except C3Error:
                    return False  # the lease's keeper tells of it, and the next turn tries again
                else:
                    self._offset, self._done = shipped.end, shipped.full
        return True

    def _read(self) -> bytes:
        """Inline: what was just written is in memory, and a thread costs more than reading it."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return b""
        try:
            return os.pread(descriptor, PIECE, self._offset)
        finally:
            os.close(descriptor)
