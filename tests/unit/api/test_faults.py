"""Exceptions go over the wire and arrive as they were."""

from __future__ import annotations

import inspect
from typing import get_type_hints

import msgspec
import pytest
from hypothesis import given, strategies as st

from c3fs import errors
from c3fs.api.faults import INTERNAL, RETRY_AFTER, RETRY_AFTER_MAX, TABLE, decode, encode
from c3fs.errors import (
    AccessError,
    C3Error,
    ConflictError,
    IllegalTransitionError,
    InvalidRequestError,
    NotFoundError,
    RateLimitedError,
    RefNotFoundError,
    StoreUnavailableError,
    UnauthorizedError,
)

LOCAL = {
    # What only the machine of whoever calls can meet: its files, mounts, cache and jobs.
    "InvalidJobSpecError", "InvalidIgnoreError", "SettingsError", "KindError", "NotDirectoryError",
    "IsDirectoryError", "NotFileError", "NotSymlinkError", "BlobError", "CacheError", "CollectError",
    "FileChangedError", "DownloadError", "MountError", "MountBusyError", "SandboxError", "ExecutionError",
    "C3Error", "OutcomeUnknownError", "TransferError", "TransferUnavailableError", "TransferRefusedError",
    "TransferConflictError", "UrlExpiredError", "DeletionUnansweredError",
}  # fmt: skip


def made(kind: type[C3Error], draw: st.DrawFn) -> C3Error:
    if kind.__init__ is Exception.__init__:
        return kind(draw(st.text(max_size=20)))
    hints = get_type_hints(kind.__init__)
    values = {str: st.text(max_size=20), bytes: st.binary(max_size=20), int: st.integers(0, 1 << 60)}
    values |= {float: st.floats(0, 1e9)}
    return kind(**{name: draw(values[hints[name]]) for name in inspect.signature(kind).parameters})


@st.composite
def raised(draw: st.DrawFn) -> C3Error:
    return made(TABLE[draw(st.sampled_from(sorted(TABLE)))].error, draw)


@given(raised())
def test_every_error_survives_the_round_trip(error: C3Error) -> None:
    status, answer = encode(error)
    assert 400 <= status <= 599
    headers = {"retry-after": str(error.seconds)} if isinstance(error, RateLimitedError) else {}
    again = decode(status, msgspec.json.encode(answer), headers)
    assert type(again) is type(error)
    if isinstance(error, RateLimitedError):
        assert isinstance(again, RateLimitedError)
        assert again.seconds == min(error.seconds, RETRY_AFTER_MAX)
        return
    assert vars(again) == vars(error)
    assert str(again).isprintable()
    if str(error).isprintable():
        assert str(again) == str(error)


def test_every_error_is_in_the_table_or_cannot_come_from_a_control_plane() -> None:
    kinds = {name for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, C3Error)}
    assert {fault.error.__name__ for fault in TABLE.values()} == kinds - LOCAL
    assert len({fault.error for fault in TABLE.values()}) == len(TABLE)


def test_what_is_not_in_the_table_says_nothing_of_itself() -> None:
    status, answer = encode(errors.MountError("/secret is busy"))
    assert (status, answer.error.code, answer.error.facts) == (500, INTERNAL, {})
    assert "secret" not in answer.error.message
    assert type(decode(status, msgspec.json.encode(answer), {})) is StoreUnavailableError


def test_a_kind_of_an_error_in_the_table_travels_as_that() -> None:
    class Kind(IllegalTransitionError):
        pass

    status, answer = encode(Kind("job_1_abcdef", "RUNNING", "PENDING"))
    again = decode(status, msgspec.json.encode(answer), {})
    assert type(again) is IllegalTransitionError
    assert again.state == "RUNNING"


def test_text_that_is_no_unicode_arrives_readable() -> None:
    status, answer = encode(RefNotFoundError("/jobs/\udcff"))
    again = decode(status, msgspec.json.encode(answer), {})
    assert isinstance(again, RefNotFoundError)
    assert again.ref == "/jobs/\\udcff"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequestError),
        (401, UnauthorizedError),
        (403, AccessError),
        (404, NotFoundError),
        (405, InvalidRequestError),
        (408, StoreUnavailableError),
        (409, ConflictError),
        (412, ConflictError),
        (418, InvalidRequestError),
        (429, RateLimitedError),
        (500, StoreUnavailableError),
        (502, StoreUnavailableError),
        (599, StoreUnavailableError),
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>Bad gateway</body></html>",
        b"\xff\xfe",
        b"[]",
        b'{"error": "no"}',
        b'{"error": {"code": "never heard of", "message": "what\\nnow"}}',
        b'{"error": {"code": "illegal_transition", "message": "m", "facts": {"job_id": "j", "state": 7}}}',
    ],
)
def test_an_answer_of_somebody_else_means_what_its_status_says(status: int, kind: type[C3Error], body: bytes) -> None:
    error = decode(status, body, {})
    assert type(error) is kind
    assert "\n" not in str(error)
    assert len(str(error)) < 2000


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("3", 3.0),
        ("0", 0.0),
        ("1e9", RETRY_AFTER_MAX),
        ("nan", RETRY_AFTER),
        ("-1", RETRY_AFTER),
        ("Wed, 21 Oct 2015 07:28:00 GMT", RETRY_AFTER),
    ],
)
def test_retry_after_is_believed_within_bounds(said: str, seconds: float) -> None:
    error = decode(429, b"", {"retry-after": said})
    assert isinstance(error, RateLimitedError)
    assert error.seconds == seconds
