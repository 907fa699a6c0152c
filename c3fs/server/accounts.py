"""Users, their roles and their keys. An admin of the account does everything; a user sees and makes his own keys."""

from __future__ import annotations

from c3fs.api.accounts import KeyRecord, MadeKey, Me, NewKey, NewRole, NewUser, UserRecord
from c3fs.api.messages import Name
from c3fs.core.access import EVERY, ROLES, Agent, JobToken, User
from c3fs.core.ref import is_project
from c3fs.errors import ForbiddenError, InvalidRequestError, NotFoundError
from c3fs.registry.control import KeyFacts, UserFacts
from c3fs.server.routes import ADMINS, ANYBODY, USERS, Call, NoBody, Parameters, Route

KINDS = frozenset({"user", "agent"})


class OneUser(Parameters, frozen=True, kw_only=True):
    name: Name


class OneGrant(Parameters, frozen=True, kw_only=True):
    name: Name
    project: str


class OneKey(Parameters, frozen=True, kw_only=True):
    id: Name


async def me(call: Call[Parameters, NoBody]) -> Me:
    """Whose key this is."""
    match call.principal:
        case User(account=account, name=name, roles=roles):
            return Me(account, "user", name, {project: role.word for project, role in roles.items()})
        case Agent(account=account, key=key):
            return Me(account, "agent", key)
        case JobToken(account=account, job=job):
            return Me(account, "job", job)


def _user_record(facts: UserFacts) -> UserRecord:
    return UserRecord(facts.name, facts.created, {project: role.word for project, role in facts.roles.items()})


def _key_record(facts: KeyFacts) -> KeyRecord:
    return KeyRecord(
        id=facts.id,
        user=facts.user,
        kind=facts.kind,
        label=facts.label,
        created=facts.created,
        expires=facts.expires,
        revoked=facts.revoked,
    )


async def list_users(call: Call[Parameters, NoBody]) -> list[UserRecord]:
    """The account's users and their roles."""
    return [_user_record(user) for user in await call.plane.database.access.users(call.account)]


async def add_user(call: Call[Parameters, NewUser]) -> UserRecord:
    """Add a user, who may nothing yet but read what belongs to the account."""
    await call.plane.database.access.add_user(call.account, call.body.name)
    return next(
        _user_record(user)
        for user in await call.plane.database.access.users(call.account)
        if user.name == call.body.name
    )


async def remove_user(call: Call[OneUser, NoBody]) -> None:
    """Remove a user, with all roles and keys."""
    await call.plane.database.access.remove_user(call.account, call.parameters.name)


async def grant(call: Call[OneGrant, NewRole]) -> None:
    """Give a user a role in a project, or in all (*)."""
    project, word = call.parameters.project, call.body.role
    if project != EVERY and not is_project(project):
        raise InvalidRequestError(f"not a project: {project!r}")
    if word is not None and word not in ROLES:
        raise InvalidRequestError(f"not a role: {word!r}")
    role = None if word is None else ROLES[word]
    await call.plane.database.access.grant(call.account, call.parameters.name, project, role)


async def list_keys(call: Call[Parameters, NoBody]) -> list[KeyRecord]:
    """The keys of whoever asks; those of the account, if an admin does."""
    user = None if call.user.is_admin else call.user.name
    return [_key_record(key) for key in await call.plane.database.access.keys(call.account, user)]


async def add_key(call: Call[Parameters, NewKey]) -> MadeKey:
    """Make a key; it is shown this one time. For others, and for agents, only an admin does. It is good for no longer
    than the key by which it was asked for."""
    new = call.body
    user = call.user.name if new.user is None else new.user
    if new.kind not in KINDS:
        raise InvalidRequestError(f"not a kind of key: {new.kind!r}")
    if not new.label.isprintable():
        raise InvalidRequestError("the label is not printable")
    if not call.user.is_admin and (user != call.user.name or new.kind != "user"):
        raise ForbiddenError("make keys for others")
    database, seconds = call.plane.database, new.seconds
    if call.user.expires is not None:
        left = (call.user.expires - database.now()).total_seconds()
        seconds = left if seconds is None else min(seconds, left)
    facts, secret = await database.access.add_key(call.account, user, new.kind, new.label, seconds)
    return MadeKey(secret, _key_record(facts))


async def revoke_key(call: Call[OneKey, NoBody]) -> None:
    """Revoke a key, one's own or, as an admin, any of the account."""
    access = call.plane.database.access
    if not call.user.is_admin:
        own = {key.id for key in await access.keys(call.account, call.user.name)}
        if call.parameters.id not in own:
            raise NotFoundError(f"{call.parameters.id}: no such key")
    await access.revoke(call.account, call.parameters.id)


ROUTES = (
    Route("GET", "me", me, Parameters, NoBody, Me, ANYBODY),
    Route("GET", "users", list_users, Parameters, NoBody, list[UserRecord], ADMINS),
    Route("POST", "users", add_user, Parameters, NewUser, UserRecord, ADMINS, 201, (409,)),
    Route("DELETE", "users/{name}", remove_user, OneUser, NoBody, None, ADMINS, 204, (404, 409)),
    Route("PUT", "users/{name}/roles/{project}", grant, OneGrant, NewRole, None, ADMINS, 204, (404, 409)),
    Route("GET", "keys", list_keys, Parameters, NoBody, list[KeyRecord], USERS),
    Route("POST", "keys", add_key, Parameters, NewKey, MadeKey, USERS, 201, (404, 409)),
    Route("DELETE", "keys/{id}", revoke_key, OneKey, NoBody, None, USERS, 204, (404, 409)),
)
