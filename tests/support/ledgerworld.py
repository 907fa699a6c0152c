"""A home on which one operation after another is tried, some of which die on the way; and what must hold in between."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

import trio

from c3fs.core.digest import Buffer, Digest
from c3fs.core.manifest import Manifest
from c3fs.core.ref import Ref, parse_ref
from c3fs.data.copy import Origin, Target, copy_published
from c3fs.errors import NotDirectoryError
from c3fs.fetch.fetcher import Fetcher
from c3fs.gc.sweep import SWEEP_SECONDS, GcRequest, Swept, sweep_store
from c3fs.publish.publish import PublishRequest, publish_outputs
from c3fs.registry.base import Registration, Sweep
from c3fs.registry.sql import SqlRegistry
from c3fs.store.base import Deleted, Shelf
from c3fs.store.directory import DirectoryStore
from c3fs.vfs.tree import Tree
from tests.support.blobs import DictCache
from tests.support.decoded import decode_tree
from tests.support.records import EPOCH
from tests.support.trees import Source, build

T = TypeVar("T")
DATASETS: Final = ("/datasets/a", "/datasets/b", "/projects/p/data/a", "/projects/p/source")


class Died(BaseException):
    """The process is dead: it makes no further call."""


class Mortality:
    """Kills at the call of that number (from 0 on), before or after it is done; -1 never."""

    def __init__(self, at: int, *, after: bool) -> None:
        self._left = at
        self._after = after
        self.dead = False

    async def call(self, work: Callable[[], Awaitable[T]]) -> T:
        if self.dead:
            raise Died
        self._left -= 1
        if self._left != -1:
            return await work()
        self.dead = True
        if self._after:
            # Whatever kills a process lets a call that has begun come to its end.
            with trio.CancelScope(shield=True):
                await work()
        raise Died


class MortalStore:
    """Both protocols of a store; any of its calls may be the last."""

    def __init__(self, inner: DirectoryStore, mortality: Mortality) -> None:
        self._inner = inner
        self._call = mortality.call

    async def get(self, digest: Digest) -> Buffer:
        return await self._inner.get(digest)

    async def put(self, digest: Digest, data: Buffer) -> None:
        await self._call(lambda: self._inner.put(digest, data))

    async def missing(self, blobs: Mapping[Digest, Buffer]) -> set[Digest]:
        return await self._call(lambda: self._inner.missing(blobs))

    async def shelf(self, prefix: int) -> Shelf:
        shelf = await self._inner.shelf(prefix)
        return await self._call(lambda: _answer(shelf)) if shelf.blobs else shelf

    async def delete(self, digests: Collection[Digest], allowed: Callable[[], bool]) -> Deleted:
        """Blob by blob: it may die in the middle."""
        blobs = size = 0
        for digest in digests:
            deleted = await self._call(lambda digest=digest: self._inner.delete([digest], allowed))
            blobs, size = blobs + deleted.blobs, size + deleted.bytes
        return Deleted(blobs, size)

    async def sweep_temporary(self, older_than_s: float) -> int:
        return await self._inner.sweep_temporary(older_than_s)


class MortalRegistry(SqlRegistry):
    """Any call of these may be the last."""

    mortality: Mortality

    async def mark(self) -> int:
        return await self.mortality.call(super().mark)

    async def register(
        self, manifest: Manifest, blobs: Sequence[tuple[Digest, int]], *, mark: int, onto: int | None = None
    ) -> Registration:
        register = super().register
        return await self.mortality.call(lambda: register(manifest, blobs, mark=mark, onto=onto))

    async def remove(self, refs: Sequence[Ref]) -> int:
        remove = super().remove
        return await self.mortality.call(lambda: remove(refs))

    async def condemn(self, digests: Collection[Digest], seconds: float) -> Sweep:
        condemn = super().condemn
        return await self.mortality.call(lambda: condemn(digests, seconds))

    async def settle(self, sweep: Sweep) -> None:
        settle = super().settle
        await self.mortality.call(lambda: settle(sweep))


async def _answer(value: T) -> T:
    return value


class World:
    """Every method is one operation, by a process of its own that may die."""

    def __init__(self) -> None:
        shared = "/dev/shm"
        self._base = Path(tempfile.mkdtemp(prefix="c3fs-", dir=shared if os.path.isdir(shared) else None))
        self._time = EPOCH
        self._numbers = 0
        self.registry = MortalRegistry.open(f"sqlite:///{self._base}/registry.db", now=self._now)
        self.store = DirectoryStore(str(self._base / "store"))

    def close(self) -> None:
        self.registry.close()
        shutil.rmtree(self._base)

    # --- operations: False when the process died

    def publish_job(self, source: Source, *, complete: bool, mortality: Mortality) -> bool:
        self._numbers += 1
        return self._publish(f"/jobs/job_{self._numbers}_aaaaaa", source, complete, mortality)

    def publish_version(self, ref: str, source: Source, mortality: Mortality) -> bool:
        return self._publish(ref, source, True, mortality)

    def publish_again(self, ref: str, mortality: Mortality) -> bool:
        """The same tree under the same frozen ref, as after a crash."""

        async def again() -> None:
            manifest = await self.registry.manifest(parse_ref(ref))
            blobs = await self._named(manifest)
            await self.registry.register(manifest, list(blobs.items()), mark=await self.registry.mark())

        return self._tried(again, mortality)

    def copy(self, ref: str, target: str, path: tuple[bytes, ...], mortality: Mortality) -> bool:
        """To a new version of `target`: the whole tree, or grafted into the newest one."""
        store = MortalStore(self.store, mortality)

        async def copy() -> None:
            manifest = await self.registry.manifest(parse_ref(ref))
            async with trio.open_nursery() as nursery:
                fetcher = Fetcher(DictCache(), self.store)
                await nursery.start(fetcher.run)
                tree = Tree(fetcher, manifest.root)
                await copy_published(
                    Origin(manifest, tree, tree.root),
                    Target(parse_ref(target), path),
                    open_tree=lambda manifest: Tree(fetcher, manifest.root),
                    store=store,
                    registry=self.registry,
                    now=self._now,
                )
                nursery.cancel_scope.cancel()

        return self._tried(copy, mortality)

    def remove(self, refs: Sequence[str], mortality: Mortality) -> bool:
        async def remove() -> None:
            await self.registry.remove([parse_ref(ref) for ref in refs])

        return self._tried(remove, mortality)

    def gc(self, mortality: Mortality) -> Swept | None:
        """With no grace; None when it died."""
        done: list[Swept] = []

        async def gc() -> None:
            done.append(await sweep_store(GcRequest(0), MortalStore(self.store, mortality), self.registry))

        return done[0] if self._tried(gc, mortality) else None

    # --- what is there

    def visible(self) -> dict[str, Manifest]:
        """Every published tree, by its frozen ref."""

        async def find() -> dict[str, Manifest]:
            found = {manifest.ref: manifest for manifest in (await self.registry.artifacts()).values()}
            for ref in DATASETS:
                found.update((manifest.ref, manifest) for manifest in await self.registry.versions(parse_ref(ref)))
            return found

        self.registry.mortality = Mortality(-1, after=False)
        return trio.run(find)

    def balance(self) -> int:
        return trio.run(self.registry.balance).stored

    def stored(self) -> dict[Digest, bytes]:
        """Every blob of the store; each is whole."""
        paths = (self._base / "store").glob("??/*")
        blobs = {Digest.parse(path.name): path.read_bytes() for path in paths}
        assert all(Digest.of(data) == digest for digest, data in blobs.items())
        return blobs

    def check(self) -> set[Digest]:
        """The ledger says what the visible trees need, to the byte; the blobs that is."""
        stored = self.stored()
        needed: set[Digest] = set()
        for manifest in self.visible().values():
            needed |= decode_tree(manifest, stored).blobs
            needed |= {Digest.parse(part.blob) for part in manifest.inventory.parts}
        balance = trio.run(self.registry.balance, 1 << 30)
        assert balance.stored == sum(len(stored[digest]) for digest in needed)
        total = 0
        for line in reversed(balance.lines):
            total += line.delta
            assert line.balance == total
        assert total == balance.stored
        return needed

    def _publish(self, ref: str, source: Source, complete: bool, mortality: Mortality) -> bool:
        base = build(Path(tempfile.mkdtemp(dir=self._base)), {b"out": source})
        request = PublishRequest(ref, os.fsencode(base), (b"out",), complete)
        store = MortalStore(self.store, mortality)

        async def publish() -> None:
            await publish_outputs(request, store, self.registry, now=self._now)

        return self._tried(publish, mortality)

    def _tried(self, operation: Callable[[], Awaitable[None]], mortality: Mortality) -> bool:
        """Whether it came to its end. What cannot be copied there is no end either."""
        self.registry.mortality = mortality
        ended = True
        try:
            trio.run(operation)
        except* Died:
            # What a dead gc has condemned is nobody's concern when its time is over.
            self._time += timedelta(seconds=SWEEP_SECONDS)
            ended = False
        except* NotDirectoryError:
            ended = False
        return ended

    async def _named(self, manifest: Manifest) -> dict[Digest, int]:
        stored = self.stored()
        parts = {Digest.parse(part.blob) for part in manifest.inventory.parts}
        return {digest: len(stored[digest]) for digest in decode_tree(manifest, stored).blobs | parts}

    def _now(self) -> datetime:
        self._time += timedelta(milliseconds=1)
        return self._time
