"""Accounts, their users, roles and keys in SQL. Each function is part of a transaction that its caller makes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from c3fs.core.access import ROLES, Role
from c3fs.errors import ConflictError, InvalidRequestError, NotFoundError
from c3fs.registry.keys import KEY, make_key_id, make_secret, sha256_of
from c3fs.registry.schema import accounts, grants, keys, users

KINDS: Final = ("user", "agent")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


@dataclass(frozen=True, slots=True)
class UserFacts:
    """`roles` by project, core.access.EVERY for all."""

    name: str
    created: datetime
    roles: Mapping[str, Role]


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """A key as it is listed: never the key itself. `kind` is "user" or "agent"."""

    id: str
    account: str
    user: str
    kind: str
    label: str
    created: datetime
    expires: datetime | None
    revoked: datetime | None


def add_account(connection: Connection, name: str, quota: int) -> None:
    _check_name(name)
    try:
        connection.execute(insert(accounts), {"name": name, "quota": quota, "stored": 0})
    except IntegrityError as error:
        raise ConflictError(f"{name}: there is an account of that name already") from error


def list_accounts(connection: Connection) -> list[str]:
    return sorted(connection.execute(select(accounts.c.name)).scalars())


def add_user(connection: Connection, account: str, name: str, now: datetime) -> None:
    _check_name(name)
    if connection.execute(select(accounts.c.name).where(accounts.c.name == account)).first() is None:
        raise NotFoundError(f"{account}: no such account")
    try:
        connection.execute(insert(users), {"account": account, "name": name, "created": now})
    except IntegrityError as error:
        raise ConflictError(f"{name}: there is a user of that name already") from error


def list_users(connection: Connection, account: str) -> list[UserFacts]:
    roles: dict[str, dict[str, Role]] = {}
    query = select(grants.c.user, grants.c.project, grants.c.role).where(grants.c.account == account)
    for user, project, role in connection.execute(query):
        roles.setdefault(user, {})[project] = ROLES[role]
    found = connection.execute(select(users.c.name, users.c.created).where(users.c.account == account))
    return sorted((UserFacts(name, at, roles.get(name, {})) for name, at in found), key=lambda user: user.name)


def remove_user(connection: Connection, account: str, name: str) -> None:
    """The grants and keys go with the row."""
    removed = connection.execute(delete(users).where(users.c.account == account, users.c.name == name))
    if removed.rowcount == 0:
        raise _no_user(name)


def grant(connection: Connection, account: str, user: str, project: str, role: Role | None) -> None:
    _lock_user(connection, account, user)
    here = (grants.c.account == account, grants.c.user == user, grants.c.project == project)
    connection.execute(delete(grants).where(*here))
    if role is not None:
        values = {"account": account, "user": user, "project": project, "role": role.word}
        connection.execute(insert(grants), values)


def add_key(
    connection: Connection, account: str, user: str, kind: str, label: str, seconds: float | None, now: datetime
) -> tuple[KeyFacts, str]:
    """Its facts, and the key itself."""
    if kind not in KINDS:
        raise InvalidRequestError(f"not a kind of key: {kind!r}")
    _lock_user(connection, account, user)
    secret = make_secret(KEY)
    expires = None if seconds is None else now + timedelta(seconds=seconds)
    facts = KeyFacts(make_key_id(), account, user, kind, label, now, expires, None)
    values = {
        "id": facts.id,
        "account": account,
        "user": user,
        "kind": kind,
        "label": label,
        "secret": sha256_of(secret),
        "created": now,
        "expires": expires,
    }
    connection.execute(insert(keys), values)
    return facts, secret


def list_keys(connection: Connection, account: str, user: str | None) -> list[KeyFacts]:
    """The oldest first."""
    query = select(keys).where(keys.c.account == account)
    if user is not None:
        query = query.where(keys.c.user == user)
    return [_facts(row) for row in connection.execute(query.order_by(keys.c.created, keys.c.id))]


def revoke(connection: Connection, account: str, key_id: str, now: datetime) -> None:
    """One that is revoked already keeps its time."""
    here = (keys.c.account == account, keys.c.id == key_id)
    connection.execute(update(keys).where(*here, keys.c.revoked.is_(None)).values(revoked=now))
    if connection.execute(select(keys.c.id).where(*here)).first() is None:
        raise NotFoundError(f"{key_id}: no such key")


def _lock_user(connection: Connection, account: str, name: str) -> None:
    """Nobody removes the user, or grants him anything, until this transaction ends."""
    query = select(users.c.name).where(users.c.account == account, users.c.name == name).with_for_update(key_share=True)
    if connection.execute(query).first() is None:
        raise _no_user(name)


def _no_user(name: str) -> NotFoundError:
    return NotFoundError(f"{name}: no such user")


def _check_name(name: str) -> None:
    """An account's name becomes part of paths and of S3 keys."""
    if not _NAME.match(name):
        raise InvalidRequestError(f"not a name (letters, digits, '.', '_', '-'; 64 at most): {name!r}")


def _facts(row: Row[Any]) -> KeyFacts:
    return KeyFacts(row.id, row.account, row.user, row.kind, row.label, row.created, row.expires, row.revoked)
