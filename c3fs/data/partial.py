"""Files that are being written: a name of their own until they are whole, and a lock that tells who still writes.

Whoever is killed leaves `.c3-part-…` behind, unlocked. The next copy into that directory removes it. Between making
the file and locking it somebody else may take it for abandoned: the writer looks, once it has the lock, whether its
file is still there, and makes another if it is not. Nothing waits for a lock.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
from contextlib import suppress
from typing import Final

_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LOOK: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NAME: Final = re.compile(r"\.c3-part-[0-9a-f]{16}\Z")
_TRIES: Final = 10
"""Files made anew because another copy took them for abandoned; each time it must come in a moment of microseconds."""


def temporary_name() -> bytes:
    """Hidden, recognisable, and no other's: artifacts may have any name, and another copy may be running."""
    return b".c3-part-" + secrets.token_hex(8).encode()


def create(directory: int) -> tuple[bytes, int]:
    """A new file in the open `directory`, locked for as long as its descriptor is open: name and descriptor, the
    caller's to close, and to rename or unlink before. Raises OSError."""
    for _ in range(_TRIES):
        name = temporary_name()
        descriptor = os.open(name, _CREATE, 0o600, dir_fd=directory)
        if _lock(descriptor) is not False and os.fstat(descriptor).st_nlink:
            return name, descriptor
        os.close(descriptor)
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))


def remove_abandoned(directory: int) -> None:
    """Remove from the open `directory` the half-written files that nobody writes any more; those of others, which we
    may not open or remove, stay. Raises OSError when it cannot be listed."""
    with os.scandir(directory) as entries:
        for entry in entries:
            if _NAME.match(entry.name):
                with suppress(OSError):
                    _remove(entry.name, directory)


def _remove(name: str, directory: int) -> None:
    descriptor = os.open(name, _LOOK, dir_fd=directory)
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode) and _lock(descriptor):
            os.unlink(name, dir_fd=directory)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool | None:
    """Whether it is ours now; None on a file system that has no locks, where nothing is ever taken for abandoned."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True
