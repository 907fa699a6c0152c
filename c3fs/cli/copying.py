"""The two things that can be copied into a data set: what lies on the local disk, and what is published."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import trio

from c3fs.cli import localwalk, output, transfer
from c3fs.cli.landing import Thing
from c3fs.cli.localwalk import Totals
from c3fs.cli.operands import LocalSource, RefSource
from c3fs.cli.planned import Planned
from c3fs.cli.progress import progress
from c3fs.cli.published import Published
from c3fs.cli.wiring import Reading
from c3fs.core.directory import Directory, File, LongFile
from c3fs.data.copy import Copied, Origin, Target, copy_published, upload
from c3fs.data.walk import Entries, directory_of
from c3fs.registry.base import Registry
from c3fs.store.base import Store
from c3fs.vfs.tree import DirectoryFacts, Tree


@dataclass(frozen=True, slots=True)
class Stage:
    """What copies work with."""

    registry: Registry
    reader: Reading
    store: Store


class Copying(Protocol):
    """One source: `totals` are the files and symlinks that are at and below it, and their bytes."""

    @property
    def shown(self) -> str: ...

    @property
    def thing(self) -> Thing: ...

    @property
    def totals(self) -> Totals: ...

    async def plan(self, top: bytes, planned: Planned) -> None:
        """Tell of every file that `send` would copy to `top`."""
        ...

    async def send(self, target: Target, stage: Stage) -> Copied:
        """Raises as c3fs.data.copy does."""
        ...


@dataclass(frozen=True, slots=True)
class LocalCopying:
    source: LocalSource
    totals: Totals

    @property
    def shown(self) -> str:
        return self.source.shown

    @property
    def thing(self) -> Thing:
        return Thing(self.source.name, self.source.is_directory, self.source.contents)

    async def plan(self, top: bytes, planned: Planned) -> None:
        for local in localwalk.walk(self.source.path):
            await trio.lowlevel.checkpoint()
            planned.file(_below(os.fsencode(self.shown), local.path), _below(top, local.path))

    async def send(self, target: Target, stage: Stage) -> Copied:
        if self.source.is_symlink:
            name = output.quote(os.fsencode(self.shown))
            output.note(f"{name}: copied as the symlink it is; {name}/ is the directory that it leads to")
        with progress(self.shown, self.totals.bytes) as advance:
            return await upload(
                self.source.path,
                target,
                store=stage.store,
                registry=stage.registry,
                open_tree=lambda manifest: stage.reader.view(manifest).tree,
                now=lambda: datetime.now(UTC),
                progress=lambda now: advance(now.read),
            )


@dataclass(frozen=True, slots=True)
class RefCopying:
    source: RefSource
    found: Published

    @property
    def shown(self) -> str:
        return self.source.shown

    @property
    def thing(self) -> Thing:
        return Thing(self.source.name, directory_of(self.found.top) is not None, self.source.contents)

    @property
    def totals(self) -> Totals:
        top = self.found.top
        if isinstance(top, DirectoryFacts):
            return Totals(top.totals.files, top.totals.bytes)
        match top.entry:
            case Directory() as entry:
                return Totals(entry.files, entry.bytes)
            case File() | LongFile() as entry:
                return Totals(1, entry.size)
            case _:
                return Totals(1, 0)

    async def plan(self, top: bytes, planned: Planned) -> None:
        directory = directory_of(self.found.top)
        if directory is None:
            planned.file(os.fsencode(self.shown), top)
            return
        async for path in _files(self.found.view.tree, directory):
            planned.file(_below(os.fsencode(self.shown), path), _below(top, path))

    async def send(self, target: Target, stage: Stage) -> Copied:
        transfer.tell_incomplete(self.found.manifest, self.shown)
        return await copy_published(
            Origin(self.found.manifest, self.found.view.tree, self.found.top),
            target,
            open_tree=lambda manifest: stage.reader.view(manifest).tree,
            store=stage.store,
            registry=stage.registry,
            now=lambda: datetime.now(UTC),
        )


async def local_copying(source: LocalSource) -> LocalCopying:
    """Raises CollectError. Cancelled, it leaves the looking to end by itself."""
    totals = await trio.to_thread.run_sync(localwalk.totals, source.path, abandon_on_cancel=True)
    return LocalCopying(source, totals)


async def _files(tree: Tree, top: DirectoryFacts) -> AsyncGenerator[bytes]:
    """The paths of all files and symlinks below, in the order in which they are copied."""
    stack = [(b"", Entries(tree, top))]
    while stack:
        above, entries = stack[-1]
        if entries.used_up:
            await entries.load()
        found = entries.head
        if found is None:
            stack.pop()
            continue
        entries.advance()
        path = _below(above, found.entry.name)
        if isinstance(found.entry, Directory):
            stack.append((path, Entries(tree, found.facts())))
        else:
            yield path


def _below(top: bytes, path: bytes) -> bytes:
    return os.path.join(top, path) if path else top
