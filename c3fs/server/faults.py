"""Refusals and defects as answers: the table is c3fs.api.faults.

What the database and the store say of themselves names paths and hosts of the control plane, which are the engineer's:
they are logged, and the client is told what it is to do. A defect is logged with its traceback under a random id, and
the client is told the id.
"""

from __future__ import annotations

import logging
import math
import secrets
from typing import Final

import msgspec
from starlette.responses import Response

from c3fs.api import faults
from c3fs.api.messages import ErrorAnswer, ErrorFacts
from c3fs.errors import (
    C3Error,
    DeadlineError,
    RateLimitedError,
    StoreRefusedError,
    StoreUnavailableError,
    UnauthorizedError,
)
from c3fs.server.bodies import RECEIVING

JSON: Final = "application/json"

log = logging.getLogger("c3fs.server")


def refusal(error: C3Error) -> Response:
    """The answer that says `error`."""
    status, answer = faults.encode(_told(error))
    if status == 500:
        return defect(error)
    return _response(status, answer, _headers(error))


def defect(error: Exception) -> Response:
    """The answer to a request that has met a defect of ours."""
    number = secrets.token_hex(6)
    log.error("defect %s", number, exc_info=error)
    return _response(500, _answer(faults.INTERNAL, f"the control plane has failed; its log says how at {number}"), {})


def plain(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """For what never came to a route: no such path, no such method."""
    return _response(status, _answer("not_found" if status == 404 else "invalid_request", message), headers or {})


def _told(error: C3Error) -> C3Error:
    match error:
        case RateLimitedError():
            return error
        case StoreUnavailableError():
            log.warning("unavailable: %s", error)
            return StoreUnavailableError("the control plane's database or store does not answer; try again")
        case StoreRefusedError():
            log.error("refused: %s", error)
            return StoreRefusedError("the control plane's database or store cannot do this; its log says why")
        case DeadlineError(what=what, seconds=seconds) if what != RECEIVING:
            log.warning("late: %s", error)
            return DeadlineError("a call of the control plane to its database or store", seconds)
        case _:
            return error


def _headers(error: C3Error) -> dict[str, str]:
    match error:
        case UnauthorizedError():
            return {"WWW-Authenticate": "Bearer"}
        case RateLimitedError(seconds=seconds):
            return {"Retry-After": str(max(1, math.ceil(seconds)))}
        case _:
            return {}


def _answer(code: str, message: str) -> ErrorAnswer:
    return ErrorAnswer(ErrorFacts(code, message))


def _response(status: int, answer: ErrorAnswer, headers: dict[str, str]) -> Response:
    return Response(msgspec.json.encode(answer), status, headers, JSON)
