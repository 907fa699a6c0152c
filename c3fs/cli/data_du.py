"""`c3 data du`: how much published trees are, and what deleting them would give back."""

from __future__ import annotations

from dataclasses import dataclass

import click

from c3fs.cli import output
from c3fs.cli.complete import complete_ref
from c3fs.cli.exits import run_async
from c3fs.cli.program import Command, json_option
from c3fs.cli.settings import Settings, load_settings
from c3fs.cli.trees import trees_at
from c3fs.cli.wiring import open_registry, reading
from c3fs.core.directory import Directory, File, LongFile
from c3fs.core.manifest import Manifest
from c3fs.core.ref import Ref, parse_ref
from c3fs.core.sizes import format_size
from c3fs.errors import InvalidRefError
from c3fs.registry.base import Registry
from c3fs.vfs.tree import DirectoryFacts, Tree


@dataclass(frozen=True, slots=True)
class Share:
    """Logical bytes and files; `unique` is what deleting it would give back, None of a part of a tree, which cannot be
    deleted."""

    path: str
    bytes: int
    files: int
    unique: int | None

    def to_json(self) -> dict[str, object]:
        return {"path": self.path, "bytes": self.bytes, "files": self.files, "unique": self.unique}

    def cells(self) -> tuple[str, str, str, str]:
        unique = "-" if self.unique is None else format_size(self.unique)
        return format_size(self.bytes), str(self.files), unique, self.path


@click.command("du", cls=Command)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, shell_complete=complete_ref)
@click.option("-s", "--summarize", is_flag=True, help="Only the total of each PATH.")
@json_option
def du(paths: tuple[str, ...], summarize: bool, as_json: bool) -> None:
    """Show how much is in PATH: bytes as `ls` counts them, files, and the bytes that deleting it would give back.

    The last number, UNIQUE, leaves out what other trees share; so the UNIQUE of a total is more than the sum of its
    lines. Of a namespace (/jobs, /datasets/<name>, /projects/<p>, /) each tree is shown, and their total.

    \b
    Example: c3 data du /jobs/job_1700000000000_abc123
             c3 data du -s /projects/mnist /datasets
    """
    settings = load_settings()

    async def main() -> list[Share]:
        async with open_registry(settings) as registry:
            return [share for path in paths for share in await _shares(settings, registry, path, total_only=summarize)]

    shares = run_async(main)
    if as_json:
        output.write_json([share.to_json() for share in shares])
    else:
        headers = ("BYTES", "FILES", "UNIQUE", "PATH")
        output.table(headers, [share.cells() for share in shares], right=headers[:3])


async def _shares(settings: Settings, registry: Registry, path: str, *, total_only: bool) -> list[Share]:
    ref = _ref(path)
    if ref is not None and ref.sub:
        return [await _part(settings, registry, path, ref)]
    trees = await trees_at(registry, path)
    if ref is not None and len(trees) == 1:
        return [await _share(registry, path, trees)]
    shares = [] if total_only else [await _share(registry, tree.ref, [tree]) for tree in trees]
    return [*shares, await _share(registry, path, trees)]


async def _share(registry: Registry, path: str, trees: list[Manifest]) -> Share:
    usage = await registry.usage([parse_ref(tree.ref) for tree in trees])
    roots = [tree.root for tree in trees]
    return Share(path, sum(root.bytes for root in roots), sum(root.files for root in roots), usage.unique)


async def _part(settings: Settings, registry: Registry, path: str, ref: Ref) -> Share:
    async with reading(settings.storage) as reader:
        tree: Tree = reader.view(await registry.manifest(ref)).tree
        found = await tree.resolve(ref.sub)
    if isinstance(found, DirectoryFacts):
        return Share(path, found.totals.bytes, found.totals.files, None)
    match found.entry:
        case Directory() as entry:
            return Share(path, entry.bytes, entry.files, None)
        case File() | LongFile() as entry:
            return Share(path, entry.size, 1, None)
        case _:
            return Share(path, 0, 0, None)


def _ref(path: str) -> Ref | None:
    """None for a namespace, or for what `trees_at` is going to refuse."""
    try:
        return parse_ref(path)
    except InvalidRefError:
        return None
