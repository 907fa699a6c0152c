"""Which pages of the cache's file are in memory: asks for those that are read next, lets go of those that were.

A blob that is on disk only comes in by faults, each of which stops the event loop: 66 MB/s with LMDB's option for
random access (MDB_NORDAHEAD), which is therefore not set. `will_need` has the kernel read a whole blob before anybody
asks for it.

A blob that is read through the map counts as resident until the kernel takes the page back, so a mount that reads a
gigabyte seems to use a gigabyte, and in a container with a limit it would be charged for it. After every
SERVED bytes the process drops its own mapping of those pages (madvise MADV_DONTNEED on a shared, read-only map: the
page cache keeps them, and the next touch is a soft fault).
"""

from __future__ import annotations

import ctypes
import logging
import os
from typing import Final

log = logging.getLogger(__name__)

SERVED: Final = 16 << 20
"""Bytes between two drops: 0.1-0.2 ms each, against 6 ms to copy as many."""
_MADV_WILLNEED: Final = 3
_MADV_DONTNEED: Final = 4
_PAGE: Final = 4096
_libc = ctypes.CDLL(None, use_errno=True)
_libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


class _Buffer(ctypes.Structure):
    """Py_buffer of the C API: the way to the address of a read-only view."""

    _fields_ = (
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.py_object),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    )


def will_need(view: memoryview) -> None:
    """Have the kernel read the blob behind `view` (a view into the map); does not wait for it."""
    buffer = _Buffer()
    ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(view), ctypes.byref(buffer), 0)
    try:
        begin = buffer.buf & -_PAGE
        _libc.madvise(begin, buffer.buf + buffer.len - begin, _MADV_WILLNEED)
    finally:
        ctypes.pythonapi.PyBuffer_Release(ctypes.byref(buffer))


class Residency:
    """Of the map of one file."""

    def __init__(self, path: str) -> None:
        self._ranges = _mapped(path)
        self._served = 0

    def served(self, size: int) -> None:
        """Count `size` bytes; drop the mappings when it is time. Views stay valid: their pages come back when read."""
        self._served += size
        if self._served < SERVED:
            return
        self._served = 0
        for begin, length in self._ranges:
            if _libc.madvise(begin, length, _MADV_DONTNEED) != 0:
                log.debug("the cache's pages stay resident: %s", os.strerror(ctypes.get_errno()))
                self._ranges = []


def _mapped(path: str) -> list[tuple[int, int]]:
    """Where this process has mapped the file."""
    found: list[tuple[int, int]] = []
    about = os.stat(path)
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        for line in maps:
            fields = line.split(maxsplit=5)
            if len(fields) == 6 and fields[4] == str(about.st_ino) and "s" in fields[1]:
                begin, end = (int(side, 16) for side in fields[0].split("-"))
                found.append((begin, end - begin))
    return found
