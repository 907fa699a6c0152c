"""Whole files, read at once and written durably. Synchronous: for worker threads.

Blobs of DIRECT_MIN bytes or more are written with O_DIRECT out of page-aligned buffers: padded to ALIGNMENT,
then cut to their size. A buffered write first has to find fresh page-cache pages, and that is what it costs on
a virtual machine. 1 GiB in blobs of 2,000,000 bytes on ext4, file and directory synced each time, MB/s:

    puts at once                     1      2      4      8
    buffered, new pages            270    500    520-590
    buffered, recycled pages       300    970   1280    590
    O_DIRECT                       970   1030   1170-1390

so O_DIRECT is at least twice as fast where memory is new, and even where it is not. Without any fsync it is
1,200 (four at once): syncing is not what limits it, and sharing the directories' fsyncs among puts, which
was tried, would gain under a fifth at 4 KiB and nothing measurable at 2 MB. posix_fallocate first: no
difference. At 64 KiB both ways do 3,000 puts/s, all of it fsync.

The price is that what was just written is not in the page cache. Reading it back cold gives 300-1,100 MB/s one
at a time and 600-1,500 four at once. That is seldom asked: the next reader is a mount with the LMDB cache in
front, and a gigabyte of blobs does not push out the pages of the job that is running. Reading with O_DIRECT
too is half as fast again one at a time, no faster four at once, and loses the 2-3.5 GB/s of what several
processes read one after another: so reads are buffered.
"""

from __future__ import annotations

import errno
import mmap
import os
from contextlib import suppress
from typing import Final

from c3fs.core.digest import Buffer
from c3fs.core.span import BLOB_MAX

ALIGNMENT: Final = 4096
DIRECT_MIN: Final = 256 << 10
_MODE: Final = 0o444
"""A blob's file is never written again."""


class FileWriter:
    """Writes the blobs of one file system. Any number of threads may call it; each that writes at the same
    time holds one buffer of BLOB_MAX bytes, and the buffers are kept for the next."""

    def __init__(self) -> None:
        self._buffers: list[mmap.mmap] = []
        self._direct = True

    def __repr__(self) -> str:
        return f"<FileWriter {'direct' if self._direct else 'buffered'}, {len(self._buffers)} buffers idle>"

    def write(self, path: str, data: Buffer) -> None:
        """Make the file at `path` hold `data`, on the disk when this returns. At most BLOB_MAX bytes.

        Raises OSError; what was written till then stays at `path`.
        """
        view = memoryview(data)
        if self._direct and len(view) >= DIRECT_MIN:
            try:
                self._write_direct(path, view)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                # The file system knows no O_DIRECT, or wants another alignment. What the refused open has made is
                # read-only: an ordinary user could not open it again.
                self._direct = False
                with suppress(FileNotFoundError):
                    os.unlink(path)
            else:
                return
        _write_buffered(path, view)

    def _write_direct(self, path: str, view: memoryview) -> None:
        padded = -(-len(view) // ALIGNMENT) * ALIGNMENT
        buffer = self._buffers.pop() if self._buffers else mmap.mmap(-1, BLOB_MAX)
        try:
            buffer[: len(view)] = view
            with memoryview(buffer) as aligned, aligned[:padded] as source:
                _write_file(path, os.O_DIRECT, source, len(view))
        finally:
            self._buffers.append(buffer)


def _write_buffered(path: str, view: memoryview) -> None:
    _write_file(path, 0, view, len(view))


def _write_file(path: str, flags: int, source: memoryview, size: int) -> None:
    """All of `source` into a new file, cut to `size`, on the disk."""
    # O_TRUNC, not O_EXCL: an open that is refused for its O_DIRECT leaves an empty file.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | flags, _MODE)
    try:
        written = 0
        while written < len(source):
            step = os.pwrite(descriptor, source[written:], written)
            if not step:
                raise OSError(errno.EIO, os.strerror(errno.EIO), path)
            written += step
        if size < len(source):
            os.ftruncate(descriptor, size)
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def read_file(path: str) -> bytes:
    """The whole file; raises OSError, EFBIG of them if no blob is that large."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        size = os.fstat(descriptor).st_size
        if size > BLOB_MAX:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
        data = os.read(descriptor, size)
    finally:
        os.close(descriptor)
    if len(data) != size:
        raise OSError(errno.EIO, os.strerror(errno.EIO), path)
    return data


def sync_directory(path: str) -> None:
    """Let the names in it survive a power cut; 65 us when there is nothing to write. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
