"""A job's log, live: what the job has written, and what it writes until it ends."""

from __future__ import annotations

import os
from typing import Final

import trio

from c3fs.cli import output
from c3fs.cli.lost import mark_if_lost
from c3fs.core.job import FINAL
from c3fs.registry.base import Job, Registry

LOOK_EVERY: Final = 0.1
"""Seconds between looks at the log and the job: soon enough to seem at once, and a millisecond of work each."""
_PIECE: Final = 1 << 16


class LogReader:
    """The log from its beginning, or from `offset` bytes on, wherever its end is by now. There may be none yet."""

    def __init__(self, path: str, offset: int = 0) -> None:
        self._path = path
        self._offset = offset
        self._descriptor: int | None = None

    def __enter__(self) -> LogReader:
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)

    def read(self) -> bytes:
        """What comes next, if there is anything."""
        if self._descriptor is None:
            try:
                self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return b""
        data = os.pread(self._descriptor, _PIECE, self._offset)
        self._offset += len(data)
        return data


async def follow(registry: Registry, job: Job, path: str, descriptor: int, offset: int = 0) -> Job:
    """Copy the log at `path`, from `offset` on, to `descriptor` until the job has ended; the job as it is then.

    The state is asked before the log is read: what was written before the job ended is read after that. A job whose
    agent dies meanwhile is marked lost, which is its end.
    """
    output.flush()
    with LogReader(path, offset) as log:
        while True:
            job = await registry.job(job.id)
            while data := log.read():
                write_all(descriptor, data)
                await trio.lowlevel.checkpoint()
            if job.state in FINAL:
                return job
            await mark_if_lost(registry, job)
            await trio.sleep(LOOK_EVERY)


def write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
