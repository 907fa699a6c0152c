"""The one table from an S3 server's answers, and from no answer, to our errors.

The client's exceptions tell what the server said in their text only: its status and the code of S3's error document
are read out of that. Nothing else of it gets into a message, and no exception is chained: some servers repeat what they
have been sent, signature included.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, NamedTuple

from obstore.exceptions import BaseError

from c3fs.core.digest import Digest
from c3fs.errors import BlobMissingError, C3Error, StoreRefusedError, StoreUnavailableError
from c3fs.store.s3settings import S3Settings

_DETAILS: Final = "\n\nDebug source:"
_STATUS: Final = re.compile(r"status code: (\d{3})")
_CODE: Final = re.compile(r"<Code>([A-Za-z0-9]{1,64})</Code>")
_KEY_CODE: Final = re.compile(r"\(code: ([A-Za-z0-9]{1,64})\)\Z")
"""Where a request to delete was answered with 200, and what it says about one of its keys is an error."""
_KIND: Final = re.compile(r"\bkind: (\w{1,32})")

_KEYS: Final = "look at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_RIGHTS: Final = "this key needs the right to read, write, list and delete there"
_BUCKET: Final = "make the bucket, or name another"
_REGION: Final = "look at AWS_REGION and AWS_ENDPOINT_URL"
_CLOCK: Final = "set this machine's clock, or the server's: they are more than 15 minutes apart"
_TOKEN: Final = "get new temporary credentials (AWS_SESSION_TOKEN)"
_FULL: Final = "give it more space, or run gc"

REFUSED_CODES: Final[dict[str, str]] = {
    "AccessDenied": _RIGHTS,
    "AccountProblem": _KEYS,
    "AllAccessDisabled": _RIGHTS,
    "AuthorizationHeaderMalformed": _REGION,
    "ExpiredToken": _TOKEN,
    "IllegalLocationConstraintException": _REGION,
    "InvalidAccessKeyId": _KEYS,
    "InvalidBucketName": _BUCKET,
    "InvalidToken": _TOKEN,
    "NoSuchBucket": _BUCKET,
    "NotSignedUp": _KEYS,
    "PermanentRedirect": _REGION,
    "QuotaExceeded": _FULL,
    "RequestTimeTooSkewed": _CLOCK,
    "SignatureDoesNotMatch": _KEYS,
    "TokenRefreshRequired": _TOKEN,
    "UserSuspended": _KEYS,
}
"""S3's codes which no second try mends, with what does."""

REFUSED_STATUS: Final[dict[int, str]] = {
    301: _REGION,
    302: _REGION,
    307: _REGION,
    400: _REGION,
    401: _KEYS,
    403: f"{_KEYS}; {_RIGHTS}",
    404: _BUCKET,
    405: _REGION,
    507: _FULL,
}
"""Likewise, where the answer has no code that is known."""

PASSING_CODES: Final = frozenset(
    {
        "BadDigest",
        "IncompleteBody",
        "InvalidDigest",
        "OperationAborted",
        "RequestTimeout",
        "XAmzContentChecksumMismatch",
        "XAmzContentSHA256Mismatch",
    }
)
"""Of answers with a status like 400: damaged on the way, slow, or in each other's way."""
PASSING_STATUS: Final = frozenset({408, 409, 412, 425, 429})
"""Besides 5xx."""


class Answer(NamedTuple):
    """`status` is None when the server has not answered; then `kind` says what the client was doing, if it says so."""

    status: int | None
    code: str | None
    kind: str | None

    @property
    def shown(self) -> str:
        if self.status is not None:
            return f"it answered {self.status}" + (f" {self.code}" if self.code else "")
        match self.kind:
            case "Connect":
                return "no connection"
            case "Timeout":
                return "no answer in time"
            case _:
                return "the connection was lost"

    @property
    def settled(self) -> bool:
        """Whether the request is not going to be carried out any more: it was answered, and not by something between
        us and the server (5xx), or never sent."""
        return self.kind == "Connect" if self.status is None else self.status < 500


def answer_of(error: Exception) -> Answer:
    """What the server said, by the client's exception."""
    if error.__class__ is FileNotFoundError and _STATUS.search(str(error)) is None:
        return Answer(404, None, None)
    summary, _, details = str(error).partition(_DETAILS)
    if key_code := _KEY_CODE.search(summary):
        return Answer(200, key_code[1], None)
    status, code, kind = _STATUS.search(summary), _CODE.search(summary), _KIND.search(details)
    return Answer(int(status[1]) if status else None, code[1] if code else None, kind[1] if kind else None)


def store_error(answer: Answer, settings: S3Settings, digest: Digest | None = None) -> C3Error:
    """What `answer` is to a caller of the store; `digest` is the blob that was to be read."""
    if answer.status == 404 and digest is not None and answer.code in (None, "NoSuchKey"):
        return BlobMissingError(str(digest))
    what = f"{settings.place}: {answer.shown}"
    advice = _advice(answer)
    if advice is None:
        return StoreUnavailableError(what)
    return StoreRefusedError(f"{what}; {advice}")


def _advice(answer: Answer) -> str | None:
    """What mends it; None if trying again may."""
    status, code = answer.status, answer.code or ""
    if code in REFUSED_CODES:
        return REFUSED_CODES[code]
    if status in REFUSED_STATUS and code not in PASSING_CODES:
        return REFUSED_STATUS[status]
    if status in (None, 200) or status >= 500 or status in PASSING_STATUS or code in PASSING_CODES:
        return None
    return "c3fs needs a server that speaks S3; look at AWS_ENDPOINT_URL"


@contextmanager
def mapped(settings: S3Settings, digest: Digest | None = None) -> Generator[None]:
    """Raise what `store_error` makes of any error of the client's inside."""
    try:
        yield
    except (BaseError, OSError) as error:
        raise store_error(answer_of(error), settings, digest) from None
