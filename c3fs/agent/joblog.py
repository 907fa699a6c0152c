"""The job log: what the script prints, and the agent's own lines, which begin with `c3: `."""

from __future__ import annotations

import os
import re
from typing import Final

PREFIX: Final = b"c3: "
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class JobLog:
    """Writes lines to a descriptor opened for appending; the script writes to the same file meanwhile."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def fileno(self) -> int:
        return self._fd

    def line(self, text: str) -> None:
        """One line, in one write; on a line of its own also when the script's last one has no end."""
        shown = _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
        start = b"" if self._at_line_start() else b"\n"
        os.write(self._fd, start + PREFIX + shown.encode("utf-8", "surrogateescape") + b"\n")

    def text(self, text: str) -> None:
        """Several lines, such as a traceback."""
        for line in text.splitlines():
            self.line(line)

    def _at_line_start(self) -> bool:
        size = os.fstat(self._fd).st_size
        return size == 0 or os.pread(self._fd, 1, size - 1) == b"\n"


def open_job_log(path: bytes) -> JobLog:
    """For the job's whole life; readable, since a line may have to end another first."""
    return JobLog(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600))
