"""The job log: what the script prints, and the agent's own lines, which begin with `c3: `."""

from __future__ import annotations

import errno
import os
import re
from typing import Final

PREFIX: Final = b"c3: "
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class JobLog:
    """Writes lines to a descriptor opened for appending; the script writes to the same file meanwhile.

    A line that cannot be written (the disk is full) is no reason for a job to fail: it is dropped, and the next one
    that can be written says so.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._dropped = 0

    def fileno(self) -> int:
        return self._fd

    def line(self, text: str) -> None:
        """One line, in one write; on a line of its own also when the script's last one has no end."""
        shown = _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
        try:
            if self._dropped:
                self._write(f"lines that could not be written: {self._dropped}")
                self._dropped = 0
            self._write(shown)
        except OSError:
            self._dropped += 1

    def text(self, text: str) -> None:
        """Several lines, such as a traceback."""
        for line in text.splitlines():
            self.line(line)

    def _write(self, text: str) -> None:
        """A line that fits in part only is ended by the next one."""
        start = b"" if self._at_line_start() else b"\n"
        line = start + PREFIX + text.encode("utf-8", "surrogateescape") + b"\n"
        if os.write(self._fd, line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _at_line_start(self) -> bool:
        size = os.fstat(self._fd).st_size
        return size == 0 or os.pread(self._fd, 1, size - 1) == b"\n"


def open_job_log(path: bytes) -> JobLog:
    """For the job's whole life; readable, since a line may have to end another first."""
    return JobLog(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600))
