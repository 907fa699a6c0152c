"""Publishing: what a second time costs, what is registered when, and what is left of a publish that failed."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from c3fs.core.digest import Buffer, Digest
from c3fs.core.manifest import Manifest, decode_manifest
from c3fs.core.ref import parse_ref
from c3fs.errors import CollectError, ConflictError, InvalidRefError, StoreRefusedError
from c3fs.publish.publish import Progress, Published, PublishRequest, publish_outputs
from tests.support.blobs import SteeredStore, seeded
from tests.support.decoded import Decoded, decode_root, decode_tree
from tests.support.publishing import NOW, Publisher, fill
from tests.support.trees import Sparse, facts, many, odd

MIB = 1 << 20


def decoded(published: Published, publisher: Publisher) -> Decoded:
    return decode_tree(published.manifest, publisher.store.blobs)


# --- what is published ------------------------------------------------------------


def test_a_tree_of_everything_is_published_as_it_is(publisher: Publisher, top: Path) -> None:
    fill(top, odd())
    published = publisher.publish(top)
    assert decoded(published, publisher).facts == facts(top)
    assert published.warnings == ()


def test_the_manifest_says_what_is_stored(publisher: Publisher, top: Path) -> None:
    fill(top, many(100, 10_000, 10))
    published = publisher.publish(top)
    manifest = published.manifest
    assert decode_manifest(manifest.encode()) == manifest
    assert manifest.created == "2026-01-02T03:04:05.678Z"
    assert len(manifest.encode()) < 1000
    parts = {Digest.parse(part.blob) for part in manifest.inventory.parts}
    assert decoded(published, publisher).blobs | parts == set(publisher.store.blobs)
    assert published.charged == published.uploaded_bytes == sum(map(len, publisher.store.blobs.values()))
    assert trio.run(publisher.registry.manifest, parse_ref(manifest.ref)) == manifest


def test_a_directory_is_published_as_the_top_of_a_tree(publisher: Publisher, top: Path) -> None:
    """What becomes a data set: no name of the directory in front."""
    fill(top, many(10, 100, 5))
    published = publisher.publish(top / "artifacts", ".")
    assert decoded(published, publisher).facts == facts(top / "artifacts")


def test_an_empty_tree(publisher: Publisher, top: Path) -> None:
    published = publisher.publish(top, ".")
    assert (published.manifest.root.files, published.manifest.root.directories) == (0, 1)
    nothing = publisher.publish(top / "artifacts", ".")
    assert nothing.manifest.inventory.parts == ()
    assert nothing.uploaded_blobs == nothing.charged == 0


def test_a_sparse_file_of_5_gib_is_stored_without_its_holes(publisher: Publisher, top: Path) -> None:
    fill(top, {b"sparse": Sparse(5 << 30, {4 << 30: b"far out"})})
    published = publisher.publish(top)
    assert published.manifest.root.bytes == 5 << 30
    assert sum(map(len, publisher.store.blobs.values())) < 10_000


# --- the registry ------------------------------------------------------------


def repeat(publisher: Publisher) -> None:
    publisher._next = 0  # pyright: ignore[reportPrivateUsage]


def test_the_same_tree_under_the_same_ref_again_is_no_error(publisher: Publisher, top: Path) -> None:
    """As after a crash between registering and telling somebody; `created` is another then."""
    fill(top, many(10, 100, 5))
    first = publisher.publish(top)
    repeat(publisher)
    again = publisher.publish(top)
    assert (again.charged, again.uploaded_blobs) == (0, 0)
    assert again.manifest == first.manifest


def test_the_same_tree_at_another_time_is_no_error(publisher: Publisher, top: Path) -> None:
    fill(top, many(10, 100, 5))
    first = publisher.publish(top)

    async def again() -> Published:
        request = PublishRequest(first.manifest.ref, os.fsencode(top), (b"artifacts",))
        return await publish_outputs(request, publisher.store, publisher.registry, now=lambda: NOW.replace(year=2027))

    assert trio.run(again).charged == 0
    assert trio.run(publisher.registry.manifest, parse_ref(first.manifest.ref)) == first.manifest


def test_another_tree_under_the_same_ref_is_refused(publisher: Publisher, top: Path) -> None:
    publisher.publish(top)
    fill(top, {b"new": b"new"})
    repeat(publisher)
    with pytest.raises(ConflictError):
        publisher.publish(top)


def test_a_bad_ref_is_refused_before_anything_is_read(publisher: Publisher, top: Path) -> None:
    request = PublishRequest("/jobs/../x", os.fsencode(top), (b"artifacts",))
    with pytest.raises(InvalidRefError):
        trio.run(lambda: publish_outputs(request, publisher.store, publisher.registry, now=lambda: NOW))


class Watching(SteeredStore):
    """Tells of every put."""

    def __init__(self, told: Callable[[Digest, Buffer], None]) -> None:
        super().__init__()
        self.told = told

    async def put(self, digest: Digest, data: Buffer) -> None:
        self.told(digest, data)
        await super().put(digest, data)


def test_the_manifest_is_registered_when_all_it_names_is_stored(
    publisher: Publisher, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(top, many(500, 20_000, 50))
    register = publisher.registry.register
    stored: list[int] = []

    async def registering(manifest: Manifest, blobs: list[tuple[Digest, int]], *, mark: int) -> object:
        assert {digest for digest, _ in blobs} == set(publisher.store.blobs)
        stored.append(len(blobs))
        return await register(manifest, blobs, mark=mark)

    monkeypatch.setattr(publisher.registry, "register", registering)
    published = publisher.publish(top)
    assert stored == [published.uploaded_blobs]


# --- progress and failure ------------------------------------------------------------


def test_progress_counts_up_to_everything(publisher: Publisher, top: Path) -> None:
    fill(top, {**many(200, 10_000, 50), b"large": seeded(1, 9 * MIB)})
    seen: list[Progress] = []

    async def publish() -> Published:
        request = PublishRequest("/jobs/job_7_aaaaaa", os.fsencode(top), (b"artifacts",))
        return await publish_outputs(
            request, publisher.store, publisher.registry, now=lambda: NOW, progress=seen.append
        )  # fmt: skip

    published = trio.run(publish)
    assert seen[-1] == Progress(published.manifest.root.bytes, published.uploaded_bytes)
    assert all(a.read <= b.read and a.uploaded <= b.uploaded for a, b in itertools.pairwise(seen))
    assert len(seen) > 5


def full_after(room: int) -> Callable[[Digest, Buffer], None]:
    def told(_: Digest, data: Buffer) -> None:
        nonlocal room
        room -= len(data)
        if room < 0:
            raise StoreRefusedError("the disk is full")

    return told


@pytest.mark.parametrize("best_effort", [False, True])
def test_a_store_that_fills_up_publishes_nothing(publisher: Publisher, top: Path, best_effort: bool) -> None:
    (top / "artifacts" / "large").write_bytes(seeded(1, 64 * MIB))
    with pytest.raises(StoreRefusedError):
        publisher.publish(top, store=Watching(full_after(20 * MIB)), best_effort=best_effort)
    assert trio.run(publisher.registry.balance).stored == 0


def refusing(*blobs: bytes) -> Callable[[Digest, Buffer], None]:
    """No blob that begins so."""

    def told(_: Digest, data: Buffer) -> None:
        if bytes(data[:16]) in {blob[:16] for blob in blobs}:
            raise StoreRefusedError("not this one")

    return told


def test_with_best_effort_what_cannot_be_stored_is_left_out(publisher: Publisher, top: Path) -> None:
    large, small = seeded(1, 3 * MIB), seeded(2, 1_000)
    fill(top, {b"large": large, b"other": seeded(3, 3 * MIB), b"sub": {b"small": small, b"empty": b""}})
    store = Watching(refusing(large, small))
    with pytest.raises(StoreRefusedError):
        publisher.publish(top, store=store)
    published = publisher.publish(top, store=store, best_effort=True)
    assert not published.manifest.complete
    assert published.warnings == (
        "sub/small: could not be stored",
        "artifacts/large: could not be stored",
    )
    # The inventory may name chunks of a file that others of its chunks were lost of: the paths alone are compared.
    assert sorted(decode_root(published.manifest.root, store.blobs).facts) == [
        b"", b"artifacts", b"artifacts/other", b"artifacts/sub", b"artifacts/sub/empty",
    ]  # fmt: skip
    assert trio.run(publisher.registry.manifest, parse_ref(published.manifest.ref)) == published.manifest


def test_best_effort_says_incomplete_and_an_incomplete_job_too(publisher: Publisher, top: Path) -> None:
    fill(top, {b"a": b"1"})
    assert publisher.publish(top, best_effort=True).manifest.complete
    assert not publisher.publish(top, complete=False).manifest.complete


def test_what_cannot_be_collected_registers_nothing(publisher: Publisher, top: Path) -> None:
    (top / "link").symlink_to("artifacts")
    with pytest.raises(CollectError):
        publisher.publish(top, "artifacts", "link")
    assert trio.run(publisher.registry.balance).stored == 0


def test_cancelling_ends_at_once_and_registers_nothing(publisher: Publisher, top: Path) -> None:
    """Also while zeros are hashed: 20 TiB of them would take an hour."""
    fill(top, {b"hole": Sparse(1 << 43)})

    async def cancelled() -> bool:
        with trio.move_on_after(0.3) as scope:
            await publisher.publish_async(top, ["artifacts"], True, False, None)
        return scope.cancelled_caught

    assert trio.run(cancelled)
    assert trio.run(publisher.registry.balance).stored == 0


def test_a_publish_that_is_repeated_after_a_failure_sends_the_rest(publisher: Publisher, top: Path) -> None:
    (top / "artifacts" / "large").write_bytes(seeded(1, 64 * MIB))
    store = Watching(full_after(30 * MIB))
    with pytest.raises(StoreRefusedError):
        publisher.publish(top, store=store)
    kept = len(store.blobs)
    assert kept > 5
    store.told = full_after(1 << 30)
    published = publisher.publish(top, store=store)
    assert published.reused_blobs == kept
    assert len(store.blobs) == published.uploaded_blobs + kept
