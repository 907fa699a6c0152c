"""Publishing: blobs first, the inventory next, the manifest last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import trio

from c3fs.core.digest import Digest
from c3fs.core.manifest import FORMAT, Inventory, Manifest, Part, encode_inventory
from c3fs.core.ref import parse_ref
from c3fs.publish.collect import Collected, Collector
from c3fs.publish.upload import Sender, UploadCounts, upload
from c3fs.registry.base import Registry
from c3fs.store.base import Store


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """What to publish: the `outputs`, paths below `base`, under `ref`. The one output b"." is `base` itself: what is in
    it becomes the top of the tree.

    `complete` False marks the artifacts of a job that failed. With `best_effort` what cannot be read or stored is left
    out with a warning, and the manifest marked incomplete; otherwise it is an error.
    """

    ref: str
    base: bytes
    outputs: tuple[bytes, ...]
    complete: bool = True
    best_effort: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """Bytes read so far, and bytes the store has taken."""

    read: int
    uploaded: int


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing did. `charged` are the bytes no manifest of the account named before."""

    manifest: Manifest
    warnings: tuple[str, ...]
    uploaded_blobs: int
    uploaded_bytes: int
    reused_blobs: int
    charged: int


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
        collector = Collector(request.base, request.outputs, sender, request.best_effort, tick)
        collected = collector.run()
        return collected, _inventory(collected.blobs, sender.emit)

    collected, inventory = await upload(
        produce, store, counts=counts, on_change=report, may_lose=request.best_effort
    )  # fmt: skip
    complete = request.complete and collected.complete
    manifest = Manifest(FORMAT, request.ref, _timestamp(now()), complete, collected.root, inventory)
    named = [*collected.blobs.items(), *((Digest.parse(part.blob), part.size) for part in inventory.parts)]
    registration = await registry.register(manifest, named)
    report()
    return Published(
        manifest, tuple(collected.warnings), counts.blobs, counts.bytes, counts.reused, registration.charged
    )


def _inventory(blobs: dict[Digest, int], emit: Callable[[Digest, bytes], None]) -> Inventory:
    parts: list[Part] = []
    for data in encode_inventory(blobs.items()):
        digest = Digest.of(data)
        emit(digest, data)
        parts.append(Part(str(digest), len(data)))
    return Inventory(len(blobs), sum(blobs.values()), tuple(parts))


def _timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
