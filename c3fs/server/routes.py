"""What a route is: a line of the table of c3fs.api, with types. The dispatcher and the description are made from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

import msgspec

from c3fs.api.messages import RefText
from c3fs.core.access import Agent, JobToken, Principal, User
from c3fs.errors import ForbiddenError
from c3fs.registry.base import Registry
from c3fs.server.gateway import Gateway
from c3fs.server.plane import ControlPlane

P = TypeVar("P")
B = TypeVar("B")

SMALL: Final = 1 << 20
"""Bytes of a body that is no manifest, no blob and no log."""


class Who(StrEnum):
    """Whose keys a route is for at all; what exactly they may do there is said where it is done. `ADMIN` is a user
    with that role in the whole account, who is a `USER` as well."""

    USER = "user"
    ADMIN = "admin"
    AGENT = "agent"
    JOB = "job"


USERS: Final = frozenset({Who.USER})
ADMINS: Final = frozenset({Who.ADMIN})
READERS: Final = frozenset({Who.USER, Who.JOB})
AGENTS: Final = frozenset({Who.AGENT})
ANYBODY: Final = frozenset({Who.USER, Who.AGENT, Who.JOB})


def words_of(principal: Principal) -> frozenset[Who]:
    match principal:
        case User():
            return frozenset({Who.USER, Who.ADMIN}) if principal.is_admin else USERS
        case Agent():
            return frozenset({Who.AGENT})
        case JobToken():
            return frozenset({Who.JOB})


class NoBody(msgspec.Struct, frozen=True):
    """No body: what is sent all the same is not read."""


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of a path and its query: what it does not know it refuses."""


class OneRef(Parameters, frozen=True, kw_only=True):
    ref: RefText


@dataclass(frozen=True, slots=True)
class Call(Generic[P, B]):
    """One request, understood. `headers` are as they came, with names in lower case."""

    plane: ControlPlane
    principal: Principal
    parameters: P
    body: B
    headers: Mapping[str, str] = field(repr=False)

    @property
    def account(self) -> str:
        return self.principal.account

    @property
    def seen(self) -> Registry:
        """The registry as the principal sees it: what that is not is not there."""
        return self.plane.database.registry_of(self.principal)

    @property
    def everything(self) -> Registry:
        """The account's registry, for what has been allowed."""
        return self.plane.database.registry(self.account)

    @property
    def blobs(self) -> Gateway:
        """Those of the account."""
        return self.plane.gateway(self.account)

    @property
    def user(self) -> User:
        """Of a route that is for users alone."""
        if not isinstance(self.principal, User):
            raise ForbiddenError("do this")
        return self.principal


@dataclass(frozen=True, slots=True)
class Route(Generic[P, B]):
    """`answer` is a msgspec type, bytes, or None; `status` is that of success, and 204 that of a None. `body` is a
    msgspec type, bytearray (as it is), or NoBody. `may` are the refusals that the route has besides those that all
    routes of its kind have. `who` is empty where no key is needed."""

    method: str
    path: str
    call: Callable[[Call[P, B]], Awaitable[object]]
    parameters: type[P]
    body: type[B]
    answer: Any
    who: frozenset[Who]
    status: int = 200
    may: tuple[int, ...] = ()
    body_max: int = SMALL

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def summary(self) -> str:
        return " ".join((self.call.__doc__ or self.name).split("\n\n")[0].split())
