"""Copies between published trees: what becomes of them, what is moved for it, and what comes in between."""

from __future__ import annotations

from pathlib import Path

import pytest

from c3fs.core.digest import EMPTY, Digest
from c3fs.core.names import DEPTH_MAX
from c3fs.core.ref import Ref, parse_ref
from c3fs.errors import (
    InvalidFormatError,
    IsDirectoryError,
    NotDirectoryError,
    RefNotFoundError,
)
from c3fs.publish.items import Item, PackedFile
from tests.support.encoded import MTIME, Link
from tests.support.stage import NOW_NS, Stage, encoded, long_file, staged
from tests.support.trees import Fact, Source, build, deep, facts, many, odd

DATA = "/datasets/d"
JOB = "/jobs/job_1_aaaaaa"


async def publish(stage: Stage, tmp_path: Path, job: Source, dataset: Source | None = None) -> None:
    """A job's artifacts, and a data set's first version."""
    await stage.publish(build(tmp_path / "job", job), JOB)
    if dataset is not None:
        await stage.publish(build(tmp_path / "dataset", dataset), DATA)


async def from_job(stage: Stage, path: str, ref: str, *under: bytes) -> dict[bytes, Fact]:
    """Copy that path of the job; the facts of what comes of it."""
    manifest = await stage.registry.manifest(parse_ref(JOB))
    origin = await stage.origin(manifest, *[part.encode() for part in path.split("/") if part])
    copied = await stage.copy(origin, ref, *under)
    return stage.decoded(copied.registration.manifest).facts


def below(facts: dict[bytes, Fact], path: bytes) -> dict[bytes, Fact]:
    return {name[len(path) + 1 :]: fact for name, fact in facts.items() if name.startswith(path + b"/")}


# --- whole trees ------------------------------------------------------------


