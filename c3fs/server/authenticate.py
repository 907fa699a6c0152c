"""Who asks: from the Authorization header to a principal, and the limits on asking.

A wrong key costs a look in the database, so a stranger's address has a small bucket of its own, which is looked at
before the database is. Whoever has shown a valid key lately is let past that: somebody at the same address who guesses
cannot shut the others out. All keys of a user share a bucket, for users make keys for themselves.
"""

from __future__ import annotations

from collections.abc import Hashable
from hashlib import sha256
from typing import Final

from starlette.requests import Request

from c3fs.core.access import Agent, JobToken, Principal, User
from c3fs.errors import UnauthorizedError
from c3fs.server.plane import ControlPlane

_SCHEME: Final = "bearer "
_SECRET_MAX: Final = 200


async def authenticate(plane: ControlPlane, request: Request) -> Principal:
    """Raises UnauthorizedError, RateLimitedError."""
    address = address_of(request)
    secret = _secret(request)
    if secret is None:
        plane.strangers.take(address)
        raise UnauthorizedError
    # The digest: no table of the process holds a secret.
    digest = sha256(secret.encode()).digest()
    if digest not in plane.known:
        plane.strangers.demand(address)
    principal = await plane.database.access.authenticate(secret)
    if principal is None:
        plane.known.discard(digest)
        plane.strangers.take(address)
        raise UnauthorizedError
    plane.known.add(digest)
    plane.keys.take(_bucket_of(principal))
    return principal


def _bucket_of(principal: Principal) -> Hashable:
    match principal:
        case User(account=account, name=name):
            return "user", account, name
        case Agent(account=account, key=key):
            return "agent", account, key
        case JobToken(account=account, job=job):
            return "job", account, job


def admit_stranger(plane: ControlPlane, request: Request) -> None:
    """To what needs no key; raises RateLimitedError."""
    plane.strangers.take(address_of(request))


def address_of(request: Request) -> str:
    """Of the peer: what a proxy says of somebody else is anybody's word."""
    return "" if request.client is None else request.client.host


def _secret(request: Request) -> str | None:
    header = request.headers.get("authorization", "")
    secret = header[len(_SCHEME) :].strip()
    if header[: len(_SCHEME)].lower() != _SCHEME or not secret.isascii() or len(secret) > _SECRET_MAX:
        return None
    return secret or None
