"""Bodies and parameters of requests: read within bounds, decoded strictly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import aclosing
from typing import Final, TypeVar

import msgspec
from starlette.requests import Request

from c3fs.errors import InvalidRequestError, TooLargeError
from c3fs.server.bounds import bounded

T = TypeVar("T")

RECEIVING: Final = "receiving the request"
"""What is late when the client is."""
BODY_WITHIN: Final = 60.0
"""Seconds in which a body has to arrive: 64 MiB at 1.1 MB/s."""


async def read_body(request: Request, limit: int) -> bytearray:
    """All of it; raises TooLargeError as soon as it is known to have more than `limit` bytes, DeadlineError."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limit:
        raise TooLargeError("the body in bytes", limit)
    data = bytearray()
    with bounded(RECEIVING, BODY_WITHIN):
        async with aclosing(request.stream()) as chunks:
            async for chunk in chunks:
                if len(data) + len(chunk) > limit:
                    raise TooLargeError("the body in bytes", limit)
                data += chunk
    return data


def decode_body(data: bytearray, kind: type[T]) -> T:
    """Raises InvalidRequestError."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise InvalidRequestError(str(error)) from error


def decode_parameters(path: Mapping[str, str], query: list[tuple[str, str]], kind: type[T]) -> T:
    """Of the path and the query; raises InvalidRequestError."""
    values = dict(path)
    for name, value in query:
        if name in values:
            raise InvalidRequestError(f"the parameter {json.dumps(name)} is given twice")
        values[name] = value
    try:
        return msgspec.convert(values, type=kind, strict=False)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise InvalidRequestError(str(error)) from error
