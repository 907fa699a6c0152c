"""The processes that serve a job's mounts: one for each data set, forked from the sandbox without exec.

Forked, because the right to mount in a user namespace does not survive an exec by an ordinary user; one for
each, because a FUSE session is one to a process. They live outside the job's PID namespace: the job neither sees
nor kills them, and the cache's table of readers, which names PIDs, holds PIDs of the machine.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Final

from c3fs.agent.children import Child, wait_readable
from c3fs.agent.protocol import MountReport, MountStatistics, SandboxMount, decode_statistics
from c3fs.agent.syscalls import Signals, set_parent_death_signal, unblock_signals

Serve = Callable[[SandboxMount, int], int]
"""Mounts a data set in this process's mount namespace and serves it until SIGTERM, in the foreground. Writes to the
descriptor one line, `ready` or `error: …`, and at its end a line of JSON (protocol.MountStatistics). Returns the
exit code. Called in a process of its own, with one thread, stdout and stderr on the job log."""

STOP_TIMEOUT: Final = 10.0
"""Seconds a server has to unmount and say its statistics before it is killed."""


class Server:
    """One data set's mount."""

    def __init__(self, mount: SandboxMount, serve: Serve, close: Sequence[int]) -> None:
        self.mount = mount
        self.ready = False
        self.error: str | None = None
        self._statistics: MountStatistics | None = None
        parent = os.getpid()

        def main(status: int) -> int:
            set_parent_death_signal(signal.SIGKILL)
            if os.getppid() != parent:
                return 1
            unblock_signals()
            return serve(mount, status)

        self._child = Child(main, close)

    def fileno(self) -> int:
        return self._child.fileno()

    @property
    def ended(self) -> bool:
        """It said all it will say: the mount is gone."""
        return self._child.ended

    def read(self) -> None:
        """Take in what it has said."""
        for line in self._child.read_lines():
            if line == b"ready":
                self.ready = True
            elif line.startswith(b"error: "):
                self.error = line.removeprefix(b"error: ").decode("utf-8", "replace")
            else:
                self._statistics = decode_statistics(line) or self._statistics
        if self.ended and not self.ready and self.error is None:
            self.error = "its process ended before it was mounted; the log has more"

    def report(self) -> MountReport:
        return MountReport(self.mount, self._statistics)

    def send(self, number: signal.Signals) -> None:
        self._child.send(number)

    def reap(self, deadline: float) -> bool:
        return self._child.reap(deadline)


def wait_until_ready(servers: Sequence[Server], signals: Signals, deadline: float) -> str | None:
    """Why a mount failed; None when all are ready, or a signal came, which is not read."""
    while waiting := [server for server in servers if not server.ready]:
        for server in waiting:
            if server.error is not None:
                return f"cannot mount {server.mount.ref}: {server.error}"
        ready = wait_readable([signals, *waiting], deadline)
        if not ready:
            return f"cannot mount {waiting[0].mount.ref}: it was not ready in time"
        if signals.fileno() in ready:
            return None
        for server in waiting:
            if server.fileno() in ready:
                server.read()
    return None


def stop(servers: Sequence[Server]) -> tuple[MountReport, ...]:
    """End them all, within twice STOP_TIMEOUT, and say what they served."""
    for server in servers:
        server.send(signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT
    while talking := [server for server in servers if not server.ended]:
        if not wait_readable(talking, deadline):
            break
        for server in talking:
            server.read()
    for server in servers:
        if not server.reap(deadline):
            server.send(signal.SIGKILL)
            server.reap(time.monotonic() + STOP_TIMEOUT)
    return tuple(server.report() for server in servers)
