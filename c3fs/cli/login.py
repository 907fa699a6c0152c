"""`c3 login`, `c3 logout` and `c3 whoami`: the control plane that the commands of this user use."""

from __future__ import annotations

import sys
from typing import Final

import click

from c3fs.api.accounts import Me
from c3fs.api.endpoint import Remote, check_endpoint, tidy_endpoint
from c3fs.cli import credentials, output
from c3fs.cli.calling import call_plane, demand_remote
from c3fs.cli.exits import UsageError
from c3fs.cli.program import Command, json_option
from c3fs.cli.settings import allows_insecure, credentials_path, endpoint_said

KEY_MAX: Final = 1000
"""Characters that are read for a key; a file that was meant for something else is longer."""


@click.command("login", cls=Command)
@click.argument("endpoint", required=False)
@json_option
def login(endpoint: str | None, as_json: bool) -> None:
    """Use the control plane at ENDPOINT from now on, for jobs, data and mounts.

    Asks for the key, which begins with c3_key_, without showing it; reads it from stdin when that is no terminal. Both
    are kept in a file that only you can read. $C3_API_ENDPOINT and $C3_API_KEY, when they are set, go before it.

    \b
    Example: c3 login https://c3.example.org
             c3 login https://c3.example.org < key
    """
    path = credentials_path()
    wanted = tidy_endpoint(endpoint or "") or endpoint_said() or _endpoint_before(path)
    check_endpoint(wanted, insecure=allows_insecure())
    remote = Remote(wanted, _read_key(), allows_insecure())
    me = call_plane(lambda client: client.get("/me", Me), remote)
    credentials.save(path, remote)
    if remote.is_clear:
        output.note("warning: the key and all data cross the network in the clear; https:// is better")
    if endpoint_said():
        output.note("warning: $C3_API_ENDPOINT is set, and goes before what is stored")
    _show(remote, me, as_json=as_json)


@click.command("logout", cls=Command)
def logout() -> None:
    """Forget the control plane and the key: jobs and data are those of this machine again.

    The key stays good; `c3 key revoke` ends one.
    """
    if not credentials.forget(credentials_path()):
        output.note("nobody was logged in")
    if endpoint_said():
        output.note("warning: $C3_API_ENDPOINT is set, and names a control plane all the same")


@click.command("whoami", cls=Command)
@json_option
def whoami(as_json: bool) -> None:
    """Show whose key is used, and on which control plane."""
    remote = demand_remote()
    _show(remote, call_plane(lambda client: client.get("/me", Me), remote), as_json=as_json)


def _endpoint_before(path: str) -> str:
    before = credentials.load(path)
    if before is None:
        raise UsageError("ENDPOINT is missing; it looks like https://c3.example.org")
    return before.endpoint


def _read_key() -> str:
    if sys.stdin.isatty():
        key = click.prompt("Key", hide_input=True, err=True, type=str)
        return str(key).strip()
    key = sys.stdin.readline(KEY_MAX).strip()
    if not key:
        raise UsageError("no key on stdin")
    return key


def _show(remote: Remote, me: Me, *, as_json: bool) -> None:
    if as_json:
        value = {"endpoint": remote.endpoint, "account": me.account, "kind": me.kind, "name": me.name}
        output.write_json({**value, "roles": me.roles})
    else:
        roles = ", ".join(f"{role} in {_shown(project)}" for project, role in sorted(me.roles.items()))
        output.write(f"{me.kind} {me.name} of account {me.account} at {remote.endpoint}\n")
        if me.kind == "user":
            output.write(f"{roles or 'no role in any project'}\n")
    output.flush()


def _shown(project: str) -> str:
    return "all projects" if project == "*" else project
