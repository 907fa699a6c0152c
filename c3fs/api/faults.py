"""The one table between exceptions and what the control plane answers: code, HTTP status, message, facts.

`encode` is the server's side, `decode` the client's: an error that is in TABLE arrives as the exception that was
raised, with its message and its attributes, so that whoever calls does not know how far away the registry is.

Facts are the parameters of the exception's constructor, each of which it keeps as an attribute. Bytes travel
percent-encoded. Text that is no Unicode (surrogates) travels with backslashes, and arrives so.

What arrives is trusted no further than its form: facts that are not the exception's own, a code nobody knows, a body
that is no JSON (a proxy's page) leave what the status says. Text is made one bounded line.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from inspect import signature
from typing import Final, NamedTuple, get_type_hints
from urllib.parse import quote_from_bytes, unquote_to_bytes

import msgspec

from c3fs.api.messages import ErrorAnswer, ErrorFacts
from c3fs.errors import (
    AccessError,
    BlobCorruptError,
    BlobMissingError,
    BlobsNotStoredError,
    BlobTooShortError,
    C3Error,
    ConflictError,
    DeadlineError,
    ForbiddenError,
    IllegalTransitionError,
    InUseError,
    InvalidDigestError,
    InvalidError,
    InvalidFormatError,
    InvalidNameError,
    InvalidRefError,
    InvalidRequestError,
    JobNotFinishedError,
    JobNotFoundError,
    LeaseLostError,
    LogOffsetError,
    NotFoundError,
    OutdatedError,
    PathNotFoundError,
    RateLimitedError,
    RefNotFoundError,
    StoreRefusedError,
    StoreUnavailableError,
    SweptError,
    TooLargeError,
    UnauthorizedError,
)

Fact = str | int | float | None


class Fault(NamedTuple):
    error: type[C3Error]
    status: int


TABLE: Final = {
    "invalid": Fault(InvalidError, 422),
    "invalid_request": Fault(InvalidRequestError, 422),
    "invalid_digest": Fault(InvalidDigestError, 422),
    "invalid_name": Fault(InvalidNameError, 422),
    "invalid_ref": Fault(InvalidRefError, 422),
    "invalid_format": Fault(InvalidFormatError, 422),
    "too_large": Fault(TooLargeError, 413),
    "unauthorized": Fault(UnauthorizedError, 401),
    "access": Fault(AccessError, 403),
    "forbidden": Fault(ForbiddenError, 403),
    "not_found": Fault(NotFoundError, 404),
    "ref_not_found": Fault(RefNotFoundError, 404),
    "job_not_found": Fault(JobNotFoundError, 404),
    "path_not_found": Fault(PathNotFoundError, 404),
    "blob_missing": Fault(BlobMissingError, 404),
    "conflict": Fault(ConflictError, 409),
    "job_not_finished": Fault(JobNotFinishedError, 409),
    "illegal_transition": Fault(IllegalTransitionError, 409),
    "outdated": Fault(OutdatedError, 409),
    "in_use": Fault(InUseError, 409),
    "lease_lost": Fault(LeaseLostError, 409),
    "log_offset": Fault(LogOffsetError, 409),
    "blobs_not_stored": Fault(BlobsNotStoredError, 409),
    "swept": Fault(SweptError, 409),
    "blob_corrupt": Fault(BlobCorruptError, 422),
    "blob_too_short": Fault(BlobTooShortError, 422),
    "rate_limited": Fault(RateLimitedError, 429),
    "unavailable": Fault(StoreUnavailableError, 503),
    "deadline": Fault(DeadlineError, 504),
    "refused": Fault(StoreRefusedError, 507),
}
INTERNAL: Final = "internal"
"""The code of what is a defect of the control plane: 500, and no word of what it was."""

TEXT_MAX: Final = 1000
"""Characters of a message that are shown."""
RETRY_AFTER: Final = 1.0
RETRY_AFTER_MAX: Final = 60.0
"""Seconds: what 429 without a Retry-After means, and the most that one is believed."""

_CODES: Final = {fault.error: code for code, fault in TABLE.items()}


def encode(error: C3Error) -> tuple[int, ErrorAnswer]:
    """The status and body for `error`, or for the nearest of its base classes that is in the table."""
    for kind in type(error).__mro__:
        code = _CODES.get(kind)
        if code is not None:
            return TABLE[code].status, _answer(code, str(error), _facts(error, TABLE[code].error))
    return 500, _answer(INTERNAL, "the control plane has failed", {})


def decode(status: int, body: bytes, headers: Mapping[str, str]) -> C3Error:
    """The error that an answer with `status` 400 or more stands for; `headers` have names in lower case."""
    told = _told(body)
    error = None if told is None else _rebuilt(told)
    if status == 429 or isinstance(error, RateLimitedError):
        return RateLimitedError(_retry_after(headers))
    return error or _by_status(status, "" if told is None else one_line(told.message))


def one_line(text: str) -> str:
    """Text from elsewhere as it may be shown: one line, printable, not long."""
    shown = text if len(text) <= TEXT_MAX else text[:TEXT_MAX] + "…"
    return shown if shown.isprintable() else ascii(shown)[1:-1]


def _answer(code: str, message: str, facts: dict[str, Fact]) -> ErrorAnswer:
    return ErrorAnswer(ErrorFacts(code, _text(message), facts))


@cache
def _parameters(kind: type[C3Error]) -> dict[str, object]:
    """Names and types of what its constructor takes; nothing for those that take a message, as Exception does."""
    if kind.__init__ is Exception.__init__:
        return {}
    hints = get_type_hints(kind.__init__)
    return {name: hints[name] for name in signature(kind).parameters if name in hints}


def _facts(error: C3Error, kind: type[C3Error]) -> dict[str, Fact]:
    return {name: _sent(getattr(error, name)) for name in _parameters(kind)}


def _sent(value: object) -> Fact:
    if isinstance(value, bytes):
        return quote_from_bytes(value)
    if isinstance(value, str):
        return _text(value)
    assert value is None or isinstance(value, int | float)
    return value


def _text(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _told(body: bytes) -> ErrorFacts | None:
    try:
        return msgspec.json.decode(body, type=ErrorAnswer).error
    except msgspec.MsgspecError:
        return None


def _rebuilt(told: ErrorFacts) -> C3Error | None:
    fault = TABLE.get(told.code)
    if fault is None:
        return None
    wanted = _parameters(fault.error)
    if not wanted:
        return fault.error(one_line(told.message))
    values: dict[str, object] = {}
    for name, kind in wanted.items():
        value = told.facts.get(name)
        if kind is bytes and isinstance(value, str):
            value = unquote_to_bytes(value)
        elif kind is float and isinstance(value, int):
            value = float(value)
        if not isinstance(kind, type) or not isinstance(value, kind):
            return None
        values[name] = value
    error = fault.error(**values)
    error.args = (one_line(told.message),)
    return error


def _retry_after(headers: Mapping[str, str]) -> float:
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return RETRY_AFTER
    return min(seconds, RETRY_AFTER_MAX) if seconds >= 0 else RETRY_AFTER


def _by_status(status: int, message: str) -> C3Error:
    said = f": {message}" if message else ""
    match status:
        case 401:
            return UnauthorizedError()
        case 403:
            return AccessError(message or "the control plane does not let this key do that")
        case 404:
            return NotFoundError(message or "the control plane knows no such thing")
        case 409 | 412:
            return ConflictError(message or "the control plane says that something else is there")
        case 408 | 425:
            return StoreUnavailableError(f"the control plane answered {status}{said}")
        case _ if status >= 500:
            return StoreUnavailableError(f"the control plane answered {status}{said}")
        case _:
            return InvalidRequestError(message or f"the control plane answered {status}")
