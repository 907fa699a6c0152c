"""What is named does not exist, not yet, or is taken."""

from __future__ import annotations

from c3fs.errors.root import C3Error


class NotFoundError(C3Error):
    """Nothing has that name."""


class RefNotFoundError(NotFoundError):
    def __init__(self, ref: str, why: str = "no such ref") -> None:
        super().__init__(f"{ref}: {why}")
        self.ref = ref
        self.why = why


class JobNotFoundError(NotFoundError):
    def __init__(self, job_id: str) -> None:
        super().__init__(f"{job_id}: no such job; `c3 squeue` lists the jobs")
        self.job_id = job_id


class JobNotFinishedError(C3Error):
    def __init__(self, job_id: str, state: str) -> None:
        super().__init__(f"{job_id} is {state}: its artifacts exist when it has finished")
        self.job_id = job_id
        self.state = state


class PathNotFoundError(NotFoundError):
    """No such entry in a published tree."""

    def __init__(self, path: bytes) -> None:
        super().__init__(f"{path.decode('utf-8', 'backslashreplace')}: no such file or directory")
        self.path = path


class KindError(C3Error):
    """An entry of a published tree that is not of the kind the operation needs."""

    def __init__(self, path: bytes, why: str) -> None:
        super().__init__(f"{path.decode('utf-8', 'backslashreplace')}: {why}")
        self.path = path


class NotDirectoryError(KindError):
    def __init__(self, path: bytes) -> None:
        super().__init__(path, "not a directory")


class IsDirectoryError(KindError):
    def __init__(self, path: bytes) -> None:
        super().__init__(path, "is a directory")


class NotFileError(KindError):
    def __init__(self, path: bytes) -> None:
        super().__init__(path, "not a regular file")


class NotSymlinkError(KindError):
    def __init__(self, path: bytes) -> None:
        super().__init__(path, "not a symlink")


class ConflictError(C3Error):
    """A name that must be unique, or a record that must not change, is taken."""


class IllegalTransitionError(ConflictError):
    def __init__(self, job_id: str, state: str, wanted: str) -> None:
        super().__init__(f"{job_id} is {state} and cannot become {wanted}")
        self.job_id = job_id
        self.state = state
        self.wanted = wanted


class OutdatedError(ConflictError):
    """Somebody else has published a version since the one that this was made from."""

    retryable = True

    def __init__(self, ref: str) -> None:
        super().__init__(f"{ref}: a newer version was published meanwhile; try again")
        self.ref = ref


class InUseError(ConflictError):
    """A published tree that a job which has not ended consumes."""

    def __init__(self, ref: str, job_id: str) -> None:
        super().__init__(f"{ref} is in use by {job_id}; wait for its end, or `c3 cancel {job_id}`")
        self.ref = ref
        self.job_id = job_id
