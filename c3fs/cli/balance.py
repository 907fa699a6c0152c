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
    output.flush()
    warn_if_over(found)


def percent_of(found: Balance) -> float | None:
    """Of the quota, to a hundredth; None of a quota of nothing."""
    return round(100 * found.stored / found.quota, 2) if found.quota else None


def print_totals(found: Balance) -> None:
    output.write(f"Stored   {format_size(found.stored)}\n")
    output.write(f"Quota    {_quota(found)}\n")


def warn_if_over(found: Balance) -> None:
    """A note on stderr, if there is reason for one."""
    if found.stored > found.quota:
        over = format_size(found.stored - found.quota)
        output.note(f"warning: {over} over the quota of {_quota(found)}; nothing is rejected, but please make room")


def _quota(found: Balance) -> str:
    percent = percent_of(found)
    return format_size(found.quota) + ("" if percent is None else f" ({percent:.1f} % used)")


def _to_json(found: Balance) -> dict[str, object]:
    return {
        "stored": found.stored,
        "quota": found.quota,
        "percent": percent_of(found),
        "lines": [
            {"at": output.iso(line.at), "ref": line.ref, "delta": line.delta, "balance": line.balance}
            for line in found.lines
        ],
    }


def _print(found: Balance) -> None:
    print_totals(found)
    if found.lines:
        output.write("\n")
        headers = ("WHEN", "REF", "CHANGE", "STORED")
        output.table(headers, map(_cells, found.lines), right=("CHANGE", "STORED"))


def _cells(line: LedgerLine) -> tuple[str, str, str, str]:
    sign = "-" if line.delta < 0 else "+"
    return (output.local(line.at), line.ref, sign + format_size(abs(line.delta)), format_size(line.balance))
