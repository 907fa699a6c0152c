"""`c3fs admin`: accounts, users and keys, directly in the database, for the engineer who runs the control plane.

This is how the first key is made. Who has the database has everything in it, so nothing is asked but its address.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from c3fs.cli import output
from c3fs.cli.databases import database_option
from c3fs.cli.durations import parse_duration
from c3fs.cli.exits import UsageError, run_async
from c3fs.cli.program import Group, json_option
from c3fs.cli.sizes import parse_size
from c3fs.core.access import EVERY, ROLES
from c3fs.core.ref import is_project

if TYPE_CHECKING:
    from c3fs.registry.control import ControlDatabase, KeyFacts

T = TypeVar("T")

_role = click.Choice(sorted(ROLES, key=lambda word: ROLES[word]))
_project_option = click.option("--project", default=EVERY, metavar="PROJECT", help="Where; default: in all projects.")


@click.group("admin", cls=Group)
def admin() -> None:
    """Make accounts, users and keys in the control plane's database.

    \b
    Example: export C3_DB=sqlite:////var/lib/c3fs/registry.db
             c3fs admin add-account acme
             c3fs admin add-user acme ann --role admin
             c3fs admin add-key acme ann
    """


@admin.command("add-account")
@click.argument("account")
@click.option("--quota", metavar="SIZE", help="What it may store before it is warned; default: 100GiB.")
@database_option
def add_account(account: str, quota: str | None, db: str) -> None:
    """Add an account."""
    size = None if quota is None else parse_size(quota, "--quota")

    async def work(database: ControlDatabase) -> None:
        await (database.access.add_account(account) if size is None else database.access.add_account(account, size))

    _run(db, work)


@admin.command("accounts")
@database_option
@json_option
def accounts(db: str, as_json: bool) -> None:
    """List the accounts."""
    names = _run(db, lambda database: database.access.accounts())
    if as_json:
        output.write_json(list(names))
    else:
        output.write("".join(f"{name}\n" for name in names))


@admin.command("add-user")
@click.argument("account")
@click.argument("user")
@click.option("--role", type=_role, help="What the user may do.")
@_project_option
@database_option
def add_user(account: str, user: str, role: str | None, project: str, db: str) -> None:
    """Add a user to an account, with a role if one is said."""
    _check_project(project)

    async def work(database: ControlDatabase) -> None:
        await database.access.add_user(account, user)
        if role is not None:
            await database.access.grant(account, user, project, ROLES[role])

    _run(db, work)


@admin.command("remove-user")
@click.argument("account")
@click.argument("user")
@database_option
def remove_user(account: str, user: str, db: str) -> None:
    """Remove a user, with all roles and keys."""
    _run(db, lambda database: database.access.remove_user(account, user))


@admin.command("users")
@click.argument("account")
@database_option
@json_option
def users(account: str, db: str, as_json: bool) -> None:
    """List the users of an account and their roles."""
    found = _run(db, lambda database: database.access.users(account))
    roles = {user.name: {project: role.word for project, role in sorted(user.roles.items())} for user in found}
    if as_json:
        output.write_json([{"name": name, "roles": held} for name, held in roles.items()])
        return
    for name, held in roles.items():
        output.write(f"{name}  {', '.join(f'{project}: {word}' for project, word in held.items()) or '-'}\n")


@admin.command("grant")
@click.argument("account")
@click.argument("user")
@click.argument("role", type=click.Choice([*sorted(ROLES, key=lambda word: ROLES[word]), "none"]))
@_project_option
@database_option
def grant(account: str, user: str, role: str, project: str, db: str) -> None:
    """Give a user a role, or take it away (none)."""
    _check_project(project)
    _run(db, lambda database: database.access.grant(account, user, project, ROLES.get(role)))


@admin.command("add-key")
@click.argument("account")
@click.argument("user")
@click.option("--agent", is_flag=True, help="A key that takes jobs from the queue, and does nothing else.")
@click.option("--label", default="", metavar="TEXT", help="What it is for.")
@click.option("--expires", metavar="DURATION", help="How long it is good; default: until it is revoked.")
@database_option
@json_option
def add_key(account: str, user: str, agent: bool, label: str, expires: str | None, db: str, as_json: bool) -> None:
    """Make a key for a user and print it: this one time."""
    seconds = None if expires is None else parse_duration(expires, "--expires")
    kind = "agent" if agent else "user"
    facts, secret = _run(db, lambda database: database.access.add_key(account, user, kind, label, seconds))
    if as_json:
        output.write_json({"key": secret, **_key_json(facts)})
    else:
        output.write(f"{secret}\n")


@admin.command("keys")
@click.argument("account")
@database_option
@json_option
def keys(account: str, db: str, as_json: bool) -> None:
    """List the keys of an account."""
    found = _run(db, lambda database: database.access.keys(account))
    if as_json:
        output.write_json([_key_json(facts) for facts in found])
        return
    for facts in found:
        output.write(f"{facts.id}  {facts.user}  {facts.kind}  {_state(facts)}  {facts.label}\n")


@admin.command("revoke")
@click.argument("account")
@click.argument("key_id", metavar="ID")
@database_option
def revoke(account: str, key_id: str, db: str) -> None:
    """Revoke a key, by its id."""
    _run(db, lambda database: database.access.revoke(account, key_id))


def _check_project(project: str) -> None:
    if project != EVERY and not is_project(project):
        raise UsageError(f"--project: {project!r} is not a project (lower-case letters, digits, hyphens)")


def _run(db: str, work: Callable[[ControlDatabase], Awaitable[T]]) -> T:
    async def main() -> T:
        with _open(db) as database:
            return await work(database)

    return run_async(main)


@contextmanager
def _open(db: str) -> Generator[ControlDatabase]:
    from c3fs.registry.control import ControlDatabase

    database = ControlDatabase.open(db)
    try:
        yield database
    finally:
        database.close()


def _state(facts: KeyFacts) -> str:
    if facts.revoked is not None:
        return f"revoked {facts.revoked:%Y-%m-%d}"
    return "-" if facts.expires is None else f"until {facts.expires:%Y-%m-%d}"


def _key_json(facts: KeyFacts) -> dict[str, Any]:
    return {
        "id": facts.id,
        "user": facts.user,
        "kind": facts.kind,
        "label": facts.label,
        "created": _time(facts.created),
        "expires": _time(facts.expires),
        "revoked": _time(facts.revoked),
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
