"""A publisher and a gc on one registry and one store, each of whose calls is a step of a schedule."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeVar

from trio.testing import MockClock

from c3fs.core.digest import Buffer, Digest
from c3fs.core.manifest import Manifest
from c3fs.core.ref import parse_ref
from c3fs.errors import RefNotFoundError, SweptError
from c3fs.gc.sweep import GcRequest, sweep_store
from c3fs.registry.base import Registration, Registry, Sweep
from c3fs.registry.sql import SqlRegistry
from c3fs.store.base import Deleted, Shelf, Store
from c3fs.store.directory import DirectoryStore
from tests.support.records import EPOCH, job_id, make_manifest
from tests.support.schedules import Actor

R = TypeVar("R", bound=SqlRegistry)

READS: Final = frozenset({"mark", "named", "missing", "shelf"})
STORE: Final = frozenset({"missing", "put", "shelf", "delete"})


def commute(one: str, other: str) -> bool:
    """Neither can tell which came first: both only look, or one asks the store and the other the registry."""
    return (one in READS and other in READS) or (one in STORE) != (other in STORE)


class SteppedRegistry(SqlRegistry):
    """Calls that have to do with gc take turns. `careless` switches the check of marks off."""

    actor: Actor
    careless = False

    async def mark(self) -> int:
        await self.actor.turn("mark")
        return await super().mark()

    async def register(
        self, manifest: Manifest, blobs: Sequence[tuple[Digest, int]], *, mark: int, onto: int | None = None
    ) -> Registration:
        await self.actor.turn("register")
        return await super().register(manifest, blobs, mark=1 << 40 if self.careless else mark, onto=onto)

    async def named(self, digests: Collection[Digest]) -> set[Digest]:
        await self.actor.turn("named")
        return await super().named(digests)

    async def condemn(self, digests: Collection[Digest], seconds: float) -> Sweep:
        await self.actor.turn("condemn")
        return await super().condemn(digests, seconds)

    async def settle(self, sweep: Sweep) -> None:
        await self.actor.turn("settle")
        await super().settle(sweep)


class SteppedStore:
    """Calls take turns; those about shelves on which no blob ever lies are answered at once. With `piecemeal` each
    blob is deleted in a step of its own."""

    def __init__(self, inner: DirectoryStore, actor: Actor, shelves: Collection[int], *, piecemeal: bool) -> None:
        self._inner = inner
        self._actor = actor
        self._shelves = shelves
        self._piecemeal = piecemeal

    async def get(self, digest: Digest) -> Buffer:
        return await self._inner.get(digest)

    async def put(self, digest: Digest, data: Buffer) -> None:
        await self._actor.turn("put")
        await self._inner.put(digest, data)

    async def missing(self, blobs: Mapping[Digest, Buffer]) -> set[Digest]:
        await self._actor.turn("missing")
        return await self._inner.missing(blobs)

    async def shelf(self, prefix: int) -> Shelf:
        if prefix not in self._shelves:
            return Shelf([])
        await self._actor.turn("shelf")
        return await self._inner.shelf(prefix)

    async def delete(self, digests: Collection[Digest], allowed: Callable[[], bool]) -> Deleted:
        if not self._piecemeal:
            await self._actor.turn("delete")
            return await self._inner.delete(digests, allowed)
        blobs = size = 0
        for digest in sorted(digests):
            await self._actor.turn("delete")
            deleted = await self._inner.delete([digest], allowed)
            blobs, size = blobs + deleted.blobs, size + deleted.bytes
        return Deleted(blobs, size)

    async def sweep_temporary(self, older_than_s: float) -> int:
        return 0


class Stage:
    """What all runs of a test share; each begins with the `old` blobs in the store, named by nothing."""

    def __init__(self, home: Path, clock: MockClock, old: Mapping[Digest, bytes], shelves: Collection[int]) -> None:
        self.path = str(home / "store")
        self.clock = clock
        self._url = f"sqlite:///{home}/registry.db"
        self._old = old
        self._shelves = shelves
        self._registries: dict[str, SteppedRegistry] = {}
        self._runs = 0
        self._visible: dict[str, Collection[Digest]] = {}
        self.plain = self._open(SqlRegistry)
        self.store = DirectoryStore(self.path)

    def close(self) -> None:
        for registry in (self.plain, *self._registries.values()):
            registry.close()

    async def begin(self) -> None:
        """Nothing is visible, no sweep is under way, and only the old blobs are stored."""
        await self.plain.remove([parse_ref(ref) for ref in self._visible])
        self._visible.clear()
        self._runs += 1
        self.clock.jump(3600)
        for shelf in self._shelves:
            for file in glob.glob(f"{self.path}/{shelf:02x}/*"):
                os.unlink(file)
        for digest, data in self._old.items():
            await self.store.put(digest, data)

    def registry(self, actor: Actor) -> SteppedRegistry:
        """A connection of its own for each actor, as processes have."""
        registry = self._registries.get(actor.name)
        if registry is None:
            registry = self._registries[actor.name] = self._open(SteppedRegistry)
        registry.actor = actor
        return registry

    def stepped(self, actor: Actor, *, piecemeal: bool = False) -> SteppedStore:
        return SteppedStore(self.store, actor, self._shelves, piecemeal=piecemeal)

    def ref(self, number: int) -> str:
        return f"/jobs/{job_id(self._runs * 10 + number)}"

    async def publish(
        self, actor: Actor, number: int, blobs: Mapping[Digest, bytes], *, tries: int, careless: bool
    ) -> None:
        """What c3fs.publish does of a tree, one call after the other, again when it is refused."""
        registry = self.registry(actor)
        registry.careless = careless
        store = self.stepped(actor)
        for _ in range(tries - 1):
            try:
                await self._attempt(registry, store, self.ref(number), blobs)
            except SweptError:
                continue
            return
        await self._attempt(registry, store, self.ref(number), blobs)

    async def publish_alone(self, number: int, blobs: Mapping[Digest, bytes]) -> None:
        """The same when nobody else does anything: at the first try."""
        await self._attempt(self.plain, self.store, self.ref(number), blobs)

    async def _attempt(self, registry: Registry, store: Store, ref: str, blobs: Mapping[Digest, bytes]) -> None:
        mark = await registry.mark()
        missing = await store.missing(blobs)
        for digest in sorted(missing):
            await store.put(digest, blobs[digest])
        rows = [(digest, len(data)) for digest, data in blobs.items()]
        await registry.register(make_manifest(ref), rows, mark=mark)
        self._visible[ref] = blobs

    async def gc(self, actor: Actor, *, piecemeal: bool, timeless: bool = False) -> None:
        """With no grace. `timeless`: it does not notice that time passes."""
        request = GcRequest(0, clocks=((lambda: 0.0) if timeless else self.clock.current_time,))
        await sweep_store(request, self.stepped(actor, piecemeal=piecemeal), self.registry(actor))

    def dangling(self) -> list[str]:
        """Visible manifests that name a blob which is not there."""
        return [
            ref
            for ref, blobs in self._visible.items()
            if not all(os.path.exists(f"{self.path}/{str(digest)[:2]}/{digest}") for digest in blobs)
        ]

    async def is_visible(self, ref: str) -> bool:
        try:
            await self.plain.manifest(parse_ref(ref))
        except RefNotFoundError:
            return False
        return True

    async def verify(self, blobs: Mapping[Digest, bytes]) -> None:
        for digest, data in blobs.items():
            assert await self.store.get(digest) == data

    def _open(self, kind: type[R]) -> R:
        return kind.open(self._url, now=lambda: EPOCH + timedelta(seconds=self.clock.current_time()))
