"""Every exception c3fs raises on purpose.

An error carries facts as attributes and writes its own one-line message from them: what is wrong, and what
to do where that is known. It knows no errno (`fuse.errno` maps it) and no exit code (`cli.exits` does).
`retryable` says whether the same call may succeed later without anybody changing anything.
"""

from __future__ import annotations

from typing import ClassVar


class C3Error(Exception):
    """The root of them all; anything else that reaches a user is a defect of c3fs."""

    retryable: ClassVar[bool] = False


# --- input that is refused where it enters ---------------------------------------------------------------


class InvalidError(C3Error):
    """The input has the wrong form; the same input is never going to be accepted."""


class InvalidDigestError(InvalidError):
    def __init__(self, text: str) -> None:
        super().__init__(f"not a digest (64 lower-case hex digits): {text!r}")
        self.text = text


class InvalidNameError(InvalidError):
    def __init__(self, name: bytes, why: str) -> None:
        super().__init__(f"not a file name: {name!r} {why}")
        self.name = name
        self.why = why


class InvalidRefError(InvalidError):
    def __init__(self, text: str, why: str) -> None:
        super().__init__(f"not a ref: {text!r}: {why}; a ref looks like /jobs/<id> or /jobs/<id>/<sub-path>")
        self.text = text
        self.why = why


class InvalidFormatError(InvalidError):
    """A directory, span list, inventory or manifest that breaks the rules of format 1.

    `why` may quote what came in: the message shows it on one line, and not much of it.
    """

    def __init__(self, what: str, why: str) -> None:
        shown = why[:300]
        super().__init__(f"invalid {what}: {shown if shown.isprintable() else ascii(shown)}")
        self.what = what
        self.why = why


class InvalidJobSpecError(InvalidError):
    """A `.c3` file that is refused; `line` and `column` count from 1."""

    def __init__(self, path: str, line: int, column: int, why: str) -> None:
        super().__init__(f"{path}:{line}:{column}: {why}")
        self.path = path
        self.line = line
        self.column = column
        self.why = why


class InvalidIgnoreError(InvalidError):
    """A line of a `.c3ignore` file that is refused; `line` counts from 1."""

    def __init__(self, path: str, line: int, why: str) -> None:
        super().__init__(f"{path}:{line}: {why}")
        self.path = path
        self.line = line
        self.why = why


class SettingsError(InvalidError):
    """A setting from the environment that is wrong, or names a place that cannot be used."""


# --- what is named does not exist, or not yet ------------------------------------------------------------


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


# --- blobs -----------------------------------------------------------------------------------------------


class BlobError(C3Error):
    """Something about one blob; `digest` is its 64 hex digits."""

    def __init__(self, digest: str, message: str) -> None:
        super().__init__(message)
        self.digest = digest


class BlobMissingError(BlobError):
    """The store answers that it has no such blob: permanent."""

    def __init__(self, digest: str) -> None:
        super().__init__(digest, f"the store has no blob {digest}")


class BlobCorruptError(BlobError):
    """The bytes are not those the digest names. A second try may reach a good copy."""

    retryable = True

    def __init__(self, digest: str, actual: str) -> None:
        super().__init__(digest, f"blob {digest} is corrupt: its bytes have the digest {actual}")
        self.actual = actual


class BlobTooShortError(BlobError):
    """A span reaches beyond the end of its blob: whoever published it lied, or wrote a defect down."""

    def __init__(self, digest: str, size: int, needed: int) -> None:
        super().__init__(digest, f"blob {digest} has {size} bytes, and a span needs {needed} of it")
        self.size = size
        self.needed = needed


class SweptError(C3Error):
    """Blobs that were found in the store may have been deleted by a gc that ran meanwhile."""

    retryable = True

    def __init__(self, ref: str) -> None:
        super().__init__(f"{ref}: a gc that ran meanwhile may have deleted blobs of it; publish it again")
        self.ref = ref


class StoreUnavailableError(C3Error):
    """The store did not answer, or answered that it cannot now."""

    retryable = True


