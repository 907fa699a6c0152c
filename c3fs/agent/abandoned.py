"""What an agent that died leaves in its job's directory: found by the lock, and cleared away.

Whoever clears a directory holds its lock, as the agent did, so nobody else does meanwhile; one that dies at it lets
the lock go, and the next begins again. Each step may be done twice.

The kernel ends the job's processes (see the package), and takes a moment for that: they are waited for, since they
write into the working directory and the log to their end.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Final

from c3fs.agent.joblog import PREFIX, JobLog, open_job_log
from c3fs.agent.workspace import LOCK, RUNNER_LOG, remove_tree
from c3fs.core.ids import is_job_id
from c3fs.errors import MountError
from c3fs.fuse.mounts import list_mounts, unmount

GONE_WITHIN: Final = 10.0
"""Seconds for the job's processes to end. Milliseconds do; without namespaces the first of them first looks for the
rest, and one that waits for a dead disk stays."""
YOUNG: Final = 60.0
"""Seconds in which a directory without a record may be that of a job being made: between the two are one
transaction and no more."""

_LOOK_EVERY: Final = 0.01
_LAST: Final = "FAILED (AGENT_LOST)"
_TAIL: Final = 4096
_ARTIFACTS: Final[dict[bool | None, str]] = {
    True: "its artifacts were stored before, at /jobs/{job_id}",
    False: "it stored no artifacts",
    None: "what it had stored, if anything, is at /jobs/{job_id}",
}


@contextmanager
def claimed(directory: str) -> Generator[bool]:
    """Whether nobody runs the job of that directory any more, and nobody clears it: then nobody will while the body
    runs. So it is also when the directory is gone. Where we may not look it is another user's, who will."""
    try:
        lock = os.open(f"{directory}/{LOCK}", os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        yield True
        return
    except PermissionError:
        yield False
        return
    try:
        yield _is_free(lock)
    finally:
        os.close(lock)


def _is_free(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise
        return False
    return True


def clear(directory: str, job_id: str, *, stored: bool | None) -> None:
    """Unmount what is mounted in a `claimed` directory, remove the working directory and end the log, which says
    whether artifacts are `stored` (None: who clears cannot know), and what could not be cleared. Takes up to
    GONE_WITHIN; blocks."""
    if not os.path.isdir(directory):
        return
    log = open_job_log(os.fsencode(f"{directory}/log"))
    try:
        gone = _wait_until_gone(directory, job_id)
        if not gone:
            log.line(f"warning: processes of the job have not ended in {GONE_WITHIN:g} s")
        # What still writes may be the agent itself, whose lock somebody has deleted.
        removed = _unmount_all(directory, log) and gone and _remove(f"{directory}/work", log)
        if os.path.lexists(f"{directory}/{LOCK}"):
            os.truncate(f"{directory}/{LOCK}", 0)
        if not _is_ended(log):
            work = "removed" if removed else "kept"
            artifacts = _ARTIFACTS[stored].format(job_id=job_id)
            log.line(f"{_LAST}: the agent died; {artifacts}; the working directory is {work}")
    finally:
        os.close(log.fileno())


def find_orphans(jobs_directory: str) -> list[str]:
    """The directories that may have no record: `c3 deploy` was killed before, or is about to make it, or the runner
    was never started. One listing, and one look at each."""
    names = [name for name in os.listdir(jobs_directory) if is_job_id(name)]
    directories = (f"{jobs_directory}/{name}" for name in names)
    return [path for path in directories if not os.path.lexists(f"{path}/{RUNNER_LOG}") and _is_old(path)]


def remove_orphan(directory: str) -> None:
    """Remove what is there before there is a record, in a `claimed` directory; one that has more stays."""
    try:
        for name in ("log", LOCK):
            if os.path.lexists(f"{directory}/{name}"):
                os.unlink(f"{directory}/{name}")
        os.rmdir(directory)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTEMPTY, errno.EACCES, errno.EPERM):
            raise


def _is_old(directory: str) -> bool:
    try:
        return time.time() - os.lstat(directory).st_mtime > YOUNG
    except FileNotFoundError:
        return False


def _wait_until_gone(directory: str, job_id: str) -> bool:
    deadline = time.monotonic() + GONE_WITHIN
    while any(_processes(directory, job_id)):
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_EVERY)
    return True


def _processes(directory: str, job_id: str) -> Iterator[int]:
    """Those that print to the job's log, as all of ours do, or have the environment of its script."""
    log = f"{directory}/log"
    variable = f"C3_JOB_ID={job_id}".encode()
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if log in (os.readlink(f"/proc/{name}/fd/1"), os.readlink(f"/proc/{name}/fd/2")):
                yield int(name)
                continue
            with open(f"/proc/{name}/environ", "rb") as file:
                if variable in file.read().split(b"\0") and int(name) != os.getpid():
                    yield int(name)
        except OSError:
            continue  # it has ended, or is another user's


def _unmount_all(directory: str, log: JobLog) -> bool:
    for record in reversed(list_mounts()):
        if record.mountpoint.startswith(f"{directory}/"):
            try:
                unmount(record.mountpoint, lazy=True)
            except MountError as error:
                log.line(f"warning: {error}")
                return False
    return True


def _remove(path: str, log: JobLog) -> bool:
    try:
        if os.path.lexists(path):
            remove_tree(path)
    except OSError as error:
        log.line(f"warning: cannot remove {path}: {error}")
        return False
    return True


def _is_ended(log: JobLog) -> bool:
    """Whether one of us had come as far, and died before it could tell the registry."""
    size = os.fstat(log.fileno()).st_size
    tail = os.pread(log.fileno(), _TAIL, max(0, size - _TAIL))
    return tail.splitlines()[-1:] != [] and tail.splitlines()[-1].startswith(PREFIX + _LAST.encode())
