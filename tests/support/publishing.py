"""Publishing into memory: what a tree costs, without a disk or a kernel in between."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import trio

from c3fs.core.manifest import Manifest
from c3fs.fetch.fetcher import Fetcher
from c3fs.publish.publish import Published, PublishRequest, publish_outputs
from c3fs.registry.sql import SqlRegistry
from c3fs.store.base import Store
from c3fs.vfs.filesystem import FileSystem
from c3fs.vfs.tree import Tree
from tests.support.blobs import DictCache, SteeredStore

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)


class Publisher:
    """A registry on disk below `base`, and a store in memory that every publish adds to."""

    def __init__(self, base: Path) -> None:
        self.store = SteeredStore()
        self.registry = SqlRegistry.open(f"sqlite:///{base / 'registry.db'}")
        self._next = 0

    def close(self) -> None:
        self.registry.close()

    def publish(
        self, top: Path, *outputs: str, complete: bool = True, best_effort: bool = False, store: Store | None = None
    ) -> Published:
        return trio.run(lambda: self.publish_async(top, outputs, complete, best_effort, store))

    async def publish_async(
        self, top: Path, outputs: Sequence[str], complete: bool, best_effort: bool, store: Store | None
    ) -> Published:
        self._next += 1
        request = PublishRequest(
            f"/jobs/job_{self._next}_aaaaaa",
            os.fsencode(top),
            tuple(os.fsencode(output) for output in outputs or ("artifacts",)),
            complete,
            best_effort,
        )
        return await publish_outputs(request, store or self.store, self.registry, now=lambda: NOW)


@asynccontextmanager
async def opened(manifest: Manifest, store: SteeredStore) -> AsyncGenerator[tuple[Tree, FileSystem]]:
    """The published tree, read from the store."""
    fetcher = Fetcher(DictCache(), store)
    async with trio.open_nursery() as nursery:
        await nursery.start(fetcher.run)
        tree = Tree(fetcher, manifest.root)
        yield tree, FileSystem(tree, fetcher, None)
        nursery.cancel_scope.cancel()
