"""A store in memory, a registry on disk and a running read path: where trees are published, read and put together."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import trio

from c3fs.core.digest import Buffer, Digest
from c3fs.core.manifest import FORMAT, Manifest, Root, root_span
from c3fs.core.ref import parse_ref
from c3fs.core.span import Span
from c3fs.data.copy import Copied, Origin, Target, copy_published, upload
from c3fs.data.diff import diff
from c3fs.fetch.fetcher import Fetcher
from c3fs.publish.items import ChunkedFile, Folder, Item
from c3fs.publish.pack import Packer
from c3fs.publish.publish import PublishRequest, publish_outputs, write_inventory
from c3fs.publish.tree import TreeEncoder
from c3fs.registry.sql import SqlRegistry
from c3fs.vfs.tree import Tree
from tests.support.blobs import DictCache, SteeredStore
from tests.support.decoded import Decoded, decode_root, decode_tree
from tests.support.encoded import MTIME

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
NOW_NS = 1_767_323_045_678_000_000


class CountedStore(SteeredStore):
    """Also counts puts by digest."""

    def __init__(self) -> None:
        super().__init__()
        self.puts: Counter[Digest] = Counter()

    def keep(self, digest: Digest, data: Buffer) -> None:
        """As `put` does, uncounted."""
        self.blobs[digest] = bytes(data)

    async def put(self, digest: Digest, data: Buffer) -> None:
        self.puts[digest] += 1
        await super().put(digest, data)


class Stage:
    def __init__(self, store: CountedStore, registry: SqlRegistry, cache: DictCache, fetcher: Fetcher) -> None:
        self.store = store
        self.registry = registry
        self.cache = cache
        self.fetcher = fetcher

    def forget(self) -> None:
        """What was read is read from the store again, but for what is very recent."""
        self.cache.blobs.clear()

    def open_tree(self, manifest: Manifest) -> Tree:
        return Tree(self.fetcher, manifest.root)

    def now(self) -> datetime:
        return NOW

    async def publish(self, top: Path, ref: str, *, complete: bool = True) -> Manifest:
        """What is in `top` as the tree `ref`."""
        request = PublishRequest(ref, os.fsencode(top), (b".",), complete)
        published = await publish_outputs(request, self.store, self.registry, now=self.now)
        return published.manifest

    async def adopt(self, root: Root, ref: str) -> Manifest:
        """A tree whose blobs are in the store already."""
        blobs = {digest: len(self.store.blobs[digest]) for digest in decode_root(root, self.store.blobs).blobs}
        inventory = write_inventory(blobs, self.store.keep)
        manifest = Manifest(FORMAT, ref, "2026-01-02T03:04:05.678Z", True, root, inventory)
        parts = [(Digest.parse(part.blob), part.size) for part in inventory.parts]
        mark = await self.registry.mark()
        return (await self.registry.register(manifest, [*blobs.items(), *parts], mark=mark)).manifest

    def decoded(self, manifest: Manifest) -> Decoded:
        """Everything that the format promises asserted, that the inventory is exact included."""
        return decode_tree(manifest, self.store.blobs)

    async def origin(self, manifest: Manifest, *path: bytes) -> Origin:
        tree = self.open_tree(manifest)
        return Origin(manifest, tree, await tree.resolve(path))

    async def copy(self, origin: Origin, ref: str, *path: bytes) -> Copied:
        target = Target(parse_ref(ref), path)
        return await copy_published(
            origin, target, open_tree=self.open_tree, store=self.store, registry=self.registry, now=self.now
        )

    async def upload(self, source: Path, ref: str, *path: bytes) -> Copied:
        return await self.upload_bytes(os.fsencode(source), ref, *path)

    async def upload_bytes(self, source: bytes, ref: str, *path: bytes) -> Copied:
        return await upload(
            source,
            Target(parse_ref(ref), path),
            open_tree=self.open_tree,
            store=self.store,
            registry=self.registry,
            now=self.now,
        )

    async def changes(self, one: Manifest, other: Manifest) -> list[tuple[str, bytes]]:
        before, after = self.open_tree(one), self.open_tree(other)
        return [(change.kind, change.path) async for change in diff(before, before.root, after, after.root)]


@asynccontextmanager
async def staged(base: Path, store: CountedStore | None = None) -> AsyncGenerator[Stage]:
    """All of it; the registry lies below `base`."""
    store = store or CountedStore()
    cache = DictCache()
    with SqlRegistry.open(f"sqlite:///{base / 'registry.db'}") as registry:
        async with trio.open_nursery() as nursery:
            fetcher = Fetcher(cache, store)
            await nursery.start(fetcher.run)
            yield Stage(store, registry, cache, fetcher)
            nursery.cancel_scope.cancel()


def long_file(store: SteeredStore, name: bytes, spans: int) -> ChunkedFile:
    """A file of so many zeros, each a span of its own: a blob, or a hole."""
    zero = store.add(b"\0")
    pieces = [Span(zero if at % 3 else None, 0, 1) for at in range(spans)]
    return ChunkedFile(name, 0o644, MTIME, spans, Digest.of(bytes(spans)), pieces)


def encoded(store: CountedStore, *items: Item) -> Root:
    """A directory of these, in order of name, laid into the store."""
    encoder = TreeEncoder(Packer(store.keep))
    folder = Folder(b"", 0o755, MTIME)
    encoder.begin(folder)
    for item in items:
        encoder.add(item)
    encoder.end()
    encoder.finish()
    return Root(str(folder.hasher.digest()), 0o755, MTIME, root_span(folder.span()), *folder.totals)
