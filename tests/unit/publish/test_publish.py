"""Publishing: what is collected, what a second time costs, what fails and what is only a warning."""

from __future__ import annotations

import os
import random
import shutil
import socket
import stat
from collections.abc import Generator
from pathlib import Path

import pytest
import trio

from c3fs.core.digest import EMPTY, Buffer, Digest
from c3fs.core.directory import File, Leaf, LongFile, Symlink, decode_node, encode_leaf
from c3fs.core.manifest import FORMAT, Inventory, Manifest, decode_inventory, decode_manifest
from c3fs.core.span import BLOB_MAX
from c3fs.core.wirespan import BlobTable, Span
from c3fs.errors import CollectError, ConflictError, FileChangedError, StoreRefusedError
from c3fs.publish import collect
from c3fs.publish.collect import READ_TRIES, Collector
from c3fs.publish.pack import Packer
from c3fs.publish.tree import ChunkedFile, Folder, PackedFile, TreeEncoder
from c3fs.vfs.tree import DirectoryFacts, Found, Tree
from tests.support.blobs import SteeredStore, seeded
from tests.support.encoded import MTIME
from tests.support.publishing import Publisher, opened

MIB = 1 << 20


@pytest.fixture
def publisher(tmp_path: Path) -> Generator[Publisher]:
    made = Publisher(tmp_path)
    yield made
    made.close()


@pytest.fixture
def top(tmp_path: Path) -> Path:
    directory = tmp_path / "work"
    (directory / "artifacts").mkdir(parents=True)
    return directory


def small_tree(top: Path, files: int, size: int, per_directory: int) -> None:
    draw = random.Random(files)
    for first in range(0, files, per_directory):
        folder = top / "artifacts" / f"d{first // per_directory:03d}"
        folder.mkdir()
        for number in range(first, first + per_directory):
            (folder / f"f{number:05d}").write_bytes(draw.randbytes(size))


async def content(manifest: Manifest, store: SteeredStore, *path: bytes) -> bytes:
    async with opened(manifest, store) as (tree, filesystem):
        found = await tree.resolve(path)
        assert isinstance(found, Found)
        reader = filesystem.reader(found)
        pieces: list[bytes] = []
        while data := await reader.read_at(sum(map(len, pieces)), 1 << 30):
            pieces.append(bytes(data))
        return b"".join(pieces)


async def names(manifest: Manifest, store: SteeredStore) -> set[bytes]:
    """Every path of the tree."""
    found: set[bytes] = set()

    async def walk(tree: Tree, directory: DirectoryFacts, path: bytes) -> None:
        position = 0
        while True:
            leaf = await tree.leaf_at(directory, position)
            if position >= leaf.at + leaf.part.count:
                return
            for at in range(position - leaf.at, leaf.part.count):
                entry = tree.found(directory, leaf, at)
                found.add(path + entry.entry.name)
                if entry.number:
                    await walk(tree, entry.facts(), path + entry.entry.name + b"/")
            position = leaf.at + leaf.part.count

    async with opened(manifest, store) as (tree, _):
        await walk(tree, tree.root, b"")
    return found


# --- the data format ------------------------------------------------------------


def test_the_same_tree_has_the_same_root_digest_whatever_its_times(publisher: Publisher, top: Path) -> None:
    small_tree(top, 200, 1000, 20)
    (top / "artifacts" / "link").symlink_to("d000")
    first = publisher.publish(top)
    for number, path in enumerate([*top.rglob("*"), top]):
        os.utime(path, ns=(number, 10**18 + number), follow_symlinks=False)
    second = publisher.publish(top)
    assert first.manifest.root.digest == second.manifest.root.digest
    assert first.manifest.root.mtime_ns != second.manifest.root.mtime_ns
    # Only what holds times is new: the directories, in one blob, and the inventory.
    assert second.uploaded_blobs == 2
    os.chmod(top / "artifacts" / "d000" / "f00000", 0o600)
    assert publisher.publish(top).manifest.root.digest != first.manifest.root.digest


