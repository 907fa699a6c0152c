"""Takes no job that the disk has no room for: an agent with a full one would fail all that are queued, one a moment."""

from __future__ import annotations

import os
from typing import Final

from c3fs.agent.taking import Queue, Taken
from c3fs.core.sizes import format_size
from c3fs.errors import ExecutionError

ROOM_MIN: Final = 64 << 20
"""Bytes without which none is begun; what a job needs nobody knows before."""


class Roomy:
    """A queue that is not asked while there is less than that at `directory`. Behind taking.Queue."""

    def __init__(self, inner: Queue, directory: str, least: int = ROOM_MIN) -> None:
        self._inner = inner
        self._directory = directory
        self._least = least

    def __repr__(self) -> str:
        return f"<Roomy {self._inner!r}, {self._directory}>"

    async def take(self, attempt: str, wait: float) -> Taken | None:
        """Raises ExecutionError too. One statvfs, inline."""
        there = os.statvfs(self._directory)
        free = there.f_bavail * there.f_frsize
        if free < self._least:
            raise ExecutionError(
                f"{self._directory} has {format_size(free)} left, and a job is begun with {format_size(self._least)} "
                "at least; a shorter --keep removes sooner what failed jobs have left there"
            )
        return await self._inner.take(attempt, wait)
