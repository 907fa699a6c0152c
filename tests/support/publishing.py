"""Publishing into memory: what a tree costs, without a disk or a kernel in between."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence, Set
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import trio

from c3fs.core.digest import Buffer, Digest
from c3fs.core.manifest import Root
from c3fs.fetch.fetcher import Fetcher
from c3fs.publish.collect import Collected, Collector, Skip, nothing
from c3fs.publish.publish import Published, PublishRequest, publish_outputs
from c3fs.registry.sql import SqlRegistry
from c3fs.store.base import Store
from c3fs.vfs.filesystem import FileSystem
from c3fs.vfs.tree import Tree
from tests.support.blobs import DictCache, SteeredStore
from tests.support.decoded import Decoded, decode_root
from tests.support.trees import Source, build

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


class KeptBlobs:
    """The collector's sink, without a store: keeps the blobs; those in `lose` cannot be stored."""

    def __init__(self, lose: Set[Digest] = frozenset()) -> None:
        self.blobs: dict[Digest, bytes] = {}
        self.lose = lose
        self.settled = 0

    def emit(self, digest: Digest, data: Buffer) -> None:
        assert digest not in self.blobs, "emitted twice"
        self.blobs[digest] = bytes(data)

    def settle(self) -> Set[Digest]:
        self.settled += 1
        for digest in self.lose:
            self.blobs.pop(digest, None)
        return self.lose


def fill(top: Path, source: Source) -> None:
    """Make `top/artifacts` hold `source` and nothing else."""
    shutil.rmtree(top / "artifacts")
    build(top / "artifacts", source)


@asynccontextmanager
async def opened(root: Root, blobs: Mapping[Digest, bytes]) -> AsyncGenerator[tuple[Tree, FileSystem]]:
    """The published tree as a mount reads it."""
    store = SteeredStore()
    store.blobs.update(blobs)
    fetcher = Fetcher(DictCache(), store)
    async with trio.open_nursery() as nursery:
        await nursery.start(fetcher.run)
        tree = Tree(fetcher, root)
        yield tree, FileSystem(tree, fetcher, None)
        nursery.cancel_scope.cancel()


def collected(
    base: Path,
    *outputs: str,
    tick: Callable[[int], None] = lambda _: None,
    best_effort: bool = False,
    skip: Skip = nothing,
) -> tuple[Collected, Decoded]:
    """What comes of the outputs; every blob it names is there, and decoded."""
    sink = KeptBlobs()
    wanted = tuple(map(os.fsencode, outputs)) or (b"artifacts",)
    descriptors = len(os.listdir("/proc/self/fd"))
    try:
        found = Collector(os.fsencode(base), wanted, sink, best_effort, tick, skip).run()
    finally:
        assert len(os.listdir("/proc/self/fd")) == descriptors
    decoded = decode_root(found.root, sink.blobs)
    assert set(found.blobs) == decoded.blobs
    assert {digest: len(sink.blobs[digest]) for digest in found.blobs} == found.blobs
    return found, decoded


def paths(decoded: Decoded) -> set[bytes]:
    """All but that of the root."""
    return set(decoded.facts) - {b""}
