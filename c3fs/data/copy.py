"""Puts trees, and parts of them, into data sets: what is published already, and what lies on the local disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple, TypeVar

import trio

from c3fs.core.digest import Digest
from c3fs.core.manifest import FORMAT, Inventory, Manifest, Root, decode_inventory, root_span
from c3fs.core.ref import Ref, parse_ref
from c3fs.data.graft import Graft, Grafter, graft_of, graft_of_symlink
from c3fs.data.reach import reach
from c3fs.data.walk import Side, directory_of
from c3fs.errors import (
    CollectError,
    InvalidFormatError,
    NotDirectoryError,
    OutdatedError,
    PathNotFoundError,
    RefNotFoundError,
)
from c3fs.publish.publish import (
    Progress,
    PublishRequest,
    collect_and_upload,
    publish_outputs,
    timestamp,
    while_swept,
    write_inventory,
)
from c3fs.publish.read import mtime_of
from c3fs.publish.upload import Sender, UploadCounts, upload as send
from c3fs.registry.base import Registration, Registry
from c3fs.store.base import Store
from c3fs.vfs.tree import DirectoryFacts, Found, Tree

T = TypeVar("T")

OUTDATED_TRIES: Final = 50
"""Times a graft is made anew because somebody else's version came first. Each time somebody's has: of so many who race,
all come through."""


class Origin(NamedTuple):
    """Something published: `top` is what a ref to it resolves to in `tree`."""

    manifest: Manifest
    tree: Tree
    top: Side


@dataclass(frozen=True, slots=True)
class Target:
    """Where it goes: `ref` is a data set's, without version and sub-path. `path` are the names under which it is put
    into the newest version; with none, it becomes the whole of the next one."""

    ref: Ref
    path: tuple[bytes, ...]


class Copied(NamedTuple):
    """`registration.created` is False when nothing changed: its manifest is then that of the newest version."""

    registration: Registration
    uploaded_blobs: int
    uploaded_bytes: int
    warnings: tuple[str, ...]


async def copy_published(
    origin: Origin,
    target: Target,
    *,
    open_tree: Callable[[Manifest], Tree],
    store: Store,
    registry: Registry,
    now: Callable[[], datetime],
) -> Copied:
    """A new version of `target.ref` that holds what is at `origin`, without moving a byte of a file.

    With a path, directories on the way are made; a directory is merged into a directory, and anything else replaces.
    Raises NotDirectoryError, IsDirectoryError as cp has it; RefNotFoundError when the origin is not there any more;
    SweptError, OutdatedError when that many tries were in vain; and what store and registry raise. No version is
    registered then, or when it is cancelled.
    """
    run = _Run(target, open_tree, store, registry, now)

    async def attempt(mark: int) -> Copied:
        # Whether it is there is asked after the mark: a gc that comes later is noticed when registering.
        await registry.manifest(parse_ref(origin.manifest.ref))
        sizes = await run.inventory(origin.manifest)
        if target.path:
            graft = graft_of(origin.tree, origin.top)
            return await run.graft(graft, sizes, origin.manifest.complete, mark)
        return await run.whole(origin, sizes, mark)

    return await while_swept(registry, attempt)


async def upload(
    source: bytes,
    target: Target,
    *,
    store: Store,
    registry: Registry,
    open_tree: Callable[[Manifest], Tree],
    now: Callable[[], datetime],
    progress: Callable[[Progress], None] | None = None,
) -> Copied:
    """A new version of `target.ref` that holds the local file, symlink (not followed) or directory `source`, collected
    and uploaded as everything is that is published. Without a path `source` is a directory.

    Raises as `copy_published` does, and CollectError, FileChangedError.
    """
    about = await trio.to_thread.run_sync(_look, source)
    request = PublishRequest(str(target.ref), about.base, about.outputs)
    if not target.path:
        if about.name is not None or about.link is not None:
            raise NotDirectoryError(source)
        published = await publish_outputs(request, store, registry, now=now, progress=progress)
        blobs, size = published.uploaded_blobs, published.uploaded_bytes
        return Copied(published.registration, blobs, size, published.warnings)
    run = _Run(target, open_tree, store, registry, now)

    async def attempt(mark: int) -> Copied:
        if about.link is not None:
            return await run.graft(about.link, {}, True, mark)
        uploaded = await collect_and_upload(request, store, progress=progress)
        run.counts.blobs += uploaded.counts.blobs
        run.counts.bytes += uploaded.counts.bytes
        tree = open_tree(run.manifest(uploaded.root, uploaded.inventory, complete=True))
        top = await _collected(tree, source, about.name)
        warnings = uploaded.warnings if about.name is None else ()  # that it is a file and no directory
        copied = await run.graft(graft_of(tree, top), uploaded.blobs, uploaded.complete, mark)
        return copied._replace(warnings=warnings)

    return await while_swept(registry, attempt)


class _Source(NamedTuple):
    """What lies on the disk, and how it is collected; `name` is a file's, `link` what a symlink becomes."""

    base: bytes
    outputs: tuple[bytes, ...]
    name: bytes | None = None
    link: Graft | None = None


