"""Starts a sandbox from trio, and follows it to its end.

The sandbox is tied to this process by PR_SET_PDEATHSIG, which is sent when the *thread* that forked ends. trio
starts processes from worker threads that end after ten idle seconds, so `subprocess.Popen` is called right here: it
returns when the new program has been loaded, after some milliseconds.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import trio

from c3fs.agent.protocol import End, SandboxMount, SandboxResult, SandboxSpec, decode_result, encode
from c3fs.errors import ExecutionError

GRACE: Final = 10.0
"""Seconds from SIGTERM to SIGKILL for the processes of a job."""
MOUNT_TIMEOUT: Final = 60.0
"""Seconds in which all mounts of a job must be live: the time of a few requests to a store with retries."""
END_TIMEOUT: Final = 60.0
"""Seconds a canceled sandbox may take beyond the grace time: to kill, unmount and report."""
REAP_TIMEOUT: Final = 10.0


@dataclass(frozen=True, slots=True)
class Launch:
    """What to run, and where. `argv` starts the program that calls `sandbox.main`; `script` is a path, relative
    ones to `workdir`. Times are seconds."""

    argv: Sequence[str]
    mounts: Sequence[SandboxMount]
    script: bytes
    workdir: bytes
    environment: Mapping[bytes, bytes]
    time_limit: float | None = None
    grace: float = GRACE
    mount_timeout: float = MOUNT_TIMEOUT


async def run_sandbox(launch: Launch, log_fd: int, cancel: trio.Event) -> SandboxResult:
    """Run the script of `launch` in a sandbox, all output to `log_fd`; setting `cancel` ends it.

    When this call is itself cancelled everything is killed at once. Raises ExecutionError when the sandbox ends
    without a result.
    """
    reader, writer = os.pipe()
    async with trio.lowlevel.FdStream(reader) as results:
        try:
            process = _start(launch, writer, log_fd)
        finally:
            os.close(writer)
        finished = False
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_terminate_on, cancel, process, launch.grace + END_TIMEOUT)
                data = b"".join([chunk async for chunk in results])
                nursery.cancel_scope.cancel()
            finished = True
        finally:
            if not finished:
                process.kill()
            with trio.CancelScope(shield=True):
                await _reap(process)
    return _result(data, process.returncode, canceled=cancel.is_set())


def _start(launch: Launch, result_fd: int, log_fd: int) -> subprocess.Popen[bytes]:
    """In / and in a session of its own: what is typed at our terminal is not for it."""
    spec = SandboxSpec(
        agent=os.getpid(),
        result_fd=result_fd,
        mounts=tuple(launch.mounts),
        script=launch.script,
        workdir=launch.workdir,
        environment=dict(launch.environment),
        time_limit=launch.time_limit,
        grace=launch.grace,
        mount_timeout=launch.mount_timeout,
    )
    with open(os.memfd_create("c3-sandbox"), "w+b") as stdin:
        stdin.write(encode(spec))
        stdin.seek(0)
        try:
            return subprocess.Popen(
                launch.argv,
                stdin=stdin,
                stdout=log_fd,
                stderr=log_fd,
                cwd="/",
                pass_fds=(result_fd,),
                start_new_session=True,
            )
        except OSError as error:
            raise ExecutionError(f"cannot start the sandbox: {launch.argv[0]}: {error.strerror}") from error


async def _terminate_on(cancel: trio.Event, process: subprocess.Popen[bytes], patience: float) -> None:
    await cancel.wait()
    process.send_signal(signal.SIGTERM)
    await trio.sleep(patience)
    process.send_signal(signal.SIGKILL)


async def _reap(process: subprocess.Popen[bytes]) -> None:
    """The result was its last word, or it has been killed."""
    pidfd = os.pidfd_open(process.pid)
    try:
        with trio.move_on_after(REAP_TIMEOUT) as patience:
            await trio.lowlevel.wait_readable(pidfd)
        if patience.cancelled_caught:
            process.kill()
            with trio.move_on_after(REAP_TIMEOUT):
                await trio.lowlevel.wait_readable(pidfd)
    finally:
        os.close(pidfd)
    process.poll()


def _result(data: bytes, code: int | None, *, canceled: bool) -> SandboxResult:
    if data:
        return decode_result(data)
    if canceled:
        return SandboxResult(End.CANCELED)  # it was told before it could listen
    raise ExecutionError(f"the sandbox ended without a result (exit code {code}); the log has more")
