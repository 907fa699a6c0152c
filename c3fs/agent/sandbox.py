"""The private world of one job: a process that makes it, watches over it, and takes it down.

See the package for the processes and namespaces. Everything here is synchronous and in one thread, as forking and
user namespaces demand: it runs in a fresh interpreter that the agent starts (`launch`).
"""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from typing import Final

from c3fs.agent import namespaces, servers
from c3fs.agent.children import Child, read_signals, wait_readable
from c3fs.agent.init import KILL_TIMEOUT, run_init
from c3fs.agent.joblog import JobLog
from c3fs.agent.mountpoints import make_mount_points
from c3fs.agent.protocol import End, MountReport, SandboxResult, SandboxSpec, encode
from c3fs.agent.servers import Serve, Server
from c3fs.agent.syscalls import Signals, set_parent_death_signal
from c3fs.errors import SandboxError

MARGIN: Final = 2.0
"""Seconds more than its own bounds that `init` gets before it is killed itself."""


def main(spec: SandboxSpec, serve: Serve) -> int:
    """Run the job of `spec` to its end and report on `spec.result_fd`; the exit code is 0 when that was done.

    stdout and stderr are the job log. Ends at once, and all of the job with it, when the agent does.
    """
    set_parent_death_signal(signal.SIGKILL)
    if os.getppid() != spec.agent:
        return 1
    os.set_inheritable(spec.result_fd, False)
    _close_stdin()
    result = Sandbox(spec, serve, Signals((signal.SIGTERM,))).run()
    with open(spec.result_fd, "wb") as pipe:
        pipe.write(encode(result))
    return 0


def _close_stdin() -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


class Sandbox:
    """One run. SIGTERM cancels it."""

    def __init__(self, spec: SandboxSpec, serve: Serve, signals: Signals) -> None:
        self._spec = spec
        self._serve = serve
        self._signals = signals
        self._log = JobLog(1)
        self._isolated = True
        self._servers: list[Server] = []
        self._reports: tuple[MountReport, ...] = ()

    def run(self) -> SandboxResult:
        try:
            self._isolate()
            result = self._mount() or self._run_script()
        except SandboxError as error:
            result = SandboxResult(End.MOUNT_FAILED, error=str(error))
        finally:
            self._stop_servers()
        return SandboxResult(result.end, result.returncode, result.error, self._reports)

    def _isolate(self) -> None:
        """Without data sets the namespaces only serve to find all processes, which also works without."""
        spec = self._spec
        if not spec.mounts and not namespaces.may_enter():
            self._isolated = False
            self._log.line("private namespaces are not permitted here; the job runs without them")
            return
        namespaces.enter()
        for above in make_mount_points([mount.target for mount in spec.mounts], spec.workdir):
            self._log.line(f"note: what the script adds to {os.fsdecode(above)} itself is lost when the job ends")

    def _mount(self) -> SandboxResult | None:
        """A result if there is nothing to go on with."""
        inherited = (self._spec.result_fd, self._signals.fileno())
        for mount in self._spec.mounts:
            self._servers.append(Server(mount, self._serve, inherited))
        deadline = time.monotonic() + self._spec.mount_timeout
        error = servers.wait_until_ready(self._servers, self._signals, deadline)
        if error is not None:
            return SandboxResult(End.MOUNT_FAILED, error=error)
        if self._signals.read():
            return SandboxResult(End.CANCELED)
        for mount in self._spec.mounts:
            self._log.line(f"mounted {mount.ref} at {os.fsdecode(mount.target)}")
        return None

    def _run_script(self) -> SandboxResult:
        if self._isolated:
            namespaces.give_children_pid_namespace()
        main = partial(run_init, self._spec, isolated=self._isolated)
        inherited = (self._spec.result_fd, self._signals.fileno())
        watch = _Watch(Child(main, inherited), self._spec, self._signals, self._servers, self._log)
        result = watch.run()
        if not watch.reap(MARGIN):
            # What is left waits for a mount that does not answer: without its server the kernel answers.
            for server in self._servers:
                server.send(signal.SIGKILL)
            watch.reap(KILL_TIMEOUT)
        return result

    def _stop_servers(self) -> None:
        stopping, self._servers = self._servers, []
        self._reports += servers.stop(stopping)


class _Watch:
    """Follows `init` until it ends: the time limit, cancelling, mounts that end too early."""

    def __init__(self, init: Child, spec: SandboxSpec, signals: Signals, serving: list[Server], log: JobLog) -> None:
        self._init = init
        self._grace = spec.grace
        self._signals = signals
        self._serving = list(serving)
        self._log = log
        self._deadline = None if spec.time_limit is None else time.monotonic() + spec.time_limit
        self._ending: End | None = None
        self._returncode: int | None = None
        self._error = ""

    def run(self) -> SandboxResult:
        while True:
            ready = wait_readable([self._signals, self._init.end, *self._sources()], self._deadline)
            self._take_lines()
            if self._init.end in ready:
                return self._result()
            if read_signals(self._signals, ready) and self._running:
                self._end_script(End.CANCELED)
            if self._deadline is not None and time.monotonic() >= self._deadline:
                if self._ending is not None or not self._running:
                    return self._result()
                self._end_script(End.TIMED_OUT)
            self._take_servers(ready)

    def reap(self, seconds: float) -> bool:
        self._init.send(signal.SIGKILL)
        return self._init.reap(time.monotonic() + seconds)

    @property
    def _running(self) -> bool:
        return self._returncode is None and self._ending is None

    def _sources(self) -> list[Child | Server]:
        return [*([] if self._init.ended else [self._init]), *self._serving]

    def _end_script(self, why: End) -> None:
        self._ending = why
        self._init.send(signal.SIGTERM)
        self._set_last_deadline()

    def _set_last_deadline(self) -> None:
        self._deadline = time.monotonic() + self._grace + KILL_TIMEOUT + MARGIN

    def _take_lines(self) -> None:
        for line in self._init.read_lines():
            word, _, rest = line.decode("utf-8", "replace").partition(" ")
            if word == "exited":
                self._returncode = int(rest)
                if self._ending is None:
                    self._set_last_deadline()
            else:
                self._error = rest

    def _take_servers(self, ready: set[int]) -> None:
        for server in [server for server in self._serving if server.fileno() in ready]:
            server.read()
            if server.ended:
                self._serving.remove(server)
                where = os.fsdecode(server.mount.target)
                self._log.line(f"warning: the mount of {server.mount.ref} at {where} has ended before the job")

    def _result(self) -> SandboxResult:
        if self._ending is not None:
            return SandboxResult(self._ending, self._returncode)
        if self._returncode is not None:
            return SandboxResult(End.EXITED, self._returncode)
        return SandboxResult(End.BROKEN, error=self._error or "the first process of the job was killed")