def test_two_copies_of_a_tree_are_the_same_blobs(publisher: Publisher, top: Path, tmp_path: Path) -> None:
    small_tree(top, 300, 3000, 30)
    (top / "artifacts" / "large").write_bytes(seeded(1, 5 * MIB))
    first = publisher.publish(top)
    shutil.copytree(top, tmp_path / "copy", symlinks=True)
    shutil.copystat(top, tmp_path / "copy")
    second = publisher.publish(tmp_path / "copy")
    assert second.uploaded_blobs == 0
    assert second.charged == 0
    assert second.manifest.root == first.manifest.root
    assert second.manifest.inventory == first.manifest.inventory


def test_an_unchanged_tree_of_20_000_files_uploads_nothing_and_a_changed_file_three_blobs(
    publisher: Publisher, top: Path
) -> None:
    small_tree(top, 20_000, 512, 1000)
    first = publisher.publish(top)
    assert first.manifest.root.files == 20_000
    assert first.manifest.inventory.blobs < 20
    again = publisher.publish(top)
    assert (again.uploaded_blobs, again.uploaded_bytes, again.charged) == (0, 0, 0)
    draw = random.Random(7)
    for attempt in range(6):
        number = draw.randrange(20_000)
        (top / "artifacts" / f"d{number // 1000:03d}" / f"f{number:05d}").write_bytes(seeded(attempt, 512))
        changed = publisher.publish(top)
        assert changed.uploaded_blobs <= 3
        assert changed.charged == changed.uploaded_bytes


def test_ten_bytes_at_the_front_of_256_mib_upload_under_5_percent(publisher: Publisher, top: Path) -> None:
    data = seeded(3, 256 * MIB)
    (top / "artifacts" / "checkpoint").write_bytes(data)
    publisher.publish(top)
    (top / "artifacts" / "checkpoint").write_bytes(b"0123456789" + data)
    inserted = publisher.publish(top)
    assert 0 < inserted.uploaded_bytes < len(data) * 0.05


def test_a_directory_of_a_million_entries_is_small_nodes() -> None:
    blobs: dict[Digest, bytes] = {}
    packer = Packer(lambda digest, data: blobs.__setitem__(digest, bytes(data)))
    folder = Folder(b"many", 0o755, 0)
    folder.items = [PackedFile(b"entry%07d" % n, 0o644, MTIME, 0, EMPTY, None) for n in range(1_000_000)]
    TreeEncoder(packer).encode(folder)
    packer.close()
    assert folder.totals.files == 1_000_000
    assert all(len(data) <= BLOB_MAX for data in blobs.values())
    assert folder.place is not None
    span = folder.place.span()
    assert span.size < 64 << 10
    assert span.blob is not None
    decode_node(blobs[span.blob][span.offset : span.offset + span.size])


async def test_a_file_of_100_000_chunks_is_looked_up_and_read_by_leaf() -> None:
    store = SteeredStore()
    data = store.add(seeded(1, 4096))
    spans = [Span(data, n % 4096, 1) for n in range(100_000)]
    packer = Packer(lambda digest, blob: store.blobs.__setitem__(digest, bytes(blob)))
    encoder = TreeEncoder(packer)
    top = Folder(b"", 0o755, 0)
    top.items = [ChunkedFile(b"long", 0o644, MTIME, 100_000, data, spans), PackedFile(b"z", 0o644, 0, 0, EMPTY, None)]
    encoder.encode(top)
    packer.close()
    manifest = _manifest(top)
    store.gets.clear()
    async with opened(manifest, store) as (tree, filesystem):
        found = await tree.resolve([b"long"])
        assert isinstance(found, Found)
        assert isinstance(found.entry, LongFile)
        assert tree.decoded == 1
        reader = filesystem.reader(found)
        for at in (77_777, 3, 99_999):
            assert bytes(await reader.read_at(at, 1)) == seeded(1, 4096)[at % 4096 : at % 4096 + 1]
    assert await content(manifest, store, b"long") == b"".join(
        seeded(1, 4096)[n % 4096 : n % 4096 + 1] for n in range(100_000)
    )


