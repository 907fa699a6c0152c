"""`c3 balance`: what the account stores, its quota, and the newest lines of the ledger."""

from __future__ import annotations

import click

from c3fs.cli import output
from c3fs.cli.exits import run_async
from c3fs.cli.program import Command, json_option
from c3fs.cli.settings import load_settings
from c3fs.cli.wiring import open_registry
from c3fs.core.sizes import format_size
from c3fs.registry.base import Balance, LedgerLine


@click.command("balance", cls=Command)
@json_option
def balance(as_json: bool) -> None:
    """Show stored bytes, quota, and the last ten changes.

    Bytes are charged once: what several jobs share counts for the first of them.

    \b
    Example: c3 balance --json
    """

    async def main() -> Balance:
        async with open_registry(load_settings()) as registry:
            return await registry.balance()

    found = run_async(main)
    if as_json:
        output.write_json(_to_json(found))
    else:
        _print(found)
    if found.stored > found.quota:
        over = format_size(found.stored - found.quota)
        output.note(f"{over} over the quota; nothing is rejected, but please make room")


def percent_of(found: Balance) -> float:
    return 100 * found.stored / found.quota if found.quota else 0.0


def _to_json(found: Balance) -> dict[str, object]:
    return {
        "stored": found.stored,
        "quota": found.quota,
        "percent": round(percent_of(found), 2),
        "lines": [
            {"at": output.iso(line.at), "ref": line.ref, "delta": line.delta, "balance": line.balance}
            for line in found.lines
        ],
    }


def _print(found: Balance) -> None:
    output.write(f"Stored   {format_size(found.stored)}\n")
    output.write(f"Quota    {format_size(found.quota)} ({percent_of(found):.1f} % used)\n")
    if found.lines:
        output.write("\n")
        headers = ("WHEN", "REF", "CHANGE", "STORED")
        output.table(headers, map(_cells, found.lines), right=("CHANGE", "STORED"))


def _cells(line: LedgerLine) -> tuple[str, str, str, str]:
    sign = "-" if line.delta < 0 else "+"
    return (output.local(line.at), line.ref, sign + format_size(abs(line.delta)), format_size(line.balance))
