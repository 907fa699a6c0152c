"""A forked child process that the sandbox follows: its end is an event, and every wait for it is bounded."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from typing import Protocol

from c3fs.agent.syscalls import Sent, Signals


class HasFileno(Protocol):
    def fileno(self) -> int: ...


class Child:
    """Runs `main` in a fork of this process, which has one thread; what it writes to the descriptor it is given
    is read here, by lines."""

    def __init__(self, main: Callable[[int], int], close: Iterable[int] = ()) -> None:
        """`close` are descriptors that the child has no business with."""
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            _run_child(main, writer, close)
        os.close(writer)
        os.set_blocking(reader, False)
        self.pid = pid
        self._reader = reader
        self._pidfd = os.pidfd_open(pid)
        self._partial = b""
        self.ended = False

    def fileno(self) -> int:
        """Readable when there are lines, or when all its writers are gone."""
        return self._reader

    @property
    def end(self) -> int:
        """A descriptor that is readable once the child has ended."""
        return self._pidfd

    def read_lines(self) -> list[bytes]:
        """The whole lines that have come; `ended` becomes true after the last."""
        while not self.ended:
            try:
                data = os.read(self._reader, 65536)
            except BlockingIOError:
                break
            self.ended = not data
            self._partial += data
        *lines, self._partial = self._partial.split(b"\n")
        return lines

    def send(self, number: signal.Signals) -> None:
        """Nothing happens when it has ended."""
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError:
            pass

    def reap(self, deadline: float) -> bool:
        """Wait for its end until `deadline` (time.monotonic) and release it; False if it has not ended."""
        if not wait_readable([self._pidfd], deadline):
            return False
        os.waitpid(self.pid, 0)
        os.close(self._pidfd)
        os.close(self._reader)
        return True


def wait_readable(sources: Iterable[int | HasFileno], deadline: float | None) -> set[int]:
    """The descriptors of `sources` that can be read, or have been hung up; none at `deadline`."""
    poll = select.poll()
    for source in sources:
        poll.register(source, select.POLLIN)
    timeout = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
    return {fd for fd, _ in poll.poll(timeout)}


def read_signals(signals: Signals, ready: set[int]) -> list[Sent]:
    return signals.read() if signals.fileno() in ready else []


def _run_child(main: Callable[[int], int], writer: int, close: Iterable[int]) -> None:
    """Never returns: the stack above belongs to the parent."""
    code = 1
    try:
        for fd in close:
            os.close(fd)
        code = main(writer)
    except BaseException:  # noqa: BLE001 - the outermost frame of a process
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
