"""`c3 data ls`: the names in a namespace or a published tree, without fetching any file."""

from __future__ import annotations

import os

import click

from c3fs.cli import rows as looks
from c3fs.cli.browse import leaves, namespace_rows, row_of
from c3fs.cli.complete import complete_ref
from c3fs.cli.exits import run_async
from c3fs.cli.places import Namespace, parse_place
from c3fs.cli.program import Command, json_option
from c3fs.cli.settings import load_settings
from c3fs.cli.wiring import Reading, open_registry, reading
from c3fs.core.directory import Directory
from c3fs.core.ref import Ref
from c3fs.errors import JobNotFinishedError, NotFoundError
from c3fs.registry.base import Registry
from c3fs.vfs.tree import DirectoryFacts, Found, Tree


@click.command("ls", cls=Command)
@click.argument("path", default="/jobs/", shell_complete=complete_ref)
@click.option("-l", "--long", is_flag=True, help="Also modes, sizes and times; a directory's size is all below it.")
@click.option("-R", "--recursive", is_flag=True, help="Also what is in the directories below.")
@json_option
def ls(path: str, long: bool, recursive: bool, as_json: bool) -> None:
    """List PATH: jobs, projects, data sets and their versions, or what is in a published tree.

    \b
    Paths: /  /jobs/  /jobs/<id>/…
           /projects/  /projects/<p>/  /projects/<p>/jobs/  /projects/<p>/jobs/<id>/…
           /projects/<p>/jobs/@last/…  /projects/<p>/jobs/@name:<name>/…
           /datasets/  /datasets/<n>/ (its versions)  /datasets/<n>/@latest/…  /datasets/<n>/@v3/…
           /projects/<p>/data/<n>/…  /projects/<p>/source/…

    \b
    Example: c3 data ls -l /jobs/job_1700000000000_abc123/artifacts
             c3 data ls /datasets/glove/@latest
    """
    parse_place(path)
    printer = looks.Json() if as_json else looks.Long() if long else looks.Short()

    async def main() -> None:
        settings = load_settings()
        async with open_registry(settings) as registry, reading(settings.storage) as reader:
            await _Lister(registry, reader, printer, recursive=recursive).list(path)
        printer.end()

    run_async(main)


class _Lister:
    def __init__(self, registry: Registry, reader: Reading, printer: looks.Printer, *, recursive: bool) -> None:
        self._registry = registry
        self._reader = reader
        self._printer = printer
        self._recursive = recursive

    async def list(self, path: str) -> None:
        place = parse_place(path)
        if isinstance(place, Ref):
            await self._ref(path, place)
        else:
            await self._namespace(path, place)

    async def _namespace(self, path: str, place: Namespace) -> None:
        rows = await namespace_rows(self._registry, place)
        if self._recursive:
            self._printer.header(path)
        self._printer.rows(path, rows)
        if not self._recursive:
            return
        for row in rows:
            try:
                await self.list(f"{path.rstrip('/')}/{os.fsdecode(row.name)}")
            except (JobNotFinishedError, NotFoundError):
                continue  # its own row says that it has no artifacts

    async def _ref(self, path: str, ref: Ref) -> None:
        tree = self._reader.view(await self._registry.manifest(ref)).tree
        found = await tree.resolve(ref.sub)
        if isinstance(found, DirectoryFacts):
            await self._directories(path, tree, found)
        elif isinstance(found.entry, Directory):
            await self._directories(path, tree, found.facts())
        else:
            self._file(path, found)

    def _file(self, path: str, found: Found) -> None:
        """As ls names a file: as the user did. JSON has its name alone."""
        as_typed = not isinstance(self._printer, looks.Json)
        parent = os.path.dirname(path)
        self._printer.rows(parent, [row_of(found, os.fsencode(path) if as_typed else None)])

    async def _directories(self, path: str, tree: Tree, top: DirectoryFacts) -> None:
        """Pre-order, with a list of what is to come instead of recursion: trees are deep."""
        waiting = [(path.rstrip("/"), top)]
        while waiting:
            path, directory = waiting.pop()
            if self._recursive:
                self._printer.header(path)
            below: list[tuple[str, DirectoryFacts]] = []
            async for leaf in leaves(tree, directory):
                found = list(leaf)
                self._printer.rows(path, map(row_of, found))
                if self._recursive:
                    inner = (one for one in found if isinstance(one.entry, Directory))
                    below += [(f"{path}/{os.fsdecode(one.entry.name)}", one.facts()) for one in inner]
            waiting += reversed(below)
