"""The one table from what answers a presigned URL, and from no answer, to our errors.

    404, 416, other 4xx, 3xx          TransferRefusedError: asking again changes nothing; a redirect is not followed
    403 of a URL whose time is over   UrlExpiredError: another URL is needed (see `EXPIRED_CODES`)
    409, 412                          TransferConflictError: somebody else puts the same
    429                               RateLimitedError
    408, 425, 5xx, damaged on its way TransferUnavailableError, as everything without an answer

Of an answer its status, Retry-After and the code of S3's error document get into an error, and of the URL its host:
some servers repeat in their answer what was signed.
"""

from __future__ import annotations

import re
import socket
import ssl
from http.client import HTTPException, IncompleteRead
from typing import Final

from c3fs.errors import (
    C3Error,
    RateLimitedError,
    TransferConflictError,
    TransferRefusedError,
    TransferUnavailableError,
    UrlExpiredError,
)

EXPIRED_CODES: Final = frozenset({"ExpiredToken", "ExpiredPresignRequest", "RequestExpired", "RequestTimeTooSkewed"})
"""Of a URL whose time is over, or has not begun: the clock of who signed it was wrong, and may be right by now."""
_DENIED: Final = "AccessDenied"
"""What most servers call that, and other things: then their message tells, or there is none (Ceph)."""
_EXPIRED_MESSAGE: Final = re.compile(
    rb"<Message>(?:[^<]*(?:expired|not yet valid|not valid yet)[^<]*)?</Message>", re.I
)
_MESSAGE: Final = b"<Message"
_CODE: Final = re.compile(rb"<Code>([A-Za-z0-9]{1,64})</Code>")
PASSING_STATUS: Final = frozenset({408, 425})
"""Besides 5xx."""
PASSING_CODES: Final = frozenset(
    {
        "BadDigest",
        "IncompleteBody",
        "InvalidDigest",
        "RequestTimeout",
        "XAmzContentChecksumMismatch",
        "XAmzContentSHA256Mismatch",
    }
)
"""Of answers with 400: the bytes were damaged on their way, or too slow."""
CONFLICT_STATUS: Final = frozenset({409, 412})
RETRY_AFTER: Final = 1.0
RETRY_AFTER_MAX: Final = 60.0
"""Seconds: what 429 without a Retry-After means, and the most that one is believed."""


def from_answer(place: str, status: int, retry_after: str | None, document: bytes) -> C3Error:
    """For an answer that is not what was asked for; `document` is its body, or the beginning of it."""
    found = _CODE.search(document)
    code = None if found is None else found[1].decode()
    seconds = _retry_after(retry_after)
    shown = f"answered {status}" + (f" {code}" if code else "")
    if status == 429:
        return RateLimitedError(RETRY_AFTER if seconds is None else seconds)
    if _is_expired(status, code, document):
        return UrlExpiredError(place, f"{shown}; the URL is good no more", status=status, code=code, seconds=seconds)
    if status in CONFLICT_STATUS:
        return TransferConflictError(place, shown, status=status, code=code, seconds=seconds)
    if status >= 500 or status in PASSING_STATUS or (status == 400 and code in PASSING_CODES):
        return TransferUnavailableError(place, shown, status=status, code=code, seconds=seconds)
    if 300 <= status < 400:
        shown = f"answered {status} and sends us elsewhere, where no signature holds"
    return TransferRefusedError(place, shown, status=status, code=code, seconds=seconds)


def from_exception(place: str, error: OSError | HTTPException) -> C3Error:
    """For an exchange that came to no answer, or to half of one."""
    match error:
        case ssl.SSLCertVerificationError():
            why = f"its certificate is not trusted: {_one_line(error.verify_message)}"
            return TransferRefusedError(place, f"{why}; SSL_CERT_FILE may name the certificates to trust")
        case ssl.SSLError():
            return TransferUnavailableError(place, f"does not speak TLS as it should: {_one_line(error.reason or '')}")
        case TimeoutError():
            return TransferUnavailableError(place, "nothing moved in time")
        case socket.gaierror():
            return TransferUnavailableError(place, f"no such host, or none now: {_one_line(error.strerror or '')}")
        case IncompleteRead():
            return TransferUnavailableError(place, "broke off in the middle of its answer")
        case OSError():
            return TransferUnavailableError(place, f"broke off: {_one_line(error.strerror or type(error).__name__)}")
        case _:
            # What the others say may hold what was sent, or came.
            return TransferUnavailableError(place, f"does not speak HTTP as it should: {type(error).__name__}")


def _is_expired(status: int, code: str | None, document: bytes) -> bool:
    if status not in (400, 401, 403):
        return False
    if code == _DENIED:
        return _MESSAGE not in document or _EXPIRED_MESSAGE.search(document) is not None
    return code in EXPIRED_CODES


def _retry_after(text: str | None) -> float | None:
    """Seconds; None for a date too, which only equal clocks understand."""
    if text is None or not re.fullmatch(r"\d{1,9}", text.strip(), re.ASCII):
        return None
    return min(float(text), RETRY_AFTER_MAX)


def _one_line(text: str) -> str:
    shown = text[:200]
    return shown if shown.isprintable() else ascii(shown)[1:-1]
