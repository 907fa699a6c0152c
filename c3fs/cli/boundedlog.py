"""A log file that never grows past its bound: it forgets its older half."""

from __future__ import annotations

import logging
import os
from typing import Final

LOG_MAX: Final = 1 << 20
"""Bytes."""


class BoundedLog(logging.Handler):
    """Appends to `path`. The file is emptied and rewritten, never renamed, so that whoever else appends to it
    (this process's own stderr, from C code that breaks) goes on in the same file."""

    def __init__(self, path: str, limit: int = LOG_MAX) -> None:
        super().__init__()
        self._limit = limit
        self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record).encode(errors="backslashreplace") + b"\n"
            self._forget(len(line))
            os.write(self._descriptor, line)
        except OSError:
            self.handleError(record)

    def close(self) -> None:
        os.close(self._descriptor)
        super().close()

    def _forget(self, size: int) -> None:
        end = os.fstat(self._descriptor).st_size
        if end + size <= self._limit:
            return
        kept = os.pread(self._descriptor, self._limit // 2, max(end - self._limit // 2, 0))
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, kept[kept.find(b"\n") + 1 :])
