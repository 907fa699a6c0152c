"""The walk over the store's shelves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import trio

from c3fs.errors import DeletionUnansweredError
from c3fs.gc.lease import CLOCKS, Clock, Lease
from c3fs.registry.base import SweepRegistry
from c3fs.store.base import SHELVES, STALE, StoredBlob, SweepableStore

GRACE: Final = 24 * 3600.0
"""Seconds for which a blob that nothing names yet is kept: longer than an upload takes."""
SWEEP_SECONDS: Final = 30.0
"""A batch takes 10 to 100 ms. So long are publishers refused what a gc that was killed has condemned."""
BATCH: Final = 1_000
"""Blobs condemned at a time."""
SETTLE_WITHIN: Final = 10.0
"""Seconds for the last word of a gc that is cancelled; a sweep that is not settled ends by time."""


@dataclass(slots=True)
class Tally:
    """Some blobs, and their bytes in the store."""

    blobs: int = 0
    bytes: int = 0

    def add(self, found: Sequence[StoredBlob]) -> None:
        self.blobs += len(found)
        self.bytes += sum(blob.size for blob in found)


@dataclass(slots=True)
class Swept:
    """What a gc did, so far: `shelves` of c3fs.store.base.SHELVES are done.

    Blobs that were `deleted` (or would be, in a dry run), that stay because a manifest names them (`named`) or because
    they are `young`, and that were condemned and are left for the next gc because this one's time for them was over
    (`left`). `foreign` things are no blobs; `temporary` are half-written ones that were removed.
    """

    shelves: int = 0
    deleted: Tally = field(default_factory=Tally)
    named: Tally = field(default_factory=Tally)
    young: Tally = field(default_factory=Tally)
    left: int = 0
    foreign: int = 0
    temporary: int = 0


@dataclass(frozen=True, slots=True)
class GcRequest:
    """`grace` in seconds. With `dry_run` nothing is changed anywhere. A batch is condemned for `seconds`; `clocks` end
    that, and the first of them, the time of day, tells how old a blob is."""

    grace: float = GRACE
    dry_run: bool = False
    seconds: float = SWEEP_SECONDS
    clocks: Sequence[Clock] = CLOCKS


async def sweep_store(
    request: GcRequest,
    store: SweepableStore,
    registry: SweepRegistry,
    *,
    progress: Callable[[Swept], None] | None = None,
) -> Swept:
    """Delete every blob of the store that no manifest names and that is older than the grace period.

    `progress` is called in the caller's task after each shelf. Safe at any time, in any number. Raises what store and
    registry raise. Cancelled at any point, or after an error, nothing is half done.
    """
    sweeper = _Sweeper(request, store, registry)
    for prefix in range(SHELVES):
        await sweeper.sweep_shelf(prefix)
        if progress is not None:
            progress(sweeper.swept)
    if not request.dry_run:
        sweeper.swept.temporary = await store.sweep_temporary(STALE)
    return sweeper.swept


class _Sweeper:
    def __init__(self, request: GcRequest, store: SweepableStore, registry: SweepRegistry) -> None:
        self._request = request
        self._store = store
        self._registry = registry
        self.swept = Swept()

    def __repr__(self) -> str:
        return f"<_Sweeper {self.swept}>"

    async def sweep_shelf(self, prefix: int) -> None:
        shelf = await self._store.shelf(prefix)
        unnamed = await self._unnamed(shelf.blobs)
        old = [blob for blob in unnamed if self._is_old(blob)]
        self.swept.young.add([blob for blob in unnamed if not self._is_old(blob)])
        if self._request.dry_run:
            self.swept.deleted.add(old)
        else:
            for at in range(0, len(old), BATCH):
                await self._delete(old[at : at + BATCH])
        self.swept.foreign += shelf.foreign
        self.swept.shelves += 1

    async def _unnamed(self, blobs: Sequence[StoredBlob]) -> list[StoredBlob]:
        """Only a first look, which saves most shelves their transactions: what counts is `condemn`."""
        if not blobs:
            return []
        named = await self._registry.named([blob.digest for blob in blobs])
        self.swept.named.add([blob for blob in blobs if blob.digest in named])
        return [blob for blob in blobs if blob.digest not in named]

    def _is_old(self, blob: StoredBlob) -> bool:
        now = self._request.clocks[0]()
        return abs(now - blob.modified) >= self._request.grace

    async def _delete(self, old: Sequence[StoredBlob]) -> None:
        seconds = self._request.seconds
        lease = Lease(seconds, self._request.clocks)
        sweep = await self._registry.condemn([blob.digest for blob in old], seconds)
        late = 0.0
        try:
            deleted = await self._store.delete(sweep.condemned, lease.holds)
        except DeletionUnansweredError as error:
            late = error.seconds
            raise
        finally:
            # Whichever way that ended, nothing is deleted any more (SweepableStore.delete), or for so long. What is
            # not settled ends by time.
            with trio.CancelScope(deadline=trio.current_time() + SETTLE_WITHIN, shield=True):
                if late:
                    await self._registry.condemn(sweep.condemned, late)
                await self._registry.settle(sweep)
        self.swept.named.add([blob for blob in old if blob.digest not in sweep.condemned])
        self.swept.deleted.blobs += deleted.blobs
        self.swept.deleted.bytes += deleted.bytes
        if not lease.holds():
            self.swept.left += len(sweep.condemned) - deleted.blobs
