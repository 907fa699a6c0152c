"""What the agent and the processes of one sandbox tell each other."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec


class _Record(msgspec.Struct, frozen=True):
    pass


class SandboxMount(_Record, frozen=True):
    """A data set and the absolute, resolved path it is to be mounted at."""

    ref: str
    target: bytes


class SandboxSpec(_Record, frozen=True):
    """All that a sandbox needs to know. Times are seconds.

    `agent` is the PID of the process that started it and must outlive it; `result_fd` is where the result goes.
    `script` is what bash is given as its first argument: a path, relative ones to `workdir`.
    """

    agent: int
    result_fd: int
    mounts: tuple[SandboxMount, ...]
    script: bytes
    workdir: bytes
    environment: dict[bytes, bytes]
    time_limit: float | None
    grace: float
    mount_timeout: float


class End(StrEnum):
    """How the sandbox ended. The script ran in the first three; only EXITED is its own doing."""

    EXITED = "exited"
    CANCELED = "canceled"
    TIMED_OUT = "timed out"
    MOUNT_FAILED = "mount failed"
    BROKEN = "broken"


class MountStatistics(_Record, frozen=True):
    """What a mount served, as it says itself: bytes and blobs from the store, and blobs found in the cache."""

    fetched_bytes: int = 0
    fetched_blobs: int = 0
    hits: int = 0


class MountReport(_Record, frozen=True):
    mount: SandboxMount
    statistics: MountStatistics | None


class SandboxResult(_Record, frozen=True):
    """`returncode` is the script's, negative for a signal, None when it never started or would not end; `error`
    says what failed when the script did not run."""

    end: End
    returncode: int | None = None
    error: str = ""
    mounts: tuple[MountReport, ...] = ()


_SPEC: Final = msgspec.msgpack.Decoder(SandboxSpec)
_RESULT: Final = msgspec.msgpack.Decoder(SandboxResult)
_STATISTICS: Final = msgspec.json.Decoder(MountStatistics)


def encode(message: SandboxSpec | SandboxResult) -> bytes:
    return msgspec.msgpack.encode(message)


def decode_spec(data: bytes) -> SandboxSpec:
    """Raises msgspec.MsgspecError: both ends are of one version, so anything else is a defect."""
    return _SPEC.decode(data)


def decode_result(data: bytes) -> SandboxResult:
    """Raises msgspec.MsgspecError, as `decode_spec`."""
    return _RESULT.decode(data)


def decode_statistics(line: bytes) -> MountStatistics | None:
    """The statistics that a line of JSON says; None if it says something else."""
    try:
        return _STATISTICS.decode(line)
    except msgspec.MsgspecError:
        return None
