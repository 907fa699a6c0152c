"""`c3fs gc`: deletes the blobs that no manifest names."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial

import click

from c3fs.cli import output
from c3fs.cli.durations import parse_duration
from c3fs.cli.exits import run_async
from c3fs.cli.program import Command, json_option
from c3fs.cli.progress import LINE_EVERY
from c3fs.cli.settings import Settings, load_settings, wants_no_colour
from c3fs.cli.wiring import open_sweep_registry, open_sweepable_store
from c3fs.core.sizes import format_size
from c3fs.gc.sweep import GcRequest, Swept, Tally, sweep_store
from c3fs.store.base import SHELVES

_note = partial(output.note, program="c3fs")


@click.command("gc", cls=Command)
@click.option("--dry-run", is_flag=True, help="Only tell what would be deleted.")
@click.option("--grace", metavar="DURATION", default="24h", show_default=True, help="Keep what is younger.")
@json_option
def gc(dry_run: bool, grace: str, as_json: bool) -> None:
    """Delete the blobs that no manifest names.

    What `c3 data rm` has given back to the account, and what failed uploads have left, takes room in the store until
    then. Safe at any time, also while jobs upload; --grace only spares uploads under way from starting over.

    \b
    Example: c3fs gc --dry-run
             c3fs gc --grace 7d
    """
    request = GcRequest(parse_duration(grace, "--grace"), dry_run)
    settings = load_settings()

    async def main() -> Swept:
        with _progress() as show:
            return await _sweep(settings, request, show)

    swept = run_async(main)
    if as_json:
        output.write_json(_to_json(swept, dry_run=dry_run))
    else:
        _print(swept, dry_run=dry_run)
    _tell(swept)


async def _sweep(settings: Settings, request: GcRequest, show: Callable[[Swept], None]) -> Swept:
    async with open_sweep_registry(settings) as registry:
        return await sweep_store(request, open_sweepable_store(settings.storage), registry, progress=show)


def _to_json(swept: Swept, *, dry_run: bool) -> dict[str, object]:
    fields = asdict(swept)
    del fields["shelves"]
    return {"dry_run": dry_run, **fields}


def _print(swept: Swept, *, dry_run: bool) -> None:
    verb = "would delete" if dry_run else "deleted"
    young = f", {_shown(swept.young)} for being young" if swept.young.blobs else ""
    output.write(f"{verb} {_shown(swept.deleted)}; {_shown(swept.named)} stay for being named{young}\n")


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
def _progress() -> Generator[Callable[[Swept], None]]:
    """A bar on a terminal, a line every few seconds anywhere else; short work shows nothing."""
    if not sys.stderr.isatty() or wants_no_colour():
        yield _Lines().show
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("gc"), BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
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
