"""Every error has an errno, and the right one."""

from __future__ import annotations

import errno
import inspect

import pytest

from c3fs import errors
from c3fs.fuse.errno import ERRNO, errno_of

CLASSES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.C3Error)]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_has_one(kind: type[errors.C3Error]) -> None:
    error = kind.__new__(kind)
    expected = next(ERRNO[base] for base in kind.__mro__ if base in ERRNO)
    assert errno_of(error) == expected


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.PathNotFoundError(b"x"), errno.ENOENT),
        (errors.NotDirectoryError(b"x"), errno.ENOTDIR),
        (errors.IsDirectoryError(b"x"), errno.EISDIR),
        (errors.NotSymlinkError(b"x"), errno.EINVAL),
        (errors.BlobMissingError("0" * 64), errno.EIO),
        (errors.BlobCorruptError("0" * 64, "1" * 64), errno.EIO),
        (errors.StoreUnavailableError("down"), errno.EIO),
        (errors.DeadlineError("fetch", 60), errno.EIO),
        (errors.InvalidFormatError("directory", "not sorted"), errno.EIO),
    ],
)
def test_the_table(error: errors.C3Error, code: int) -> None:
    assert errno_of(error) == code
