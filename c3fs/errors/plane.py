"""The control plane: keys, leases, requests."""

from __future__ import annotations

from c3fs.errors.blobs import StoreUnavailableError
from c3fs.errors.input import InvalidError
from c3fs.errors.names import ConflictError
from c3fs.errors.root import C3Error


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