class DeletionUnansweredError(StoreUnavailableError):
    """The store was asked to delete blobs and did not answer: it may still do so, for so many `seconds`."""

    def __init__(self, place: str, seconds: float) -> None:
        super().__init__(f"{place}: a deletion was not answered; the next gc tries again")
        self.place = place
        self.seconds = seconds


class StoreRefusedError(C3Error):
    """The store cannot take or give this, and will not on a second try (full disk, no permission)."""


class TransferError(C3Error):
    """A blob that was not moved by URL. `place` is the server's host; `status` and `code` are what it answered, if it
    did, and with one of S3's codes; `seconds` is after how many it wants to be asked again, if it says so.

    Nothing of the URL is in it: whoever has that needs no key.
    """

    def __init__(
        self, place: str, why: str, *, status: int | None = None, code: str | None = None, seconds: float | None = None
    ) -> None:
        C3Error.__init__(self, f"{place}: {why}")
        self.place = place
        self.why = why
        self.status = status
        self.code = code
        self.seconds = seconds


class TransferUnavailableError(TransferError, StoreUnavailableError):
    """No answer, half of one, or one that says: not now."""


class TransferRefusedError(TransferError, StoreRefusedError):
    """The same request will get the same answer: 404 is one of them."""


class TransferConflictError(TransferUnavailableError, ConflictError):
    """Somebody else puts the same at this moment, or has (409, 412)."""


class UrlExpiredError(TransferUnavailableError):
    """The URL was good for a time, which is over; another one is needed."""


class DeadlineError(C3Error):
    """A bounded wait ended."""

    retryable = True

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(f"{what} did not finish in {seconds:g} s")
        self.what = what
        self.seconds = seconds


class CacheError(C3Error):
    """There can be no cache; whoever meets this goes on without one."""


# --- collecting and running ------------------------------------------------------------------------------


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


# --- the control plane -----------------------------------------------------------------------------------


class AccessError(C3Error):
    """The control plane does not let this key do that."""


class UnauthorizedError(AccessError):
    """No key, or one that is wrong, expired or revoked: which of these is not told."""

    def __init__(self, why: str = "the key is missing, wrong, expired or revoked") -> None:
        super().__init__(f"{why}; `c3 login` stores another")
        self.why = why


class ForbiddenError(AccessError):
    """The key may see this, and not do it."""

    def __init__(self, what: str) -> None:
        super().__init__(f"this key may not {what}")
        self.what = what


class TooLargeError(InvalidError):
    """`limit` is in bytes, or in what `what` counts."""

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(f"{what} is larger than the {limit} that are allowed")
        self.what = what
        self.limit = limit


class InvalidRequestError(InvalidError):
    """A request that the control plane does not understand."""

    def __init__(self, why: str) -> None:
        shown = why[:300]
        super().__init__(f"invalid request: {shown if shown.isprintable() else ascii(shown)}")
        self.why = why


class RateLimitedError(StoreUnavailableError):
    """Too many requests; `seconds` until the next is welcome."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"too many requests; try again in {seconds:g} s")
        self.seconds = seconds


class OutcomeUnknownError(StoreUnavailableError):
    """No answer came to a request that must not be made twice: whether it was done is not known."""


class LeaseLostError(ConflictError):
    """The job is not this agent's any more."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"{job_id}: its lease has ended; it is not this agent's job any more")
        self.job_id = job_id


class LogOffsetError(ConflictError):
    """A piece of a log that does not begin where the log ends; `end` is where that is."""

    def __init__(self, job_id: str, end: int) -> None:
        super().__init__(f"{job_id}: its log ends at byte {end}")
        self.job_id = job_id
        self.end = end


class BlobsNotStoredError(ConflictError):
    """A manifest that names blobs which are not stored; `digest` is one of them."""

    def __init__(self, ref: str, digest: str, count: int) -> None:
        super().__init__(f"{ref}: {count} of its blobs are not stored, {digest} for one; upload them first")
        self.ref = ref
        self.digest = digest
        self.count = count
