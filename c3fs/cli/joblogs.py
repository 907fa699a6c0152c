"""Where the log of a job is read: a file of this machine, or from the control plane."""

from __future__ import annotations

import os
from typing import Final, Protocol

import trio

from c3fs.api.client import ApiClient, Request
from c3fs.api.messages import LogEnd
from c3fs.registry.base import Job

LOOK_EVERY: Final = 0.1
"""Seconds between looks at a file and the job's record: soon enough to seem at once, a millisecond of work each."""
REMOTE_WAIT: Final = 10.0
"""Seconds the control plane is asked to wait for more of a log, or for the job's end."""
PIECE: Final = 1 << 16


def log_path(job: Job) -> str:
    """Of a job that runs, or ran, on this machine."""
    return os.path.join(job.directory, "log")


class Log(Protocol):
    """The bytes of a job's log. There may be none yet."""

    async def read(self, offset: int, *, wait: bool) -> bytes:
        """What comes at `offset`, a piece of it. When there is nothing, `wait` a moment for something: whoever asks
        looks meanwhile whether the job has ended."""
        ...

    async def tail(self, lines: int) -> int:
        """Where the last `lines` lines begin; 0 if there are no more."""
        ...


class LocalLog:
    """A file, whose end may be anywhere by now."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor: int | None = None

    def __enter__(self) -> LocalLog:
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)

    async def read(self, offset: int, *, wait: bool) -> bytes:
        data = self._read(offset)
        if wait and not data:
            await trio.sleep(LOOK_EVERY)
        return data

    async def tail(self, lines: int) -> int:
        return start_of_tail(self._path, lines)

    def _read(self, offset: int) -> bytes:
        if self._descriptor is None:
            try:
                self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return b""
        return os.pread(self._descriptor, PIECE, offset)


class RemoteLog:
    """What the control plane has of a log; its agent sends it on while it is written."""

    def __init__(self, client: ApiClient, job_id: str) -> None:
        self._client = client
        self._path = f"/jobs/{job_id}/log"

    async def read(self, offset: int, *, wait: bool) -> bytes:
        query = {"offset": offset, "wait": REMOTE_WAIT if wait else 0.0}
        return await self._client.read(Request("GET", self._path, query, repeatable=True))

    async def tail(self, lines: int) -> int:
        return (await self._client.get(f"{self._path}/tail", LogEnd, {"lines": lines})).end


def start_of_tail(path: str, lines: int) -> int:
    """Where in the file its last `lines` lines begin; 0 if it has no more, or is not there."""
    try:
        with open(path, "rb") as file:
            end = at = file.seek(0, os.SEEK_END)
            wanted = lines
            if lines == 0:
                return end
            while at > 0:
                size = min(at, PIECE)
                at -= size
                file.seek(at)
                piece = file.read(size)
                if at + size == end and not piece.endswith(b"\n"):
                    wanted -= 1  # the last line has no end yet
                here = size
                while (here := piece.rfind(b"\n", 0, here)) >= 0:
                    if wanted == 0:
                        return at + here + 1
                    wanted -= 1
    except FileNotFoundError:
        pass
    return 0
