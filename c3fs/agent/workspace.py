"""The directory of one job on the machine that runs it.

    <jobs>/<id>/lock        locked (flock) by the agent for its whole life: see `abandoned`, and RESERVE
    <jobs>/<id>/log         the job log
    <jobs>/<id>/runner.log  what the agent's process itself prints, which is nothing
    <jobs>/<id>/script      the commands, when the job spec has them itself
    <jobs>/<id>/work/       the working directory: the project folder as it was published
    <jobs>/<id>/work/artifacts/   $C3_ARTIFACTS_DIR, empty at first

The first two are there before the job is recorded, the third before its agent is started; the working directory is
made by the agent, from the published tree that the record names as the job's source, so that any machine makes the
same. It is removed when the job has SUCCEEDED, when it could not be made, and when the agent died, for then it may be
half of anything; and kept otherwise.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
from typing import Final

import trio

from c3fs.agent.checkout import Checkout
from c3fs.agent.joblog import JobLog, open_job_log
from c3fs.core.jobspec import ARTIFACTS
from c3fs.core.ref import parse_ref
from c3fs.errors import C3Error, ExecutionError
from c3fs.fuse.mounts import list_mounts

LOCK: Final = "lock"
RESERVE: Final = 1 << 18
"""Bytes that the lock occupies while the job has not ended: a script that fills the disk leaves no room to record how
it ended, or to say so in the log. A transaction of the registry takes 30 KiB."""
RUNNER_LOG: Final = "runner.log"


class Workspace:
    """One job's directory while its agent runs."""

    def __init__(self, directory: str, lock_fd: int) -> None:
        self.directory = directory
        self.workdir = f"{directory}/work"
        self.artifacts = f"{self.workdir}/{ARTIFACTS}"
        self.log_path = f"{directory}/log"
        self.lock_fd = lock_fd
        self.log: JobLog = open_job_log(os.fsencode(self.log_path))

    def __repr__(self) -> str:
        return f"<Workspace {self.directory}>"

    async def fill(self, checkout: Checkout, source: str | None) -> None:
        """Make the working directory: a copy of `source`, the frozen ref of a project folder, or empty if the job has
        none; and in it an empty $C3_ARTIFACTS_DIR. Raises ExecutionError. Cancelled, or failed, it leaves nothing.
        """
        try:
            if source is None:
                os.mkdir(self.workdir)
            else:
                await checkout(parse_ref(source), os.fsencode(self.workdir))
            # The root of what is published: others may look into a mount of it. Here its parent keeps them out.
            os.chmod(self.workdir, 0o755)
            self._make_artifacts()
        except BaseException as error:
            with trio.CancelScope(shield=True):
                await self.remove_workdir()
            if isinstance(error, OSError):
                raise ExecutionError(f"cannot make {self.workdir}: {error.strerror}") from error
            if isinstance(error, C3Error):
                raise ExecutionError(f"cannot make {self.workdir}: {error}") from error
            raise

    def write_script(self, commands: str) -> str:
        """Keep the commands of the job spec in a file; its path."""
        path = f"{self.directory}/script"
        with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            file.write(commands if commands.endswith("\n") else f"{commands}\n")
        return path

    async def remove_workdir(self) -> None:
        """What cannot be removed is said in the log, and stays."""
        await trio.to_thread.run_sync(self._remove)

    @property
    def kept(self) -> str | None:
        """The working directory, if it is there."""
        return self.workdir if os.path.isdir(self.workdir) else None

    def give_room(self) -> None:
        """Free the RESERVE, for what is written last."""
        os.ftruncate(self.lock_fd, 0)

    def close(self) -> None:
        """Give the job up: from now on others may find it abandoned."""
        os.close(self.log.fileno())
        os.close(self.lock_fd)

    def _make_artifacts(self) -> None:
        """A project may bring the directory along, when its `.c3ignore` says so."""
        try:
            os.mkdir(self.artifacts, 0o755)
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(self.artifacts).st_mode):
                raise ExecutionError(f"the project's {ARTIFACTS!r} is not a directory; rename it") from None

    def _remove(self) -> None:
        if any(record.mountpoint.startswith(f"{self.workdir}/") for record in list_mounts()):
            self.log.line(f"warning: something is mounted in {self.workdir}, which is kept")
            return
        try:
            if os.path.lexists(self.workdir):
                remove_tree(self.workdir)
        except OSError as error:
            self.log.line(f"warning: cannot remove {self.workdir}: {error}")


def job_directory(jobs_directory: str, job_id: str) -> str:
    return os.path.join(os.path.realpath(jobs_directory), job_id)


def create_workspace(jobs_directory: str, job_id: str) -> Workspace:
    """Make and lock the directory of a new job. Raises ExecutionError."""
    directory = job_directory(jobs_directory, job_id)
    try:
        os.mkdir(directory, 0o700)
        lock_fd = os.open(f"{directory}/{LOCK}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.posix_fallocate(lock_fd, 0, RESERVE)
            return Workspace(directory, lock_fd)
        except OSError:
            os.close(lock_fd)
            raise
    except OSError as error:
        raise ExecutionError(f"cannot make the job's directory {directory}: {error.strerror}") from error


def remove_tree(path: str) -> None:
    """Also what is not writable, if it is ours. Raises OSError."""
    try:
        shutil.rmtree(path)
    except PermissionError:
        os.chmod(path, 0o700)  # one without the write bit keeps what is in it
        for directory, _, _ in os.walk(path):
            for entry in (entry for entry in os.scandir(directory) if entry.is_dir(follow_symlinks=False)):
                os.chmod(entry.path, 0o700)
        shutil.rmtree(path)
