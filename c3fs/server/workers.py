"""Several processes that serve on one socket, and the one that looks after them.

The socket is bound before they are forked, and inherited: the kernel spreads connections. Each holds the end of a pipe,
its lifeline, whose other end the first process has alone: it ends when that does, however it ends.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from c3fs.server.serve import SIGNALS

DEFECT: Final = 70
"""The exit code of a worker that nobody told to end."""

log = logging.getLogger("c3fs.server")

Work = Callable[[int], int]
"""Takes the lifeline, and returns an exit code."""


def run_workers(count: int, work: Work) -> int:
    """Fork `count` processes that do `work`, and end them all when one ends or this one is told to. The exit code: 0 if
    it was told to. Nothing but the socket may be open by now."""
    workers = _Workers()
    previous = [signal.signal(number, workers.end) for number in SIGNALS]
    try:
        for _ in range(count):
            workers.fork(work, dict(zip(SIGNALS, previous, strict=True)))
        return workers.wait()
    finally:
        workers.close()
        for number, handler in zip(SIGNALS, previous, strict=True):
            signal.signal(number, handler)


class _Workers:
    def __init__(self) -> None:
        self._alive: set[int] = set()
        self._told = False
        self._lifeline, self._held = os.pipe()

    def fork(self, work: Work, handlers: dict[signal.Signals, Any]) -> None:
        if self._told:
            return
        pid = os.fork()
        if pid:
            self._alive.add(pid)
            return
        code = DEFECT
        try:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            os.close(self._held)
            code = work(self._lifeline)
        finally:
            os._exit(code)

    def end(self, _number: int, _frame: object) -> None:
        """The signals' handler."""
        self._told = True
        self._tell()

    def wait(self) -> int:
        code = 0
        while self._alive:
            pid, _ = os.wait()
            self._alive.discard(pid)
            if not self._told and not code:
                # One that ends unasked has met a defect: whoever supervises this process starts all of them anew.
                log.error("a worker has ended")
                code = DEFECT
                self._tell()
        return code

    def close(self) -> None:
        os.close(self._held)
        os.close(self._lifeline)

    def _tell(self) -> None:
        for pid in self._alive:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