async def test_a_whole_tree_is_the_same_tree(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        await publish(stage, tmp_path, odd())
        manifest = await stage.registry.manifest(parse_ref(JOB))
        stage.store.puts.clear()
        copied = await stage.copy(await stage.origin(manifest), DATA)
        made = copied.registration.manifest
        assert (made.ref, made.root, made.inventory) == ("/datasets/d/@v1", manifest.root, manifest.inventory)
        assert (copied.uploaded_blobs, copied.uploaded_bytes, copied.registration.charged) == (0, 0, 0)
        assert not stage.store.puts
        again = await stage.copy(await stage.origin(manifest), DATA)
        assert (again.registration.created, again.registration.manifest) == (False, made)


async def test_a_directory_becomes_a_tree_and_sends_its_inventory_alone(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        source = {b"top": {b"odd": odd(), b"more": many(200, 30_000, 20)}, b"other": many(100, 50_000, 10, seed=1)}
        await publish(stage, tmp_path, source)
        before = set(stage.store.blobs)
        made = await from_job(stage, "top/more", DATA)
        assert made == facts(tmp_path / "job" / "top" / "more")
        manifest = await stage.registry.manifest(parse_ref(DATA))
        assert set(stage.store.blobs) - before == {Digest.parse(part.blob) for part in manifest.inventory.parts}
        whole = await stage.registry.manifest(parse_ref(JOB))
        assert manifest.inventory.blobs < whole.inventory.blobs


async def test_a_file_cannot_become_a_whole_tree(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        await publish(stage, tmp_path, {b"file": b"1"})
        with pytest.raises(NotDirectoryError, match="file"):
            await from_job(stage, "file", DATA)
        assert await stage.registry.versions(parse_ref(DATA)) == []


# --- under a path ------------------------------------------------------------


async def test_the_first_version_may_be_made_of_a_path(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        await publish(stage, tmp_path, odd())
        made = await from_job(stage, "", DATA, b"way", b"to", b"here")
        for path in (b"", b"way", b"way/to"):
            assert made[path] == Fact("directory", 0o755, NOW_NS, 0, b"")
        assert below(made, b"way/to/here") == {name: fact for name, fact in facts(tmp_path / "job").items() if name}


async def test_all_else_stays_as_it_was(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        await publish(stage, tmp_path, {b"new": b"1"}, odd())
        made = await from_job(stage, "new", DATA, b"links", b"added")
        assert made.pop(b"links/added") == facts(tmp_path / "job")[b"new"]
        assert made == facts(tmp_path / "dataset")


async def test_directories_are_merged(tmp_path: Path) -> None:
    base: Source = {b"d": {b"both": {b"1": b"old", b"2": b"stays"}, b"here": b"h", b"l": Link(b"x")}}
    over: Source = {b"d": {b"both": {b"1": b"new", b"3": b"comes"}, b"l": b"a file now", b"there": {}}}
    async with staged(tmp_path) as stage:
        await publish(stage, tmp_path, over, base)
        (tmp_path / "job" / "d" / "both").chmod(0o700)
        manifest = await stage.publish(tmp_path / "job", "/jobs/job_2_aaaaaa")
        copied = await stage.copy(await stage.origin(manifest, b"d"), DATA, b"d")
        made = stage.decoded(copied.registration.manifest).facts
        assert sorted(below(made, b"d")) == [
            b"both", b"both/1", b"both/2", b"both/3", b"here", b"l", b"there",
        ]  # fmt: skip
        assert made[b"d/both"].mode == 0o700
        assert (made[b"d/both/1"].size, made[b"d/l"].kind) == (3, "file")


@pytest.mark.parametrize(
    ("source", "path", "error", "named"),
    [
        ("file", b"dir", IsDirectoryError, "dir"),
        ("link", b"dir", IsDirectoryError, "dir"),
        ("dir", b"file", NotDirectoryError, "file"),
        ("dir", b"link", NotDirectoryError, "link"),
        ("file", b"file/below", NotDirectoryError, "file"),
        ("file", b"link/below", NotDirectoryError, "link"),
        ("turned", b"dir", IsDirectoryError, "dir/sub"),
        ("", b"dir/sub", NotDirectoryError, "dir/sub/dir"),
    ],
)
async def test_kinds_that_cannot_replace_each_other(
    tmp_path: Path, source: str, path: bytes, error: type[Exception], named: str
) -> None:
    job: Source = {b"dir": {b"x": b"1"}, b"file": b"2", b"link": Link(b"dir"), b"turned": {b"sub": b"3"}}
    dataset: Source = {b"dir": {b"sub": {b"dir": b"5"}}, b"file": b"6", b"link": Link(b"dir")}
    async with staged(tmp_path) as stage:
        await publish(stage, tmp_path, job, dataset)
        with pytest.raises(error, match=f"^{named}: "):
            await from_job(stage, source, DATA, *path.split(b"/"))
        assert len(await stage.registry.versions(parse_ref(DATA))) == 1


async def test_what_comes_of_an_incomplete_tree_is_incomplete(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        top = build(tmp_path / "job", {b"d": {b"f": b"1"}, b"g": b"2"})
        broken = await stage.publish(top, JOB, complete=False)
        whole = await stage.publish(top, "/jobs/job_2_aaaaaa")
        for number, path in enumerate([(), (b"d",)]):
            copied = await stage.copy(await stage.origin(broken, *path), f"/datasets/e{number}")
            assert not copied.registration.manifest.complete
        for origin, complete in ((whole, True), (broken, False), (whole, False)):
            copied = await stage.copy(await stage.origin(origin, b"g"), DATA, b"under", b"%d" % complete)
            assert copied.registration.manifest.complete is complete


async def test_deeper_than_a_tree_may_be(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        await publish(stage, tmp_path, deep(DEPTH_MAX - 1, {b"f": b"1"}))
        made = await from_job(stage, "", DATA, b"one")
        assert len(made) == DEPTH_MAX + 2
        with pytest.raises(InvalidFormatError, match="deeper"):
            await from_job(stage, "", DATA, b"one", b"more")


async def test_an_inventory_that_lacks_a_blob_is_refused(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        await publish(stage, tmp_path, {b"d": {b"f": b"1"}})
        await stage.publish(build(tmp_path / "other", {b"x": b"2"}), "/jobs/job_2_aaaaaa")
        job, other = [await stage.registry.manifest(parse_ref(f"/jobs/job_{n}_aaaaaa")) for n in (1, 2)]
        origin = await stage.origin(job, b"d")
        with pytest.raises(InvalidFormatError, match="does not list"):
            await stage.copy(origin._replace(manifest=other), DATA)


async def test_an_origin_that_was_removed(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        await publish(stage, tmp_path, {b"f": b"1"})
        origin = await stage.origin(await stage.registry.manifest(parse_ref(JOB)), b"f")
        await stage.registry.remove([Ref("job", "job_1_aaaaaa")])
        with pytest.raises(RefNotFoundError):
            await stage.copy(origin, DATA, b"f")


# --- what is read and written ------------------------------------------------------------


def file(stage: Stage, name: bytes) -> PackedFile:
    return PackedFile(name, 0o644, MTIME, 0, EMPTY, None, 0)


async def test_one_file_into_a_large_tree_rewrites_the_way_to_it(tmp_path: Path) -> None:
    """Of 20,000 files in 200 directories, two directories are laid anew, in one pack."""
    async with staged(tmp_path) as stage:
        await publish(stage, tmp_path, {b"new": b"1" * 100}, many(20_000, 50, 100))
        origin = await stage.origin(await stage.registry.manifest(parse_ref(JOB)), b"new")
        stage.store.gets.clear()
        stage.store.puts.clear()
        copied = await stage.copy(origin, DATA, b"d0077", b"new")
        made = copied.registration.manifest
        assert stage.store.puts.total() == copied.uploaded_blobs == 1 + len(made.inventory.parts)
        assert copied.uploaded_bytes < 40_000
        # Two inventories, and the packs of directories: contents are not read.
        assert stage.store.gets.total() <= 5
        assert made.root.files == 20_001
        stage.decoded(made)


async def test_one_name_in_a_large_directory_rewrites_its_leaf(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        await publish(stage, tmp_path, {b"new": b"1"})
        root = encoded(stage.store, *(file(stage, b"%06d" % at) for at in range(20_000)))
        before = await stage.adopt(root, DATA)
        origin = await stage.origin(await stage.registry.manifest(parse_ref(JOB)), b"new")
        for name in (b"011415x", b"!", b"x", b"010000"):
            stage.store.puts.clear()
            copied = await stage.copy(origin, DATA, name)
            made = copied.registration.manifest
            assert copied.uploaded_bytes < 350_000
            kind = "changed" if name == b"010000" else "added"
            assert await stage.changes(before, made) == [(kind, name)]
            stage.decoded(made)
            before = made


async def test_large_directories_that_are_merged(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        await stage.adopt(encoded(stage.store, *(file(stage, b"%06d" % at) for at in range(0, 12_000, 2))), DATA)
        over = encoded(stage.store, *(file(stage, b"%06d" % at) for at in range(0, 18_000, 3)))
        await stage.adopt(over, JOB)
        made = await from_job(stage, "", "/datasets/m", b"both")
        assert len(made) == 6_002
        origin = await stage.origin(await stage.registry.manifest(parse_ref(DATA)))
        copied = await stage.copy(origin, "/datasets/m", b"both")
        wanted = {b"%06d" % at for at in (*range(0, 12_000, 2), *range(0, 18_000, 3))}
        assert set(below(stage.decoded(copied.registration.manifest).facts, b"both")) == wanted


async def test_a_long_files_span_list_stays_where_it_is(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        items: list[Item] = [long_file(stage.store, b"long", 3_000), file(stage, b"short")]
        await stage.adopt(encoded(stage.store, *items), DATA)
        await publish(stage, tmp_path, {b"new": b"1"})
        made = await from_job(stage, "new", DATA, b"new")
        assert made[b"long"].size == 3_000
        assert sorted(await from_job(stage, "new", "/datasets/other", b"x")) == [b"", b"x"]
        origin = await stage.origin(await stage.registry.manifest(parse_ref(DATA)), b"long")
        copied = await stage.copy(origin, "/datasets/other", b"moved")
        assert stage.decoded(copied.registration.manifest).facts[b"moved"] == made[b"long"]
