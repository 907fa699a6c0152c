"""`c3 data diff`: what differs between two published trees, or parts of them."""

from __future__ import annotations

import os
from typing import Final

import click

from c3fs.cli import output
from c3fs.cli.complete import complete_ref
from c3fs.cli.exits import DIFFERENT, OK, run_async
from c3fs.cli.program import Command, json_option
from c3fs.cli.settings import load_settings
from c3fs.cli.wiring import Reading, open_registry, reading
from c3fs.core.directory import Entry, File, LongFile, Symlink
from c3fs.core.ref import Ref, parse_ref
from c3fs.core.sizes import format_size
from c3fs.data.diff import Change, diff
from c3fs.data.walk import Side
from c3fs.registry.base import Registry
from c3fs.vfs.tree import Tree

_LETTERS: Final = {"added": "A", "removed": "D", "changed": "M"}
_COLOURS: Final = {"added": output.GREEN, "removed": output.RED, "changed": output.YELLOW}


@click.command("diff", cls=Command)
@click.argument("one", metavar="A", shell_complete=complete_ref)
@click.argument("other", metavar="B", shell_complete=complete_ref)
@click.option("--stat", is_flag=True, help="Also sizes, and a summary.")
@json_option
def data_diff(one: str, other: str, stat: bool, as_json: bool) -> int:
    """Show the files that differ between the refs A and B: added (A), deleted (D), changed (M).

    Contents, modes and the targets of symlinks are compared, times are not. No file is read: equal digests are equal
    contents, and directories with equal digests are not even listed. Exit code 1 says that something differs.

    \b
    Example: c3 data diff /datasets/glove/@v1 /datasets/glove/@v2
             c3 data diff --stat /projects/mnist/source/@v3 /projects/mnist/source
    """
    refs = parse_ref(one), parse_ref(other)
    report = _Json() if as_json else _Lines(stat=stat)

    async def main() -> None:
        settings = load_settings()
        async with open_registry(settings) as registry, reading(settings.storage) as reader:
            before, after = [await _side(registry, reader, ref) for ref in refs]
            async for change in diff(*before, *after):
                report.add(change)

    run_async(main)
    report.end()
    return DIFFERENT if report.found else OK


async def _side(registry: Registry, reader: Reading, ref: Ref) -> tuple[Tree, Side]:
    tree = reader.view(await registry.manifest(ref)).tree
    return tree, await tree.resolve(ref.sub)


class _Lines:
    """Told as they are found."""

    def __init__(self, *, stat: bool) -> None:
        self._stat = stat
        self._counts = dict.fromkeys(_LETTERS, 0)
        self._grown = 0

    @property
    def found(self) -> bool:
        return any(self._counts.values())

    def add(self, change: Change) -> None:
        self._counts[change.kind] += 1
        self._grown += _size(change.after) - _size(change.before)
        sizes = f"  ({_sizes(change)})" if self._stat else ""
        line = f"{_LETTERS[change.kind]} {output.shown(change.path or b'.')}"
        output.write(f"{output.paint(line, _COLOURS[change.kind])}{sizes}\n")

    def end(self) -> None:
        if self._stat:
            counts = ", ".join(f"{count} {kind}" for kind, count in self._counts.items())
            sign = "-" if self._grown < 0 else "+"
            output.write(f"{counts}; {sign}{format_size(abs(self._grown))}\n")
        output.flush()


class _Json:
    def __init__(self) -> None:
        self._rows: list[dict[str, object]] = []

    @property
    def found(self) -> bool:
        return bool(self._rows)

    def add(self, change: Change) -> None:
        self._rows.append(
            {
                "change": change.kind,
                "path": os.fsdecode(change.path),
                "before": _size(change.before) if change.before is not None else None,
                "after": _size(change.after) if change.after is not None else None,
            }
        )

    def end(self) -> None:
        output.write_json(self._rows)
        output.flush()


def _size(entry: Entry | None) -> int:
    match entry:
        case File() | LongFile():
            return entry.size
        case Symlink():
            return len(entry.target)
        case _:
            return 0


def _sizes(change: Change) -> str:
    if change.before is None:
        return format_size(_size(change.after))
    if change.after is None:
        return format_size(_size(change.before))
    return f"{format_size(_size(change.before))} -> {format_size(_size(change.after))}"
