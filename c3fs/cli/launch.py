"""Starts the process that serves a mount, and waits, bounded, until the mount is live or is known not to be."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
import zlib
from typing import Final, NoReturn

import trio

from c3fs.cli.exits import ToldError, run_async
from c3fs.cli.plan import NOBODY, SERVING, MountPlan
from c3fs.errors import DeadlineError, MountError
from c3fs.fuse.mounts import FSTYPE, clear_dead_mount, find_mount

LIVE_WITHIN: Final = 30.0
"""Seconds until a mount must be live: it takes a third of one, and a slow store may answer late."""
ENDS_WITHIN: Final = 5.0
"""Seconds a serving process gets to unmount and end before it is killed."""
_LINE_MAX: Final = 1 << 16


def start(plan: MountPlan, log: str, within: float = LIVE_WITHIN) -> int:
    """Serve the plan in a process of its own, which outlives us; its id. Log lines go to the file `log`.

    `log` exists already. Raises ToldError, MountError, DeadlineError; also when it is interrupted, nothing stays
    mounted.
    """
    mine, theirs = os.pipe()
    begun = os.path.getsize(log)
    try:
        process = _spawn(plan, theirs, log)
    except BaseException:
        os.close(mine)
        raise
    finally:
        os.close(theirs)
    try:
        _await_ready(mine, within, log)
        _verify(os.fsdecode(plan.mountpoint), within)
    except ToldError as error:
        _stop(process, os.fsdecode(plan.mountpoint))
        raise ToldError(f"{error}{_said_by_fuse(log, begun)}", error.code) from None
    except BaseException:
        _stop(process, os.fsdecode(plan.mountpoint))
        raise
    finally:
        os.close(mine)
    process.returncode = 0  # it is not ours to wait for: subprocess would warn of it
    return process.pid


def become(plan: MountPlan) -> NoReturn:
    """Serve the plan in this very process, rid of all that looking up the ref has loaded."""
    os.dup2(_plan_file(plan), 0)
    os.execv(SERVING[0], _arguments(plan, NOBODY))


def log_name(mountpoint: str) -> str:
    """One log file a mountpoint, whatever its name: the log of a mount replaces nobody else's."""
    readable = "".join(c if c.isascii() and c.isalnum() else "-" for c in mountpoint.strip("/"))[-60:]
    return f"mount-{readable}-{zlib.crc32(os.fsencode(mountpoint)):08x}.log"


def _spawn(plan: MountPlan, status: int, log: str) -> subprocess.Popen[bytes]:
    file = _plan_file(plan)
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(
            _arguments(plan, status),
            stdin=file,
            stdout=output,
            stderr=output,
            pass_fds=(status,),
            start_new_session=True,
            cwd="/",
        )
    finally:
        os.close(file)
        os.close(output)


def _arguments(plan: MountPlan, status: int) -> list[str]:
    return [*SERVING, str(status), os.fsdecode(plan.source), os.fsdecode(plan.mountpoint)]


def _plan_file(plan: MountPlan) -> int:
    file = os.memfd_create("c3fs mount plan")
    os.write(file, plan.encode())
    os.lseek(file, 0, os.SEEK_SET)
    return file


def _await_ready(status: int, within: float, log: str) -> None:
    """Read the child's one line."""
    deadline = time.monotonic() + within
    line = b""
    while not line.endswith(b"\n"):
        readable, _, _ = select.select([status], [], [], max(deadline - time.monotonic(), 0))
        if not readable:
            raise DeadlineError("the mount", within)
        piece = os.read(status, _LINE_MAX)
        if not piece:
            raise MountError(f"the process that should serve the mount died; its log is {log}")
        line += piece
    said: dict[str, object] = json.loads(line)
    if "error" in said:
        code = said["code"]
        assert isinstance(code, int)
        raise ToldError(str(said["error"]), code)


def _said_by_fuse(log: str, begun: int) -> str:
    """libfuse and fusermount3 tell their reasons to stderr alone, which is the log from `begun` on."""
    with open(log, encoding="utf-8", errors="replace") as file:
        file.seek(begun)
        said = [line.strip() for line in file.read(_LINE_MAX).splitlines() if line.startswith(("fuse", "mount:"))]
    return f" ({'; '.join(said)})" if said else ""


def _verify(mountpoint: str, within: float) -> None:
    """Look at the mount as any user of it will; raises MountError, DeadlineError."""

    async def look() -> os.stat_result:
        with trio.fail_after(within):
            return await trio.to_thread.run_sync(os.stat, mountpoint, abandon_on_cancel=True)

    record = find_mount(mountpoint)
    if record is None or record.fstype != FSTYPE:
        raise MountError(f"{mountpoint}: the mount was live and is gone again")
    try:
        run_async(look)
    except trio.TooSlowError:
        raise DeadlineError(f"stat of {mountpoint}", within) from None
    except OSError as error:
        raise MountError(f"{mountpoint}: mounted, but stat says {error.strerror}") from error


def _stop(process: subprocess.Popen[bytes], mountpoint: str) -> None:
    """End the serving process, and leave nothing mounted even if it cannot end by itself."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(ENDS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    clear_dead_mount(mountpoint)
