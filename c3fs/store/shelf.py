"""One of the 256 directories of a store's files: looking, listing and deleting under its lock. Synchronous: for worker
threads.

Whoever tells a publisher that a file is there holds the directory's lock shared at that moment, and whoever deletes
holds it exclusively while it asks whether it still may. So a deletion that was stopped and comes to itself hours later
(a laptop that slept, Ctrl-Z), or was cancelled while the disk hung, undoes no later answer: either the answer waited
for its lock, or it finds that its time is over. The kernel ends the lock of a process that dies. `flock` of the
directory itself costs a microsecond beside the fsync that is due anyway, and leaves no file behind.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Final

from c3fs.core.digest import Digest
from c3fs.errors import InvalidDigestError
from c3fs.store.base import Deleted, Shelf, StoredBlob

LOCK_FILES: Final = 64
"""Files deleted under one lock: 5 to 50 ms, which is what a put waits for that meets a gc."""
_LOCKLESS: Final = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF})
"""What file systems without locks (or without any for directories, as NFS) answer. Blobs can be kept there all the
same, and nothing is deleted."""


class HeldShelf:
    """A directory while its lock is held; `shelf_held` makes it. All methods raise OSError."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def size(self, digest: Digest) -> int | None:
        """Bytes in the blob's file, or None if there is none."""
        found = self._stat(str(digest))
        return None if found is None else found.st_size

    def sync(self) -> None:
        """Let the names in it survive a power cut; 65 us when there is nothing to write."""
        os.fsync(self._descriptor)

    def list(self, prefix: str) -> Shelf:
        """The blobs whose digests begin with `prefix`, and how many other things there are."""
        blobs: list[StoredBlob] = []
        foreign = 0
        for name in os.listdir(self._descriptor):
            digest = _digest(name, prefix)
            if digest is None:
                foreign += 1
                continue
            try:
                found = os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISREG(found.st_mode):
                blobs.append(StoredBlob(digest, found.st_size, found.st_mtime))
            else:
                foreign += 1
        return Shelf(blobs, foreign)

    def delete(self, digest: Digest) -> int | None:
        """The bytes that gives back; None if there is no such file."""
        found = self._stat(str(digest))
        if found is None:
            return None
        os.unlink(str(digest), dir_fd=self._descriptor)
        return found.st_size

    def _stat(self, name: str) -> os.stat_result | None:
        try:
            found = os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return found if stat.S_ISREG(found.st_mode) else None


@contextmanager
def shelf_held(path: str, *, alone: bool = False) -> Generator[HeldShelf]:
    """The directory at `path`, its lock held shared, or by nobody else. Raises OSError, EOPNOTSUPP of them where there
    are no locks and it was to be alone. Blocks while others hold it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        except OSError as error:
            if error.errno not in _LOCKLESS:
                raise
            if alone:
                raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP), path) from error
        yield HeldShelf(descriptor)
    finally:
        os.close(descriptor)


def delete_files(path: str, digests: Sequence[Digest], allowed: Callable[[], bool]) -> Deleted:
    """Delete blobs from the directory at `path`, as long as it is `allowed`, which is asked before each of them, with
    the lock held. Raises OSError."""
    blobs = size = 0
    for at in range(0, len(digests), LOCK_FILES):
        with shelf_held(path, alone=True) as shelf:
            for digest in digests[at : at + LOCK_FILES]:
                if not allowed():
                    return Deleted(blobs, size)
                freed = shelf.delete(digest)
                if freed is not None:
                    blobs, size = blobs + 1, size + freed
    return Deleted(blobs, size)


def _digest(name: str, prefix: str) -> Digest | None:
    if not name.startswith(prefix):
        return None
    try:
        return Digest.parse(name)
    except InvalidDigestError:
        return None
