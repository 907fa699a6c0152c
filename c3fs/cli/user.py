"""`c3 user`: the users of the account and their roles. For its admins."""

from __future__ import annotations

import click

from c3fs.api.accounts import NewRole, NewUser, UserRecord
from c3fs.api.client import ApiClient, Request
from c3fs.cli import output
from c3fs.cli.calling import call_plane, check_project, path_part
from c3fs.cli.program import Command, Group, json_option
from c3fs.core.access import EVERY, ROLES

_WORDS = sorted(ROLES, key=lambda word: ROLES[word])
_project_option = click.option("--project", default=EVERY, metavar="PROJECT", help="Where; default: in all projects.")


@click.group("user", cls=Group)
def user() -> None:
    """Add, list and remove the users of the account, and say what they may do.

    A role is read, write or admin, in a project or in all; each includes the ones before it.

    \b
    Example: c3 user add ann --role write --project train
             c3 key create --user ann
    """


@user.command("add", cls=Command)
@click.argument("name")
@click.option("--role", type=click.Choice(_WORDS), help="What the user may do.")
@_project_option
def add(name: str, role: str | None, project: str) -> None:
    """Add a user, with a role if one is said. `c3 key create --user NAME` makes a key."""
    check_project(project)

    async def work(client: ApiClient) -> None:
        await client.call(Request("POST", "/users", body=NewUser(name)), UserRecord)
        if role is not None:
            await client.tell(_granting(name, project, role))

    call_plane(work)


@user.command("list", cls=Command)
@json_option
def list_users(as_json: bool) -> None:
    """List the users and their roles."""
    found = call_plane(lambda client: client.get("/users", list[UserRecord]))
    if as_json:
        rows = [{"name": one.name, "created": output.iso(one.created), "roles": one.roles} for one in found]
        output.write_json(rows)
        return
    output.table(
        ("NAME", "CREATED", "ROLES"), [(one.name, output.local(one.created), _roles(one.roles)) for one in found]
    )


@user.command("grant", cls=Command)
@click.argument("name")
@click.argument("role", type=click.Choice([*_WORDS, "none"]))
@_project_option
def grant(name: str, role: str, project: str) -> None:
    """Give a user a role, or take away (none) the one in that project."""
    check_project(project)
    call_plane(lambda client: client.tell(_granting(name, project, None if role == "none" else role)))


@user.command("remove", cls=Command)
@click.argument("name")
def remove(name: str) -> None:
    """Remove a user, with all roles and keys. What the user has published stays."""
    call_plane(lambda client: client.tell(Request("DELETE", f"/users/{path_part(name)}")))


def _granting(name: str, project: str, role: str | None) -> Request:
    path = f"/users/{path_part(name)}/roles/{path_part(project)}"
    return Request("PUT", path, body=NewRole(role), repeatable=True)


def _roles(roles: dict[str, str]) -> str:
    return ", ".join(f"{project}: {role}" for project, role in sorted(roles.items())) or "-"