def _look(source: bytes) -> _Source:
    try:
        about = os.lstat(source)
        if stat.S_ISDIR(about.st_mode):
            return _Source(os.path.realpath(source), (b".",))
        parent, name = os.path.split(source)
        if stat.S_ISREG(about.st_mode):
            return _Source(os.path.realpath(parent), (name,), name)
        if stat.S_ISLNK(about.st_mode):
            return _Source(b"", (), None, graft_of_symlink(mtime_of(about), os.readlink(source)))
    except OSError as error:
        raise CollectError(source, f"cannot be read: {error.strerror}") from error
    raise CollectError(source, "is no file, directory or symlink")


async def _collected(tree: Tree, source: bytes, name: bytes | None) -> Side:
    if name is None:
        return tree.root
    try:
        return await tree.resolve([name])
    except PathNotFoundError:
        raise CollectError(source, "is gone; somebody removed it meanwhile") from None


@dataclass(slots=True)
class _Run:
    """One call. `counts` is what it has uploaded so far."""

    target: Target
    open_tree: Callable[[Manifest], Tree]
    store: Store
    registry: Registry
    now: Callable[[], datetime]
    counts: UploadCounts = field(default_factory=UploadCounts)

    def manifest(self, root: Root, inventory: Inventory, *, complete: bool) -> Manifest:
        return Manifest(FORMAT, str(self.target.ref), timestamp(self.now()), complete, root, inventory)

    async def inventory(self, manifest: Manifest) -> dict[Digest, int]:
        """The sizes of the blobs that the manifest's tree needs."""
        sizes: dict[Digest, int] = {}
        for part in manifest.inventory.parts:
            sizes.update(decode_inventory(await self.store.get(Digest.parse(part.blob))))
        return sizes

    async def whole(self, origin: Origin, sizes: Mapping[Digest, int], mark: int) -> Copied:
        """The origin as the whole tree. What is a tree already keeps its inventory."""
        directory = directory_of(origin.top)
        if directory is None:
            assert isinstance(origin.top, Found)
            raise NotDirectoryError(origin.top.entry.name)
        if directory.number == origin.tree.root.number:
            manifest = self.manifest(origin.manifest.root, origin.manifest.inventory, complete=origin.manifest.complete)
            return await self._register(manifest, sizes, mark)
        reached = await reach(origin.tree, origin.top)
        blobs = _sized(reached, sizes)
        inventory = await self._send(lambda sender: write_inventory(blobs, sender.emit))
        manifest = self.manifest(_root_of(directory), inventory, complete=origin.manifest.complete)
        return await self._register(manifest, blobs, mark)

    async def graft(self, graft: Graft, sizes: Mapping[Digest, int], complete: bool, mark: int) -> Copied:
        """Into the newest version, whichever that is by then."""
        for _ in range(OUTDATED_TRIES - 1):
            try:
                return await self._graft(graft, sizes, complete, mark)
            except OutdatedError:
                continue
        return await self._graft(graft, sizes, complete, mark)

    async def _graft(self, graft: Graft, sizes: Mapping[Digest, int], complete: bool, mark: int) -> Copied:
        newest = await self._newest()
        known = dict(sizes)
        number, base = 0, None
        if newest is not None:
            known.update(await self.inventory(newest))
            number, base = parse_ref(newest.ref).number or 0, self.open_tree(newest)
            complete = complete and newest.complete
        now_ns = int(self.now().timestamp() * 1_000) * 1_000_000

        def produce(sender: Sender) -> tuple[Root, dict[Digest, int], Inventory]:
            made = Grafter(base, graft, self.target.path, now_ns, sender.emit).run()
            blobs = _sized(made.kept, known) | made.made
            return made.root, blobs, write_inventory(blobs, sender.emit)

        root, blobs, inventory = await self._send(produce)
        return await self._register(self.manifest(root, inventory, complete=complete), blobs, mark, onto=number)

    async def _newest(self) -> Manifest | None:
        try:
            return await self.registry.manifest(self.target.ref)
        except RefNotFoundError:
            return None

    async def _send(self, produce: Callable[[Sender], T]) -> T:
        return await send(produce, self.store, counts=self.counts, on_change=lambda: None)

    async def _register(
        self, manifest: Manifest, blobs: Mapping[Digest, int], mark: int, onto: int | None = None
    ) -> Copied:
        parts = [(Digest.parse(part.blob), part.size) for part in manifest.inventory.parts]
        registration = await self.registry.register(manifest, [*blobs.items(), *parts], mark=mark, onto=onto)
        return Copied(registration, self.counts.blobs, self.counts.bytes, ())


def _root_of(directory: DirectoryFacts) -> Root:
    span = root_span(directory.span)
    return Root(str(directory.digest), directory.mode, directory.mtime_ns, span, *directory.totals)


def _sized(blobs: set[Digest], sizes: Mapping[Digest, int]) -> dict[Digest, int]:
    """Raises InvalidFormatError for a blob of a tree that the tree's inventory does not list."""
    unlisted = blobs - sizes.keys()
    if unlisted:
        raise InvalidFormatError("inventory", f"does not list {min(unlisted)}, which the tree needs")
    return {digest: sizes[digest] for digest in blobs}
