"""Where errors end: one table from errors to exit codes, and the guard around every program.

The guard prints one line on stderr, `c3: error: …`; with -v the traceback follows. See the package for the codes.
Knows no click: the process that serves a mount uses it too, and loads nothing it does not need.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar, cast

import trio

from c3fs.errors import (
    AccessError,
    BlobError,
    C3Error,
    CacheError,
    CollectError,
    ConflictError,
    DeadlineError,
    DownloadError,
    ExecutionError,
    InvalidError,
    InvalidFormatError,
    JobNotFinishedError,
    KindError,
    MountError,
    NotFoundError,
    SandboxError,
    SettingsError,
    StoreRefusedError,
    StoreUnavailableError,
    SweptError,
    TransferError,
    TransferRefusedError,
)

OK: Final = 0
DIFFERENT: Final = 1
"""The command did its work, and the answer is no: the followed job did not succeed."""
USAGE: Final = 2
NOT_FOUND: Final = 3
NOT_YET: Final = 4
MOUNT: Final = 5
UNAVAILABLE: Final = 6
DAMAGED: Final = 7
LOCAL: Final = 8
RUNNER: Final = 9
DENIED: Final = 10
DEFECT: Final = 70
INTERRUPTED: Final = 128 + signal.SIGINT
PIPE_CLOSED: Final = 128 + signal.SIGPIPE

CODES: Final[dict[type[BaseException], int]] = {
    InvalidError: USAGE,
    InvalidFormatError: DAMAGED,
    SettingsError: LOCAL,
    NotFoundError: NOT_FOUND,
    KindError: NOT_FOUND,
    JobNotFinishedError: NOT_YET,
    ConflictError: NOT_YET,
    BlobError: DAMAGED,
    StoreUnavailableError: UNAVAILABLE,
    SweptError: UNAVAILABLE,
    DeadlineError: UNAVAILABLE,
    StoreRefusedError: LOCAL,
    TransferError: UNAVAILABLE,
    TransferRefusedError: LOCAL,
    DownloadError: LOCAL,
    CacheError: LOCAL,
    CollectError: LOCAL,
    OSError: LOCAL,
    MountError: MOUNT,
    SandboxError: MOUNT,
    ExecutionError: RUNNER,
    AccessError: DENIED,
    C3Error: RUNNER,
    KeyboardInterrupt: INTERRUPTED,
    BrokenPipeError: PIPE_CLOSED,
    BaseException: DEFECT,
}
_SILENT: Final = frozenset({INTERRUPTED, PIPE_CLOSED})

T = TypeVar("T")


class UsageError(InvalidError):
    """The command line is wrong."""


class ToldError(C3Error):
    """An error that another process of ours met and told us about, with its exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True)
class Invocation:
    """One run of a program: what `-v`, said anywhere on the command line, has set."""

    program: str
    verbose: bool = False


def code_of(error: BaseException) -> int:
    """The entry of the nearest class above the error's."""
    if isinstance(error, ToldError):
        return error.code
    return next(CODES[kind] for kind in type(error).__mro__ if kind in CODES)


def leaf_of(error: BaseException) -> BaseException:
    """The error that a nursery's group is about: an interrupt before a failure before anything else."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    group = cast("BaseExceptionGroup[BaseException]", error)
    leaves = [leaf_of(inner) for inner in group.exceptions]
    for kind in (KeyboardInterrupt, C3Error, OSError):
        for leaf in leaves:
            if isinstance(leaf, kind):
                return leaf
    return leaves[0]


def run_async(function: Callable[[], Awaitable[T]]) -> T:
    """trio.run, with what a nursery groups taken out of the group again."""
    try:
        return trio.run(function)
    except BaseExceptionGroup as group:
        raise leaf_of(group) from group


def guard(invocation: Invocation, action: Callable[[], int | None]) -> int:
    """The exit code of `action`, all its errors told; nothing gets past it but SystemExit."""
    try:
        code = action() or OK
        sys.stdout.flush()
    except SystemExit:
        raise
    except BaseException as raised:  # noqa: BLE001 - the outermost guard: every error ends here, told
        error = leaf_of(raised)
        code = code_of(error)
        try:
            sys.stdout.flush()
        except OSError:
            _discard_output()  # what it refused once it would refuse again at the end, with a traceback of its own
        _tell(invocation, error, code)
    return code


def message_of(error: BaseException) -> str:
    """One line for people."""
    if isinstance(error, C3Error):
        return " ".join(str(error).splitlines())
    if isinstance(error, OSError):
        name: object = error.filename
        where = "" if name is None else f"{os.fsdecode(name) if isinstance(name, bytes) else name}: "
        return f"{where}{error.strerror or error}"
    return f"{type(error).__name__}: {error}; this is a defect of c3fs; run again with -v"


def _tell(invocation: Invocation, error: BaseException, code: int) -> None:
    try:
        if code not in _SILENT:
            line = message_of(error).encode(errors="surrogateescape").decode(errors="backslashreplace")
            print(f"{invocation.program}: error: {line}", file=sys.stderr)
        if invocation.verbose:
            traceback.print_exception(error, file=sys.stderr)
        sys.stderr.flush()
    except OSError:
        pass  # nobody listens: the exit code has to do


def _discard_output() -> None:
    """Python flushes stdout once more when it exits, and would complain of the closed pipe."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
