"""What the control plane says of errors, and what it keeps to itself."""

from __future__ import annotations

import logging

import msgspec
import pytest

from c3fs.api.messages import ErrorAnswer
from c3fs.errors import (
    C3Error,
    DeadlineError,
    JobNotFoundError,
    RateLimitedError,
    SettingsError,
    StoreRefusedError,
    StoreUnavailableError,
    TransferRefusedError,
    UnauthorizedError,
)
from c3fs.server.bodies import RECEIVING
from c3fs.server.faults import refusal

INSIDE = "/var/lib/c3fs on 10.0.0.7"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (StoreUnavailableError(INSIDE), 503, "unavailable"),
        (StoreRefusedError(INSIDE), 507, "refused"),
        (TransferRefusedError(INSIDE, "is full"), 507, "refused"),
        (DeadlineError(INSIDE, 30), 504, "deadline"),
    ],
)
def test_where_things_are_is_for_the_log_alone(
    error: C3Error, status: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    answer = refusal(error)
    assert answer.status_code == status
    assert msgspec.json.decode(answer.body, type=ErrorAnswer).error.code == code
    assert INSIDE.encode() not in bytes(answer.body)
    assert INSIDE in caplog.text


def test_the_others_are_told_as_they_are() -> None:
    answer = refusal(JobNotFoundError("job_1_abc123"))
    assert answer.status_code == 404
    assert b"job_1_abc123" in bytes(answer.body)
    assert RECEIVING.encode() in bytes(refusal(DeadlineError(RECEIVING, 60)).body)


def test_headers() -> None:
    assert refusal(RateLimitedError(0.2)).headers["retry-after"] == "1"
    assert refusal(RateLimitedError(2.5)).headers["retry-after"] == "3"
    assert refusal(UnauthorizedError()).headers["www-authenticate"] == "Bearer"


def test_an_error_without_a_code_of_its_own_has_that_of_its_kind() -> None:
    assert refusal(SettingsError("C3_HOME")).status_code == 422