def _manifest(top: Folder) -> Manifest:
    root = collect._root(top)  # pyright: ignore[reportPrivateUsage]
    return Manifest(FORMAT, "/jobs/job_1_aaaaaa", "2026-01-01T00:00:00Z", True, root, Inventory(0, 0, ()))


def test_the_manifest_says_what_is_stored(publisher: Publisher, top: Path) -> None:
    small_tree(top, 100, 10_000, 10)
    published = publisher.publish(top)
    manifest = decode_manifest(published.manifest.encode())
    assert manifest == published.manifest
    assert len(manifest.encode()) < 1000
    listed = [
        row
        for part in manifest.inventory.parts
        for row in decode_inventory(publisher.store.blobs[Digest.parse(part.blob)])
    ]
    assert {digest: len(publisher.store.blobs[digest]) for digest, _ in listed} == dict(listed)
    parts = {Digest.parse(part.blob) for part in manifest.inventory.parts}
    assert {digest for digest, _ in listed} | parts == set(publisher.store.blobs)
    assert published.charged == sum(map(len, publisher.store.blobs.values()))


def test_directories_decode_and_encode_to_the_same_bytes(publisher: Publisher, top: Path) -> None:
    small_tree(top, 50, 100, 10)
    root = publisher.publish(top).manifest.root.to_span()
    assert root.blob is not None
    data = publisher.store.blobs[root.blob][root.offset : root.offset + root.size]
    node = decode_node(data)
    assert isinstance(node, Leaf)
    table = BlobTable()
    table.blobs = node.blobs
    assert encode_leaf(table, node.entries) == data


# --- what is collected ------------------------------------------------------------


def test_outputs_only_and_under_their_names(publisher: Publisher, top: Path) -> None:
    (top / "secret.txt").write_text("not collected")
    (top / "checkpoints" / "last").mkdir(parents=True)
    (top / "checkpoints" / "last" / "weights.pt").write_bytes(b"w")
    (top / "checkpoints" / "other").mkdir()
    (top / "checkpoints" / "other" / "log").write_bytes(b"l")
    (top / "artifacts" / "metrics.json").write_text("{}")
    published = publisher.publish(top, "artifacts", "checkpoints/last")
    assert trio.run(names, published.manifest, publisher.store) == {
        b"artifacts", b"artifacts/metrics.json", b"checkpoints", b"checkpoints/last", b"checkpoints/last/weights.pt",
    }  # fmt: skip


def test_nested_and_repeated_outputs_are_collected_once(publisher: Publisher, top: Path) -> None:
    (top / "out" / "inner").mkdir(parents=True)
    (top / "out" / "inner" / "file").write_bytes(b"x")
    (top / "out" / "other").write_bytes(b"y")
    once = publisher.publish(top, "out")
    many = publisher.publish(top, "out/inner", "out", "out", "./out/", "out/inner/")
    assert many.manifest.root.digest == once.manifest.root.digest
    assert many.manifest.root.files == 2


def test_a_missing_output_is_a_warning(publisher: Publisher, top: Path) -> None:
    published = publisher.publish(top, "artifacts", "nowhere", "artifacts/neither")
    assert [warning.split()[0] for warning in published.warnings] == ["nowhere", "artifacts/neither"]
    assert published.manifest.complete
    assert trio.run(names, published.manifest, publisher.store) == {b"artifacts"}


def test_a_file_where_a_directory_was_declared_is_collected_with_a_warning(publisher: Publisher, top: Path) -> None:
    (top / "model").write_bytes(b"one file")
    published = publisher.publish(top, "model")
    assert "not a directory" in published.warnings[0]
    assert trio.run(content, published.manifest, publisher.store, b"model") == b"one file"


@pytest.mark.parametrize("output", ["/etc", "../x", "a/../../x"])
def test_an_output_outside_is_refused(publisher: Publisher, top: Path, output: str) -> None:
    with pytest.raises(CollectError, match="below the working directory"):
        publisher.publish(top, output)


