"""The one table from a local disk's errors to ours."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from c3fs.core.digest import Digest
from c3fs.errors import BlobMissingError, C3Error, StoreRefusedError, StoreUnavailableError

_FULL: Final = "free some space there, or choose another C3_HOME"
_DENIED: Final = "give this user the right to read and write there, or choose another C3_HOME"

REFUSED: Final[dict[int, str]] = {
    errno.ENOENT: "the store's directory has been removed; bring it back, or choose another C3_HOME",
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EROFS: "mount that file system writable, or choose another C3_HOME",
    errno.ENOTDIR: "something that is no directory is in the way; move it elsewhere",
    errno.EEXIST: "something that is no directory is in the way; move it elsewhere",
    errno.EISDIR: "a directory is in the way; move it elsewhere",
    errno.EFBIG: "no blob is that large; remove the file, or allow files of 4 MiB (ulimit -f)",
    errno.EOPNOTSUPP: "that file system knows no locks; choose a C3_HOME on a local disk",
    errno.ENAMETOOLONG: "choose a shorter C3_HOME",
}
"""What no second try mends, with what does. All other errors (EIO, EMFILE, ESTALE, …) may pass."""


def store_error(error: OSError, path: str, digest: Digest | None = None) -> C3Error:
    """What `error`, met at `path`, is to a caller of the store; `digest` is the blob that was to be read."""
    if error.errno == errno.ENOENT and digest is not None:
        return BlobMissingError(str(digest))
    what = f"{path}: {os.strerror(error.errno or errno.EIO)}"
    advice = REFUSED.get(error.errno or errno.EIO)
    if advice is None:
        return StoreUnavailableError(what)
    return StoreRefusedError(f"{what}; {advice}")


@contextmanager
def mapped(path: str, digest: Digest | None = None) -> Generator[None, None, None]:
    """Raise what `store_error` makes of any OSError inside."""
    try:
        yield
    except OSError as error:
        raise store_error(error, path, digest) from error
