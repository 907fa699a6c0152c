"""The one table from c3fs errors to errno: what a local file system would answer."""

from __future__ import annotations

import errno
from typing import Final

from c3fs.errors import (
    C3Error,
    InvalidNameError,
    IsDirectoryError,
    NotDirectoryError,
    NotFileError,
    NotFoundError,
    NotSymlinkError,
)

ERRNO: Final[dict[type[C3Error], int]] = {
    InvalidNameError: errno.EINVAL,
    NotFoundError: errno.ENOENT,
    NotDirectoryError: errno.ENOTDIR,
    IsDirectoryError: errno.EISDIR,
    NotFileError: errno.EINVAL,
    NotSymlinkError: errno.EINVAL,
    # Everything else is bytes that cannot be had: missing, corrupt, malformed, unreachable, too late.
    C3Error: errno.EIO,
}


def errno_of(error: C3Error) -> int:
    """The entry of the nearest class above the error's."""
    return next(ERRNO[kind] for kind in type(error).__mro__ if kind in ERRNO)