def test_an_output_that_is_a_symlink_is_refused(publisher: Publisher, top: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"s")
    (top / "out").symlink_to(tmp_path / "outside")
    with pytest.raises(CollectError, match="symlink"):
        publisher.publish(top, "out")
    with pytest.raises(CollectError):
        publisher.publish(top, "out/secret")


def test_symlinks_are_kept_and_never_followed(publisher: Publisher, top: Path) -> None:
    art = top / "artifacts"
    (art / "real").mkdir()
    (art / "inside").symlink_to("real")
    (art / "outside").symlink_to("/etc/passwd")
    (art / "loop").symlink_to("loop")
    (art / "up").symlink_to("..")
    published = publisher.publish(top)

    async def targets() -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        async with opened(published.manifest, publisher.store) as (tree, _):
            for name in (b"inside", b"outside", b"loop", b"up"):
                entry = await tree.resolve([b"artifacts", name])
                assert isinstance(entry, Found)
                assert isinstance(entry.entry, Symlink)
                found[name] = entry.entry.target
        return found

    assert trio.run(targets) == {b"inside": b"real", b"outside": b"/etc/passwd", b"loop": b"loop", b"up": b".."}
    assert published.warnings == ()


def test_hard_links_become_equal_content(publisher: Publisher, top: Path) -> None:
    (top / "artifacts" / "a").write_bytes(seeded(1, 2 * MIB))
    os.link(top / "artifacts" / "a", top / "artifacts" / "b")
    published = publisher.publish(top)
    assert published.manifest.root.bytes == 4 * MIB
    assert sum(map(len, publisher.store.blobs.values())) < 2 * MIB + 10_000


def test_special_files_are_skipped_with_a_warning(publisher: Publisher, top: Path) -> None:
    os.mkfifo(top / "artifacts" / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(top / "artifacts" / "sock"))
        published = publisher.publish(top)
    assert sorted(published.warnings) == [
        "artifacts/pipe is a fifo; not collected", "artifacts/sock is a socket; not collected",
    ]  # fmt: skip
    assert published.manifest.complete
    assert published.manifest.root.files == 0


def test_an_empty_tree_needs_no_blob_but_its_parents(publisher: Publisher, top: Path) -> None:
    (top / "artifacts" / "empty").touch()
    (top / "artifacts" / "none").mkdir()
    published = publisher.publish(top)
    assert published.manifest.root.directories == 2
    assert len(publisher.store.blobs) == 2  # the directories, and the inventory


def test_modes_and_the_digest_of_the_content(publisher: Publisher, top: Path) -> None:
    file = top / "artifacts" / "tool"
    file.write_bytes(b"#!/bin/sh\n")
    file.chmod(0o4751)
    published = publisher.publish(top)

    async def check() -> None:
        async with opened(published.manifest, publisher.store) as (tree, _):
            found = await tree.resolve([b"artifacts", b"tool"])
            assert isinstance(found, Found)
            assert isinstance(found.entry, File)
            assert found.entry.mode == 0o4751
            assert found.entry.digest == Digest.of(b"#!/bin/sh\n")
            assert found.entry.mtime_ns == os.stat(file).st_mtime_ns
            assert stat.S_IMODE(published.manifest.root.mode) == stat.S_IMODE(os.stat(top).st_mode)

    trio.run(check)


def test_a_sparse_file_is_stored_without_its_holes(publisher: Publisher, top: Path) -> None:
    with open(top / "artifacts" / "sparse", "wb") as file:
        file.seek(1 << 30)
        file.write(b"end")
    published = publisher.publish(top)
    assert published.manifest.root.bytes == (1 << 30) + 3
    assert sum(map(len, publisher.store.blobs.values())) < 10_000


# --- what goes wrong ------------------------------------------------------------


def grow_while_read(monkeypatch: pytest.MonkeyPatch, path: Path, times: int) -> None:
    """Somebody appends to `path` while it is read, the first `times` times: the read itself is real."""
    left = times
    read = os.read

    def meddled(descriptor: int, size: int) -> bytes:
        nonlocal left
        data = read(descriptor, size)
        if left and os.readlink(f"/proc/self/fd/{descriptor}") == str(path):
            left -= 1
            with open(path, "ab") as file:
                file.write(b"more")
        return data

    monkeypatch.setattr(collect.os, "read", meddled)


