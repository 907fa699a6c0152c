"""What did not come to an answer of a control plane: no connection, no trust, or somebody else at the other end.

One line each, that names the endpoint and, where it is known, what to do.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Mapping
from typing import cast
from urllib.parse import urlsplit

import msgspec

from c3fs.api.faults import decode, one_line
from c3fs.api.messages import ErrorAnswer
from c3fs.errors import C3Error, StoreRefusedError, StoreUnavailableError


def from_transport(endpoint: str, error: BaseException, *, connected: bool) -> C3Error:
    """For what httpx raised instead of an answer."""
    cause = _cause(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return StoreRefusedError(
            f"{endpoint}: its certificate is not trusted: {one_line(cause.verify_message)}; "
            "SSL_CERT_FILE may name the certificates to trust"
        )
    if isinstance(cause, ssl.SSLError):
        return StoreRefusedError(f"{endpoint} does not speak TLS as it should: {one_line(cause.reason or str(cause))}")
    if isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME:
        return StoreRefusedError(f"cannot connect to {endpoint}: no such host")
    why = (_strerror(cause) if isinstance(cause, OSError) else None) or str(error) or type(error).__name__
    what = f"{endpoint} broke off" if connected else f"cannot connect to {endpoint}"
    return StoreUnavailableError(f"{what}: {one_line(why)}")


def from_answer(endpoint: str, status: int, body: bytes, headers: Mapping[str, str]) -> C3Error:
    """For an answer that is an error, or nothing that a control plane says."""
    if _is_ours(body) or status == 429 or status >= 500:
        return decode(status, body, headers)
    if 300 <= status < 400:
        return StoreRefusedError(f"{endpoint} sends us elsewhere{_place(headers)}; is the endpoint right?")
    kind = one_line(headers.get("content-type", "")) or "no content type"
    return StoreRefusedError(f"{endpoint} does not answer as a control plane: {status}, {kind}; is the endpoint right?")


def _strerror(error: OSError) -> str | None:
    """What the system calls it, without what libraries have added."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror


def _is_ours(body: bytes) -> bool:
    try:
        msgspec.json.decode(body, type=ErrorAnswer)
    except msgspec.MsgspecError:
        return False
    return True


def _place(headers: Mapping[str, str]) -> str:
    """Where to, without what may be secret in it."""
    try:
        parts = urlsplit(headers.get("location", ""))
        host = parts.hostname
    except ValueError:
        return ""
    return f", to {one_line(f'{parts.scheme}://{host}')}" if host else ""


def _cause(error: BaseException) -> BaseException:
    """The system's own error, under those that were made of it."""
    seen = error
    while True:
        below = seen.__cause__ or seen.__context__
        if isinstance(below, BaseExceptionGroup):
            below = cast("BaseExceptionGroup[BaseException]", below).exceptions[0]
        if below is None:
            return seen
        seen = below
