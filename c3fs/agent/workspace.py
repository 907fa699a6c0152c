"""The directory of one job on the machine that runs it.

    <jobs>/<id>/lock        locked (flock) by the agent for its whole life: see `is_abandoned`
    <jobs>/<id>/log         the job log
    <jobs>/<id>/script      the commands, when the job spec has them itself
    <jobs>/<id>/work/       the working directory: a copy of the project folder
    <jobs>/<id>/work/artifacts/   $C3_ARTIFACTS_DIR, empty at first

The working directory is removed when the job has SUCCEEDED, and kept otherwise. What is not copied: what a job
makes for itself or never needs (`SKIPPED`), what `c3 pull` brought, and c3's own directories.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Collection, Iterable
from typing import Final

import trio

from c3fs.agent.joblog import JobLog, open_job_log
from c3fs.core.ids import is_job_id
from c3fs.core.jobspec import ARTIFACTS
from c3fs.errors import ExecutionError
from c3fs.fuse.mounts import list_mounts

SKIPPED: Final = frozenset({".git", ".venv", "node_modules", "__pycache__", ARTIFACTS})
"""Names at the top of a project folder that are not copied."""

_LOCK: Final = "lock"


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

    async def fill(self, project: str, excluded: Collection[str] = ()) -> None:
        """Copy the project folder: modes, times and symlinks as they are, special files left out with a warning
        in the log. `excluded` are directories of c3 that may lie in it. Raises ExecutionError.

        Cancelling leaves a part of the copy.
        """
        await trio.to_thread.run_sync(self._copy, project, excluded)

    def write_script(self, commands: str) -> str:
        """Keep the commands of the job spec in a file; its path."""
        path = f"{self.directory}/script"
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(commands if commands.endswith("\n") else f"{commands}\n")
        return path

    async def remove_workdir(self) -> None:
        """What cannot be removed is said in the log, and stays."""
        await trio.to_thread.run_sync(self._remove)

    def close(self) -> None:
        """Give the job up: from now on others may find it abandoned."""
        os.close(self.log.fileno())
        os.close(self.lock_fd)

    def _copy(self, project: str, excluded: Collection[str]) -> None:
        top = os.path.realpath(project)
        avoided = {os.path.realpath(path) for path in (*excluded, os.path.dirname(self.directory))}

        def ignore(directory: str, names: list[str]) -> Iterable[str]:
            trio.from_thread.check_cancelled()
            return [name for name in names if self._is_left_out(directory, name, avoided, top=directory == top)]

        try:
            shutil.copytree(top, self.workdir, symlinks=True, ignore=ignore, copy_function=_copy_file)
            # The root of what is published: others may look into a mount of it. Here its parent keeps them out.
            os.chmod(self.workdir, 0o755)
            os.mkdir(self.artifacts, 0o755)
        except OSError as error:
            raise ExecutionError(f"cannot copy the project folder: {_first_reason(error)}") from error

    def _is_left_out(self, directory: str, name: str, avoided: Collection[str], *, top: bool) -> bool:
        if top and (name in SKIPPED or is_job_id(name)):
            return True
        path = os.path.join(directory, name)
        mode = os.lstat(path).st_mode
        if stat.S_ISDIR(mode):
            return os.path.realpath(path) in avoided
        if stat.S_ISREG(mode) or stat.S_ISLNK(mode):
            return False
        self.log.line(f"warning: {path} is a socket, pipe or device, and is not copied")
        return True

    def _remove(self) -> None:
        if any(record.mountpoint.startswith(f"{self.workdir}/") for record in list_mounts()):
            self.log.line(f"warning: something is mounted in {self.workdir}, which is kept")
            return
        try:
            _remove_tree(self.workdir)
        except OSError as error:
            self.log.line(f"warning: cannot remove {self.workdir}: {error}")


def create_workspace(jobs_directory: str, job_id: str) -> Workspace:
    """Make and lock the directory of a new job. Raises ExecutionError."""
    directory = os.path.join(os.path.realpath(jobs_directory), job_id)
    try:
        os.mkdir(directory, 0o700)
        lock_fd = os.open(f"{directory}/{_LOCK}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return Workspace(directory, lock_fd)
    except OSError as error:
        raise ExecutionError(f"cannot make the job's directory {directory}: {error.strerror}") from error


def is_abandoned(directory: str) -> bool:
    """Whether no agent runs the job of that directory any more: nobody holds its lock."""
    try:
        fd = os.open(f"{directory}/{_LOCK}", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise
        return False
    finally:
        os.close(fd)
    return True


def _copy_file(source: str, target: str) -> str:
    trio.from_thread.check_cancelled()
    return shutil.copy2(source, target, follow_symlinks=False)


def _first_reason(error: OSError) -> str:
    """shutil collects what failed as (source, target, reason)."""
    if isinstance(error, shutil.Error) and error.args and error.args[0]:
        source, _, reason = error.args[0][0]
        return f"{source}: {reason}"
    return f"{error.filename}: {error.strerror}"


def _remove_tree(path: str) -> None:
    try:
        shutil.rmtree(path)
    except PermissionError:
        for directory, _, _ in os.walk(path):  # one without the write bit keeps what is in it
            for entry in (entry for entry in os.scandir(directory) if entry.is_dir(follow_symlinks=False)):
                os.chmod(entry.path, 0o700)
        shutil.rmtree(path)
