"""Collecting, mounting and running."""

from __future__ import annotations

from c3fs.errors.root import C3Error


class CollectError(C3Error):
    """An output that cannot be collected as it is."""

    def __init__(self, path: bytes, why: str) -> None:
        super().__init__(f"{path.decode('utf-8', 'backslashreplace')}: {why}")
        self.path = path
        self.why = why


class FileChangedError(CollectError):
    def __init__(self, path: bytes, tries: int) -> None:
        super().__init__(path, f"changed while it was read, {tries} times; stop its writer before the script ends")
        self.tries = tries


class DownloadError(C3Error):
    """A local path that an artifact cannot be written to."""

    def __init__(self, path: bytes, why: str) -> None:
        super().__init__(f"{path.decode('utf-8', 'backslashreplace')}: {why}")
        self.path = path
        self.why = why


class MountError(C3Error):
    """A mount or unmount that did not happen."""


class MountBusyError(MountError):
    def __init__(self, mountpoint: str) -> None:
        super().__init__(f"{mountpoint} is busy: files are open in it, or it is somebody's working directory")
        self.mountpoint = mountpoint


class SandboxError(C3Error):
    """The job's private namespaces could not be made; the message says what to enable."""


class ExecutionError(C3Error):
    """The agent could not start or follow a job."""
