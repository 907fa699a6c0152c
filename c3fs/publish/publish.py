"""Publishing: blobs first, the inventory next, the manifest last."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar

import trio

from c3fs.core.digest import Digest
from c3fs.core.manifest import FORMAT, Inventory, Manifest, Part, Root, encode_inventory
from c3fs.core.ref import parse_ref
from c3fs.errors import SweptError
from c3fs.publish.collect import Collected, Collector, Skip, nothing
from c3fs.publish.upload import Sender, UploadCounts, upload
from c3fs.registry.base import Registration, Registry
from c3fs.store.base import Store

T = TypeVar("T")

SWEPT_PAUSES: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
"""Seconds between tries when a gc has come in between."""


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """What to publish: the `outputs`, paths below `base`, under `ref`. The one output b"." is `base` itself: what is in
    it becomes the top of the tree.

    `complete` False marks the artifacts of a job that failed. With `best_effort` what cannot be read or stored is left
    out with a warning, and the manifest marked incomplete; otherwise that is an error. `skip` says what is not wanted.
    """

    ref: str
    base: bytes
    outputs: tuple[bytes, ...]
    complete: bool = True
    best_effort: bool = False
    skip: Skip = nothing


@dataclass(frozen=True, slots=True)
class Progress:
    """Bytes read so far, and bytes the store has taken."""

    read: int
    uploaded: int


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing did."""

    registration: Registration
    warnings: tuple[str, ...]
    uploaded_blobs: int
    uploaded_bytes: int
    reused_blobs: int

    @property
    def manifest(self) -> Manifest:
        return self.registration.manifest

    @property
    def charged(self) -> int:
        """Bytes that no manifest of the account named before."""
        return self.registration.charged


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What was collected, with every blob that its tree needs stored: `blobs` has their sizes."""

    root: Root
    blobs: dict[Digest, int]
    inventory: Inventory
    parts: dict[Digest, int]
    warnings: tuple[str, ...]
    complete: bool
    counts: UploadCounts

    def named(self) -> list[tuple[Digest, int]]:
        """What a manifest of this tree is registered with."""
        return [*self.blobs.items(), *self.parts.items()]


async def publish_outputs(
    request: PublishRequest,
    store: Store,
    registry: Registry,
    *,
    now: Callable[[], datetime],
    progress: Callable[[Progress], None] | None = None,
) -> Published:
    """Collect, upload, register. `progress` is called in the caller's task, after each change.

    Raises InvalidRefError, CollectError, and what store and registry raise; the manifest is then not visible, and the
    blobs already stored make the next try cheaper. Cancelled, likewise. The same again, after a crash at any point,
    is no error: what is stored is not stored twice, and the registry takes the same tree under the same ref.
    """
    parse_ref(request.ref)

    async def attempt(mark: int) -> Published:
        uploaded = await collect_and_upload(request, store, progress=progress)
        complete = request.complete and uploaded.complete
        manifest = Manifest(FORMAT, request.ref, timestamp(now()), complete, uploaded.root, uploaded.inventory)
        registration = await registry.register(manifest, uploaded.named(), mark=mark)
        counts = uploaded.counts
        return Published(registration, uploaded.warnings, counts.blobs, counts.bytes, counts.reused)

    return await while_swept(registry, attempt)


async def collect_and_upload(
    request: PublishRequest, store: Store, *, progress: Callable[[Progress], None] | None = None
) -> Uploaded:
    """Publishing without its last step: everything is stored, and nothing names it yet."""
    read = 0
    counts = UploadCounts()

    def report() -> None:
        if progress is not None:
            progress(Progress(read, counts.bytes))

    def tick(size: int) -> None:
        nonlocal read
        read += size
        trio.from_thread.check_cancelled()

    def produce(sender: Sender) -> tuple[Collected, Inventory]:
        collector = Collector(request.base, request.outputs, sender, request.best_effort, tick, request.skip)
        collected = collector.run()
        return collected, write_inventory(collected.blobs, sender.emit)

    collected, inventory = await upload(
        produce, store, counts=counts, on_change=report, may_lose=request.best_effort
    )  # fmt: skip
    report()
    parts = {Digest.parse(part.blob): part.size for part in inventory.parts}
    warnings = tuple(collected.warnings)
    return Uploaded(collected.root, collected.blobs, inventory, parts, warnings, collected.complete, counts)


async def while_swept(registry: Registry, attempt: Callable[[int], Awaitable[T]]) -> T:
    """Run `attempt(mark)` until no gc has come in between; SweptError when one always does.

    A gc that is under way may be so for the time it was given: the pauses sum up to two minutes.
    """
    for pause in SWEPT_PAUSES:
        try:
            return await attempt(await registry.mark())
        except SweptError:
            await trio.sleep(pause)
    return await attempt(await registry.mark())


def write_inventory(blobs: Mapping[Digest, int], emit: Callable[[Digest, bytes], None]) -> Inventory:
    """The inventory of these blobs, whose parts are blobs themselves and go to `emit`."""
    parts: list[Part] = []
    for data in encode_inventory(blobs.items()):
        digest = Digest.of(data)
        emit(digest, data)
        parts.append(Part(str(digest), len(data)))
    return Inventory(len(blobs), sum(blobs.values()), tuple(parts))


def timestamp(moment: datetime) -> str:
    """As a manifest has it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
