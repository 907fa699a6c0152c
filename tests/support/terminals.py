"""A program on a terminal of its own, as its user sees it."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

INTERRUPT: Final = b"\x03"
"""What Ctrl-C sends."""


class Terminal:
    """Runs `command` in the foreground of a new terminal, from start to `close`."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self._master, slave = pty.openpty()
        self.shown = b""
        """All that the program has written, with the line ends of a terminal and what it echoes."""
        self.process = subprocess.Popen(
            command, env=environment, cwd=folder, preexec_fn=partial(os.login_tty, slave), stdin=slave
        )
        os.close(slave)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def until(self, text: str, within: float = 30.0) -> None:
        """Read until it has shown the text."""
        deadline = time.monotonic() + within
        while text.encode() not in self.shown:
            assert self._read(deadline), (text, self.shown)

    def ended(self, within: float = 30.0) -> int:
        """Read to the end; the program's exit code."""
        deadline = time.monotonic() + within
        while self._read(deadline):
            pass
        return self.process.wait(max(deadline - time.monotonic(), 0.1))

    def _read(self, deadline: float) -> bool:
        """False when there is no more, or not in time."""
        if not select.select([self._master], [], [], max(deadline - time.monotonic(), 0))[0]:
            return False
        try:
            piece = os.read(self._master, 1 << 16)
        except OSError:  # EIO: nobody has the other end any more
            return False
        self.shown += piece
        return bool(piece)
