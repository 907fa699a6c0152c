"""`c3 quota`: how many bytes the account wants to store at the most."""

from __future__ import annotations

import click

from c3fs.cli import output
from c3fs.cli.balance import percent_of
from c3fs.cli.exits import UsageError, run_async
from c3fs.cli.program import Command, json_option
from c3fs.cli.settings import load_settings
from c3fs.cli.sizes import parse_size
from c3fs.cli.wiring import open_registry
from c3fs.core.sizes import format_size
from c3fs.errors import SettingsError
from c3fs.registry.base import Balance


@click.command("quota", cls=Command)
@click.argument("size", required=False)
@json_option
def quota(size: str | None, as_json: bool) -> None:
    """Show the quota, or set it to SIZE, like 500GiB.

    The quota is soft: whoever passes it is warned, in the job log and by `c3 balance`, and nothing is rejected.

    \b
    Example: c3 quota 2TiB
    """
    wanted = None if size is None else _parsed(size)

    async def main() -> Balance:
        async with open_registry(load_settings()) as registry:
            if wanted is not None:
                await registry.set_quota(wanted)
            return await registry.balance(lines=0)

    found = run_async(main)
    if as_json:
        output.write_json({"quota": found.quota, "stored": found.stored, "percent": round(percent_of(found), 2)})
    else:
        stored = f"{format_size(found.stored)} stored, {percent_of(found):.1f} %"
        output.write(f"{format_size(found.quota)} ({stored})\n")


def _parsed(size: str) -> int:
    try:
        return parse_size(size, "SIZE")
    except SettingsError as error:
        raise UsageError(str(error)) from error
