"""The first process of a job: starts the script, reaps what it leaves, and ends everything with it.

In a PID namespace it is PID 1: `kill(-1)` reaches exactly the processes of the job, and when this process ends the
kernel kills the rest. Where namespaces are forbidden it is the subreaper of the job and finds the job's processes
in /proc by their parents.

    script ended            a second for what is about to end by itself (a `tee` that reads its last lines),
                            SIGTERM to the rest, the grace time, SIGKILL
    SIGTERM from outside    SIGTERM to everything, the grace time, SIGKILL

It tells the sandbox `exited <code>` (negative for a signal) when the script has ended, or `failed <why>` when it
could not be started.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from c3fs.agent.children import read_signals, wait_readable
from c3fs.agent.namespaces import mount_own_proc
from c3fs.agent.protocol import SandboxSpec
from c3fs.agent.syscalls import Signals, become_subreaper, reset_signals, set_parent_death_signal

SETTLE: Final = 1.0
"""Seconds from the end of the script to the first SIGTERM for what it left running."""
KILL_TIMEOUT: Final = 5.0
"""Seconds in which killed processes must be gone; one that waits for a dead disk or server may not be."""

Step = tuple[float, signal.Signals | None]
"""A time (time.monotonic) and what to send then; None is giving up."""


def run_init(spec: SandboxSpec, status: int, *, isolated: bool) -> int:
    """The whole life of the process; call it in a fresh fork, isolated if that is PID 1 of a namespace."""
    signals = Signals((signal.SIGTERM, signal.SIGCHLD))
    supervisor = os.getppid()
    if isolated:
        set_parent_death_signal(signal.SIGKILL)
        mount_own_proc()
    else:
        set_parent_death_signal(signal.SIGTERM)
        become_subreaper()
    if _is_hung_up(status):
        return 1
    script = _start(spec, status)
    if script is None:
        return 1
    kill = _kill_namespace if isolated else _kill_descendants
    return _Reaper(script.pid, status, spec.grace, kill, supervisor).run(signals)


def _start(spec: SandboxSpec, status: int) -> subprocess.Popen[bytes] | None:
    """The script, in a session of its own, its output where ours goes: the job log."""
    try:
        return subprocess.Popen(
            [b"bash", b"--", spec.script],
            cwd=spec.workdir,
            env=spec.environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=reset_signals,
        )
    except OSError as error:
        name: object = error.filename
        what = os.fsdecode(name) if isinstance(name, bytes) else str(name)
        _tell(status, f"failed cannot start the script: {what}: {error.strerror}")
        return None


class _Reaper:
    """Waits for the script and then for everything else; `kill` sends a signal to all processes of the job."""

    def __init__(
        self, script: int, status: int, grace: float, kill: Callable[[signal.Signals], None], supervisor: int
    ) -> None:
        self._script = script
        self._status = status
        self._grace = grace
        self._kill = kill
        self._supervisor = supervisor
        self._steps: deque[Step] = deque()

    def run(self, signals: Signals) -> int:
        while self._reap():
            ready = wait_readable([signals], self._steps[0][0] if self._steps else None)
            for sent in read_signals(signals, ready):
                if sent.number == signal.SIGTERM and sent.pid in (0, self._supervisor):
                    self._on_terminate()
            if self._steps and self._steps[0][0] <= time.monotonic():
                number = self._steps.popleft()[1]
                if number is None:
                    return 1
                self._kill(number)
        return 0

    def _reap(self) -> bool:
        """Take the children that have ended; False when none is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._script:
                _tell(self._status, f"exited {os.waitstatus_to_exitcode(status)}")
                if not self._steps:
                    self._plan(SETTLE, self._grace)

    def _on_terminate(self) -> None:
        """In a PID namespace our parent is always 0; without one, another parent means that ours was killed."""
        orphaned = os.getppid() not in (0, self._supervisor)
        self._plan(0.0, 0.0 if orphaned else self._grace)

    def _plan(self, settle: float, grace: float) -> None:
        at = time.monotonic() + settle
        steps: Iterable[Step] = (
            (at, signal.SIGTERM),
            (at, signal.SIGCONT),
            (at + grace, signal.SIGKILL),
            (at + grace + KILL_TIMEOUT, None),
        )
        self._steps = deque(steps)


def _kill_namespace(number: signal.Signals) -> None:
    try:
        os.kill(-1, number)
    except ProcessLookupError:
        pass


def _kill_descendants(number: signal.Signals) -> None:
    """Repeated while new ones turn up, since a fork may be faster than our reading of /proc."""
    done: set[int] = set()
    while new := descendants(os.getpid(), parents()) - done:
        for pid in new:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        done |= new


def descendants(root: int, parents: dict[int, int]) -> set[int]:
    """The processes below `root`, given each process's parent."""
    children: dict[int, list[int]] = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    waiting = [root]
    while waiting:
        below = [pid for pid in children.get(waiting.pop(), ()) if pid not in found]
        found.update(below)
        waiting += below
    return found


def parents() -> dict[int, int]:
    """Each process's parent."""
    found: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended since it was listed
        found[int(name)] = int(fields[1])
    return found


def _is_hung_up(status: int) -> bool:
    """Has nobody the other end of the pipe: did the sandbox end before we asked to end with it?"""
    poll = select.poll()
    poll.register(status, 0)
    return bool(poll.poll(0))


def _tell(status: int, line: str) -> None:
    try:
        os.write(status, line.encode("utf-8", "backslashreplace") + b"\n")
    except BrokenPipeError:
        pass  # the sandbox is gone, and so are we in a moment
