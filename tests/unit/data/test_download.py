"""Copying a published subtree to disk: whole files only, and never outside the destination."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from c3fs.core.span import Span
from c3fs.data.download import Download, Downloaded
from c3fs.errors import DownloadError, StoreUnavailableError
from c3fs.fetch.fetcher import Fetcher
from c3fs.vfs.filesystem import FileSystem
from c3fs.vfs.tree import Found, Tree
from tests.support.blobs import DictCache, SteeredStore, seeded
from tests.support.encoded import MTIME, Encoder, Holes, Link, Source

LARGE = seeded(7, 3 << 20)
SOURCE: Source = {
    b"dir": {b"file": b"content", b"empty": {}, b"odd \xff\nname": b"odd"},
    b"large": LARGE,
    b"link": Link(b"dir/file"),
    b"none": b"",
}


@asynccontextmanager
async def downloading(
    store: SteeredStore, source: Source, *, force: bool = False, dry_run: bool = False
) -> AsyncGenerator[tuple[Download, Tree], None]:
    fetcher = Fetcher(DictCache(), store)
    async with trio.open_nursery() as nursery:
        await nursery.start(fetcher.run)
        tree = Tree(fetcher, Encoder(store, 2, 2).root(source))
        yield Download(tree, FileSystem(tree, fetcher, None), lambda _: None, force=force, dry_run=dry_run), tree
        nursery.cancel_scope.cancel()


async def download(source: Source, target: Path, *, force: bool = False, dry_run: bool = False) -> Downloaded:
    failed: DownloadError | None = None
    async with downloading(SteeredStore(), source, force=force, dry_run=dry_run) as (run, tree):
        try:
            await run.into(tree.root, os.fsencode(target))
        except DownloadError as error:  # raised again outside the nursery, which would wrap it
            failed = error
    if failed is not None:
        raise failed
    return run.done


def names(top: Path) -> list[bytes]:
    return sorted(os.fsencode(path.relative_to(top)) for path in top.rglob("*"))


async def test_everything_arrives_with_modes_and_times(tmp_path: Path) -> None:
    target = tmp_path / "out"
    done = await download(SOURCE, target)
    assert (done.files, done.bytes, done.intact) == (5, len(LARGE) + 10, 0)
    assert (target / "large").read_bytes() == LARGE
    assert (target / "dir" / os.fsdecode(b"odd \xff\nname")).read_bytes() == b"odd"
    assert os.readlink(target / "link") == "dir/file"
    file = os.stat(target / "dir" / "file")
    assert (stat.S_IMODE(file.st_mode), file.st_mtime_ns) == (0o644, MTIME)
    assert os.stat(target / "dir").st_mtime_ns == MTIME
    assert not any(b"c3-part" in name for name in names(target))


async def test_a_second_run_copies_nothing_and_repairs_what_changed(tmp_path: Path) -> None:
    target = tmp_path / "out"
    await download(SOURCE, target)
    again = await download(SOURCE, target)
    assert (again.files, again.bytes, again.intact) == (0, 0, 5)
    (target / "large").write_bytes(b"changed")
    (target / "dir" / "file").unlink()
    repaired = await download(SOURCE, target)
    assert (repaired.files, repaired.intact) == (2, 3)
    assert (target / "large").read_bytes() == LARGE
    forced = await download(SOURCE, target, force=True)
    assert forced.intact == 1  # the symlink, which says all it is


async def test_a_mode_alone_is_given_back_without_copying(tmp_path: Path) -> None:
    target = tmp_path / "out"
    await download(SOURCE, target)
    (target / "large").chmod(0o4600)
    before = os.stat(target / "large")
    would = await download(SOURCE, target, dry_run=True)
    assert os.stat(target / "large") == before
    did = await download(SOURCE, target)
    assert would == did
    assert (did.files, did.bytes, did.intact) == (0, 0, 5)
    after = os.stat(target / "large")
    assert (stat.S_IMODE(after.st_mode), after.st_ino) == (0o644, before.st_ino)


@pytest.mark.parametrize("name", ["large", "link"])
@pytest.mark.parametrize("dry_run", [False, True])
async def test_a_directory_that_has_the_name_is_refused_at_once(tmp_path: Path, name: str, dry_run: bool) -> None:
    target = tmp_path / "out"
    (target / name).mkdir(parents=True)
    async with downloading(SteeredStore(), SOURCE, dry_run=dry_run) as (run, tree):
        with pytest.raises(DownloadError, match=f"{name}: Is a directory; a directory has that name"):
            await run.into(tree.root, os.fsencode(target))
        assert name == "link" or run.done.bytes < len(LARGE)


async def test_a_dry_run_counts_and_writes_nothing(tmp_path: Path) -> None:
    target = tmp_path / "out"
    would = await download(SOURCE, target, dry_run=True)
    assert not target.exists()
    did = await download(SOURCE, target)
    assert would == did
    (target / "large").unlink()
    (target / "dir" / "file").unlink()
    (target / "dir" / "empty").rmdir()
    before = names(target)
    would = await download(SOURCE, target, dry_run=True)
    assert (would.files, would.bytes, would.intact) == (2, len(LARGE) + 7, 3)
    assert names(target) == before
    assert await download(SOURCE, target, dry_run=False) == would


async def test_a_dry_run_refuses_what_the_copy_would(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "dir").symlink_to(tmp_path)
    with pytest.raises(DownloadError, match="dir"):
        await download(SOURCE, target, dry_run=True)


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("dry_run", [False, True])
async def test_a_symlink_in_place_of_the_destination_is_refused(tmp_path: Path, dry_run: bool, slash: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "out").symlink_to(outside)
    async with downloading(SteeredStore(), SOURCE, dry_run=dry_run) as (run, tree):
        with pytest.raises(DownloadError, match="out"):
            await run.into(tree.root, os.fsencode(f"{tmp_path}/out{slash}"))
    assert list(outside.iterdir()) == []


async def test_holes_stay_holes(tmp_path: Path) -> None:
    await download({b"sparse": Holes((Span(None, 0, 64 << 20),))}, tmp_path / "out")
    file = os.stat(tmp_path / "out" / "sparse")
    assert file.st_size == 64 << 20
    assert file.st_blocks == 0


async def test_a_symlink_planted_in_the_way_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    target = tmp_path / "out"
    target.mkdir()
    (target / "dir").symlink_to(outside)
    with pytest.raises(DownloadError, match="dir"):
        await download(SOURCE, target)
    assert list(outside.iterdir()) == []


async def test_a_symlink_under_a_files_name_is_replaced_not_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    target = tmp_path / "out"
    target.mkdir()
    (target / "large").symlink_to(victim)
    await download(SOURCE, target)
    assert victim.read_bytes() == b"precious"
    assert not (target / "large").is_symlink()


async def test_a_published_symlink_does_not_lead_later_entries_outside(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    target = tmp_path / "out"
    # First a tree whose "dir" is a symlink to the outside, then one that has files in "dir".
    await download({b"dir": Link(os.fsencode(outside))}, target)
    with pytest.raises(DownloadError):
        await download(SOURCE, target)
    assert list(outside.iterdir()) == []


async def test_a_failure_leaves_whole_files_only(tmp_path: Path) -> None:
    store = SteeredStore()
    target = tmp_path / "out"
    async with downloading(store, {b"a": b"first", b"b": LARGE}) as (run, tree):
        found = await tree.find(tree.root, b"b")
        assert isinstance(found, Found)
        target.mkdir()
        store.faults = [StoreUnavailableError("down")]
        with pytest.raises(StoreUnavailableError):
            await run.one(found, os.fsencode(target), b"b")
        assert names(target) == []
        await run.one(found, os.fsencode(target), b"renamed")
        assert (target / "renamed").read_bytes() == LARGE


async def test_cancelled_in_the_middle_leaves_nothing_half_written(tmp_path: Path) -> None:
    store = SteeredStore()
    target = tmp_path / "out"
    async with downloading(store, {b"b": LARGE}) as (run, tree):
        await tree.find(tree.root, b"b")
        store.gate = trio.Event()
        with trio.move_on_after(0.05):
            await run.into(tree.root, os.fsencode(target))
        assert names(target) == []


async def test_a_destination_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"in the way")
    with pytest.raises(DownloadError, match="out"):
        await download(SOURCE, tmp_path / "out")


async def test_artifacts_may_be_called_like_our_temporary_files(tmp_path: Path) -> None:
    source: Source = {b".c3-part-foo": b"mine", b"foo": b"other", b".c3-part-link": Link(b"x"), b"link": Link(b"foo")}
    await download(source, tmp_path / "out")
    assert names(tmp_path / "out") == sorted(source)
    assert (tmp_path / "out" / ".c3-part-foo").read_bytes() == b"mine"
