"""`c3fs gc`: deletes the blobs that no manifest names."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial

import click

from c3fs.cli import output
from c3fs.cli.databases import optional_database, optional_store
from c3fs.cli.durations import parse_duration
from c3fs.cli.exits import UsageError, run_async
from c3fs.cli.program import Command, json_option
from c3fs.cli.progress import LINE_EVERY
from c3fs.cli.settings import load_settings, store_variables, wants_no_colour
from c3fs.cli.wiring import CALL_WITHIN, open_sweep_registry, open_sweepable_store
from c3fs.core.sizes import format_size
from c3fs.errors import NotFoundError
from c3fs.gc.sweep import GcRequest, Swept, Tally, sweep_store
from c3fs.registry.base import SweepRegistry
from c3fs.store.base import SHELVES, SweepableStore
from c3fs.store.deadline import SweepDeadline

_note = partial(output.note, program="c3fs")


@click.command("gc", cls=Command)
@click.option("--dry-run", is_flag=True, help="Only tell what would be deleted.")
@click.option("--grace", metavar="DURATION", default="24h", show_default=True, help="Keep what is younger.")
@optional_database
@optional_store
@click.option("--account", "accounts", multiple=True, metavar="ACCOUNT", help="Of these accounts.  [default: all]")
@json_option
def gc(dry_run: bool, grace: str, db: str | None, store: str | None, accounts: tuple[str, ...], as_json: bool) -> None:
    """Delete the blobs that no manifest names.

    Of this machine, or with --db and --store those of a control plane, account by account.

    What `c3 data rm` has given back to the account, and what failed uploads have left, takes room in the store until
    then. Safe at any time, also while jobs upload; --grace only spares uploads under way from starting over.

    \b
    Example: c3fs gc --dry-run
             c3fs gc --grace 7d
    """
    request = GcRequest(parse_duration(grace, "--grace"), dry_run)
    if (db is None) != (store is None) or (accounts and db is None):
        raise UsageError("--db and --store go together, and --account with them")
    if db is not None and store is not None:
        _sweep_plane(request, db, store, accounts, as_json=as_json)
        return
    settings = load_settings()

    async def main() -> Swept:
        async with open_sweep_registry(settings) as registry:
            return await _sweep(request, open_sweepable_store(settings.storage), registry, "gc")

    swept = run_async(main)
    if as_json:
        output.write_json(_to_json(swept, dry_run=dry_run))
    else:
        output.write(f"{_said(swept, dry_run=dry_run)}\n")
    _tell(swept)


def _sweep_plane(request: GcRequest, db: str, store: str, accounts: tuple[str, ...], *, as_json: bool) -> None:
    """One account after the other; what was done is said as it is, also when one fails."""
    from c3fs.registry.control import ControlDatabase
    from c3fs.server.stores import open_sweepables, sweep_seconds

    sweepable = open_sweepables(store, store_variables())
    lasting = replace(request, seconds=sweep_seconds(store))
    database = ControlDatabase.open(db)
    told: dict[str, object] = {}

    async def main() -> None:
        known = await database.access.accounts()
        for unknown in [account for account in accounts if account not in known]:
            raise NotFoundError(f"{unknown}: no such account; `c3fs admin accounts` lists them")
        for account in accounts or known:
            there = SweepDeadline(sweepable(account), CALL_WITHIN)
            swept = await _sweep(lasting, there, database.registry(account), account)
            told[account] = _to_json(swept, dry_run=request.dry_run)
            if not as_json:
                output.write(f"{account}: {_said(swept, dry_run=request.dry_run)}\n")
            _tell(swept)

    try:
        run_async(main)
    finally:
        database.close()
    if as_json:
        output.write_json(told)


async def _sweep(request: GcRequest, store: SweepableStore, registry: SweepRegistry, label: str) -> Swept:
    with _progress(label) as show:
        return await sweep_store(request, store, registry, progress=show)


def _to_json(swept: Swept, *, dry_run: bool) -> dict[str, object]:
    fields = asdict(swept)
    del fields["shelves"]
    return {"dry_run": dry_run, **fields}


def _said(swept: Swept, *, dry_run: bool) -> str:
    verb = "would delete" if dry_run else "deleted"
    young = f", {_shown(swept.young)} for being young" if swept.young.blobs else ""
    return f"{verb} {_shown(swept.deleted)}; {_shown(swept.named)} stay for being named{young}"


def _tell(swept: Swept) -> None:
    if swept.temporary:
        _note(f"removed {output.counted(swept.temporary, 'half-written blob')}")
    if swept.left:
        _note(f"{output.counted(swept.left, 'blob')} left: the disk was too slow, or slept; run it again")
    if swept.foreign:
        _note(
            f"{output.counted(swept.foreign, 'thing')} in the store's directory that c3 has not put there; left alone"
        )


def _shown(tally: Tally) -> str:
    return f"{output.counted(tally.blobs, 'blob')} ({format_size(tally.bytes)})"


@contextmanager
def _progress(label: str) -> Generator[Callable[[Swept], None]]:
    """A bar on a terminal, a line every few seconds anywhere else; short work shows nothing."""
    if not sys.stderr.isatty() or wants_no_colour():
        yield _Lines().show
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(label), BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=SHELVES)
        yield lambda swept: bar.update(task, completed=swept.shelves, description=_shown(swept.deleted))


class _Lines:
    def __init__(self) -> None:
        self._last = time.monotonic()

    def show(self, swept: Swept) -> None:
        now = time.monotonic()
        if now - self._last >= LINE_EVERY:
            self._last = now
            _note(f"gc: {100 * swept.shelves // SHELVES} % looked at, {_shown(swept.deleted)} to delete")
