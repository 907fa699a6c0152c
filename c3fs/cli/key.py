"""`c3 key`: keys to the control plane, one's own or, for an admin, those of the account."""

from __future__ import annotations

import click

from c3fs.api.accounts import KeyRecord, MadeKey, NewKey
from c3fs.api.client import Request
from c3fs.cli import output
from c3fs.cli.calling import call_plane, path_part
from c3fs.cli.durations import parse_duration
from c3fs.cli.exits import UsageError
from c3fs.cli.program import Command, Group, json_option

_HEADERS = ("ID", "USER", "KIND", "CREATED", "STATE", "LABEL")


@click.group("key", cls=Group)
def key() -> None:
    """Make, list and revoke keys to the control plane.

    \b
    Example: c3 key create --label laptop --expires 90d
             c3 key list
    """


@key.command("create", cls=Command)
@click.option("--user", metavar="USER", help="Whose it is to be; only an admin makes keys for others.")
@click.option("--agent", is_flag=True, help="A key that takes jobs from the queue, and does nothing else.")
@click.option("--label", default="", metavar="TEXT", help="What it is for.")
@click.option("--expires", metavar="DURATION", help="How long it is good; default: until it is revoked.")
@json_option
def create(user: str | None, agent: bool, label: str, expires: str | None, as_json: bool) -> None:
    """Make a key and print it: this one time."""
    seconds = None if expires is None else parse_duration(expires, "--expires")
    if seconds == 0:
        raise UsageError("--expires: a key has to be good for some time")
    body = NewKey(user, "agent" if agent else "user", label, seconds)
    made = call_plane(lambda client: client.call(Request("POST", "/keys", body=body), MadeKey))
    if as_json:
        output.write_json({"key": made.key, **_to_json(made.record)})
    else:
        output.write(f"{made.key}\n")
        output.flush()
        output.note(f"this is the only time that it is shown; `c3 key revoke {made.record.id}` ends it")


@key.command("list", cls=Command)
@json_option
def list_keys(as_json: bool) -> None:
    """List keys, which are not shown themselves."""
    found = call_plane(lambda client: client.get("/keys", list[KeyRecord]))
    if as_json:
        output.write_json([_to_json(record) for record in found])
        return
    rows = [
        (one.id, one.user, one.kind, output.local(one.created), _state(one), output.printable(one.label))
        for one in found
    ]
    output.table(_HEADERS, rows)


@key.command("revoke", cls=Command)
@click.argument("key_ids", metavar="ID...", nargs=-1, required=True)
def revoke(key_ids: tuple[str, ...]) -> None:
    """End keys at once, by their ids."""
    for key_id in key_ids:
        request = Request("DELETE", f"/keys/{path_part(key_id)}")
        call_plane(lambda client, request=request: client.tell(request))


def _state(record: KeyRecord) -> str:
    if record.revoked is not None:
        return f"revoked {output.local(record.revoked)}"
    return "good" if record.expires is None else f"until {output.local(record.expires)}"


def _to_json(record: KeyRecord) -> dict[str, object]:
    return {
        "id": record.id,
        "user": record.user,
        "kind": record.kind,
        "label": record.label,
        "created": output.iso(record.created),
        "expires": output.iso(record.expires),
        "revoked": output.iso(record.revoked),
    }
