"""Blobs, and the stores that keep them."""

from __future__ import annotations

from c3fs.errors.names import ConflictError
from c3fs.errors.root import C3Error


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
