"""`c3 quota`: how many bytes the account wants to store at the most."""

from __future__ import annotations

from typing import Final

import click

from c3fs.cli import output
from c3fs.cli.balance import percent_of, print_totals, warn_if_over
from c3fs.cli.exits import UsageError, run_async
from c3fs.cli.program import Command, json_option
from c3fs.cli.settings import load_settings
from c3fs.cli.sizes import parse_size
from c3fs.cli.wiring import open_registry
from c3fs.core.sizes import format_size
from c3fs.errors import SettingsError
from c3fs.registry.base import Balance

MOST: Final = 1 << 60
"""Bytes: less than what databases count to, and more than anybody has."""


@click.command("quota", cls=Command)
@click.argument("size", required=False)
@json_option
def quota(size: str | None, as_json: bool) -> None:
    """Show the quota, or set it to SIZE, like 500GiB.

    The quota is soft: whoever passes it is warned, in the job log, by `c3 deploy` and by `c3 balance`, and nothing is
    rejected.

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
        output.write_json({"quota": found.quota, "stored": found.stored, "percent": percent_of(found)})
    else:
        print_totals(found)
    output.flush()
    warn_if_over(found)


def _parsed(size: str) -> int:
    try:
        parsed = parse_size(size, "SIZE")
    except SettingsError as error:
        raise UsageError(str(error)) from error
    if parsed > MOST:
        raise UsageError(f"SIZE: {size} is too much; the most is {format_size(MOST)}")
    return parsed