@pytest.mark.parametrize("times", [1, READ_TRIES - 1])
def test_a_file_that_changes_while_it_is_read_is_read_again(
    monkeypatch: pytest.MonkeyPatch, top: Path, times: int
) -> None:
    path = top / "artifacts" / "growing"
    path.write_bytes(b"start")
    collector = Collector(os.fsencode(top), (b"artifacts",), lambda _digest, _data: None)
    grow_while_read(monkeypatch, path, times)
    collected = collector.run()
    assert collected.root.bytes == 5 + 4 * times


def test_a_file_that_keeps_changing_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch, top: Path) -> None:
    path = top / "artifacts" / "growing"
    path.write_bytes(b"start")
    collector = Collector(os.fsencode(top), (b"artifacts",), lambda _digest, _data: None)
    grow_while_read(monkeypatch, path, 100)
    with pytest.raises(FileChangedError, match="artifacts/growing"):
        collector.run()


def test_with_best_effort_it_is_left_out_and_the_manifest_incomplete(
    monkeypatch: pytest.MonkeyPatch, top: Path
) -> None:
    path = top / "artifacts" / "growing"
    path.write_bytes(b"start")
    (top / "artifacts" / "still").write_bytes(b"still")
    collector = Collector(os.fsencode(top), (b"artifacts",), lambda _digest, _data: None, best_effort=True)
    grow_while_read(monkeypatch, path, 100)
    collected = collector.run()
    assert not collected.complete
    assert "growing" in collected.warnings[0]
    assert collected.root.files == 1


def test_a_large_file_that_is_truncated_while_it_is_read(top: Path) -> None:
    path = top / "artifacts" / "large"
    path.write_bytes(seeded(1, 6 * MIB))
    emitted = 0

    def truncate(_digest: Digest, _data: Buffer) -> None:
        nonlocal emitted
        emitted += 1
        if emitted == 1:
            os.truncate(path, 3 * MIB)

    collected = Collector(os.fsencode(top), (b"artifacts",), truncate).run()
    assert collected.root.bytes == 3 * MIB


class Refusing(SteeredStore):
    """A store that takes `room` bytes and then is full."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    async def put(self, digest: Digest, data: Buffer) -> None:
        self.room -= len(data)
        if self.room < 0:
            raise StoreRefusedError("the disk is full")
        await super().put(digest, data)


def test_a_store_that_fills_up_publishes_nothing_and_leaves_no_thread(publisher: Publisher, top: Path) -> None:
    (top / "artifacts" / "large").write_bytes(seeded(1, 64 * MIB))
    with pytest.raises(StoreRefusedError):
        publisher.publish(top, store=Refusing(20 * MIB))
    assert trio.run(publisher.registry.balance).stored == 0


def test_cancelling_ends_the_thread_at_once(publisher: Publisher, top: Path) -> None:
    (top / "artifacts" / "large").write_bytes(seeded(1, 64 * MIB))

    class Stalled(SteeredStore):
        async def put(self, digest: Digest, data: Buffer) -> None:
            await trio.sleep_forever()

    async def cancelled() -> bool:
        with trio.move_on_after(0.3) as scope:
            await publisher.publish_async(top, ["artifacts"], True, False, Stalled())
        return scope.cancelled_caught

    assert trio.run(cancelled)
    assert trio.run(publisher.registry.balance).stored == 0


def test_another_tree_under_the_same_ref_is_refused(publisher: Publisher, top: Path) -> None:
    publisher.publish(top)
    (top / "artifacts" / "new").write_bytes(b"new")
    publisher._next = 0  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(ConflictError):
        publisher.publish(top)


def test_too_deep_a_tree_is_refused(publisher: Publisher, top: Path) -> None:
    here = top / "artifacts"
    for _ in range(260):
        here = here / "d"
    here.mkdir(parents=True)
    with pytest.raises(CollectError, match="deeper"):
        publisher.publish(top)
