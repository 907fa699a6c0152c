"""Comparing published trees: what is told, in which order, and what is read for it."""

from __future__ import annotations

from pathlib import Path

from c3fs.core.directory import Directory, File, LongFile
from c3fs.core.ref import Ref
from c3fs.data.diff import Change, diff
from c3fs.vfs.tree import DirectoryFacts, Found, Tree
from tests.support.blobs import seeded
from tests.support.disk import disk_diff
from tests.support.encoded import Link
from tests.support.stage import Stage, encoded, long_file, staged
from tests.support.trees import File as OnDisk, Source, build, many, odd

BEFORE: Source = {
    b"a": {b"x": b"1", b"y": {b"deep": b"2"}},
    b"a-b": b"file",
    b"a0": {},
    b"gone": {b"empty": {}, b"file": b"3", b"link": Link(b"file")},
    b"kind": {b"below": b"4"},
    b"link": Link(b"a"),
    b"mode": OnDisk(b"same", 0o644),
    b"same": {b"deep": {b"file": b"5"}},
    b"turned": b"6",
}
AFTER: Source = {
    b"a": {b"x": b"changed", b"y": {b"deep": b"2", b"new": b""}},
    b"a-b": b"file",
    b"kind": b"a file now",
    b"link": Link(b"b"),
    b"mode": OnDisk(b"same", 0o755),
    b"same": {b"deep": {b"file": b"5"}},
    b"turned": {b"in": {b"to": b"7"}, b"none": {}},
}
TOLD = [
    ("changed", b"a/x"),
    ("added", b"a/y/new"),
    ("removed", b"a0"),
    ("removed", b"gone/empty"),
    ("removed", b"gone/file"),
    ("removed", b"gone/link"),
    ("removed", b"kind/below"),
    ("added", b"kind"),
    ("changed", b"link"),
    ("changed", b"mode"),
    ("removed", b"turned"),
    ("added", b"turned/in/to"),
    ("added", b"turned/none"),
]


async def changes(stage: Stage, tmp_path: Path, before: Source, after: Source) -> list[Change]:
    one = await stage.publish(build(tmp_path / "before", before), "/datasets/before")
    other = await stage.publish(build(tmp_path / "after", after), "/datasets/after")
    trees = stage.open_tree(one), stage.open_tree(other)
    return [change async for change in diff(trees[0], trees[0].root, trees[1], trees[1].root)]


async def test_everything_that_can_change(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        told = await changes(stage, tmp_path, BEFORE, AFTER)
        assert [(change.kind, change.path) for change in told] == TOLD
        assert disk_diff(tmp_path / "before", tmp_path / "after") == TOLD
        for change in told:
            assert (change.before is None) == (change.kind == "added")
            assert (change.after is None) == (change.kind == "removed")
            for entry in (change.before, change.after):
                assert entry is None or entry.name == change.path.rpartition(b"/")[2]


async def test_one_of_everything_against_nothing_and_itself(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        told = await changes(stage, tmp_path, {}, odd())
        assert [(change.kind, change.path) for change in told] == disk_diff(tmp_path / "before", tmp_path / "after")
        one = await stage.registry.versions(Ref("dataset", "after"))
        assert await stage.changes(one[0], one[0]) == []


async def test_a_directorys_own_mode_and_no_times(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one = await stage.publish(build(tmp_path / "before", {b"dir": {b"f": OnDisk(b"x", mtime_ns=1)}}), "/datasets/a")
        top = build(tmp_path / "after", {b"dir": {b"f": OnDisk(b"x", mtime_ns=2)}})
        (top / "dir").chmod(0o700)
        top.chmod(0o700)
        other = await stage.publish(top, "/datasets/b")
        before, after = stage.open_tree(one), stage.open_tree(other)
        told = [change async for change in diff(before, before.root, after, after.root)]
        assert [(change.kind, change.path) for change in told] == [("changed", b"dir")]
        assert isinstance(told[0].after, Directory)
        assert told[0].after.mode == 0o700


async def test_tops_may_be_files_and_parts_of_one_tree(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        source: Source = {b"a": {b"f": b"1", b"g": b"2"}, b"b": {b"f": b"1", b"g": b"3"}, b"empty": {}}
        tree = stage.open_tree(await stage.publish(build(tmp_path / "top", source), "/datasets/a"))

        async def told(one: str, other: str) -> list[tuple[str, bytes]]:
            tops: list[Found | DirectoryFacts] = []
            for path in (one, other):
                tops.append(await tree.resolve([part.encode() for part in path.split("/") if part]))
            return [(change.kind, change.path) async for change in diff(tree, tops[0], tree, tops[1])]

        assert await told("a", "b") == [("changed", b"g")]
        assert await told("a/f", "b/f") == []
        assert await told("a/g", "b/g") == [("changed", b"")]
        assert await told("a", "b/g") == [("removed", b"f"), ("removed", b"g"), ("added", b"")]
        assert await told("b/g", "a") == [("removed", b""), ("added", b"f"), ("added", b"g")]
        assert await told("empty", "a/f") == [("added", b"")]
        assert await told("", "") == []


async def test_the_long_form_of_a_file_is_the_same_kind(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        roots = [encoded(stage.store, long_file(stage.store, b"file", spans)) for spans in (1_500, 3)]
        trees = [Tree(stage.fetcher, root) for root in roots]
        told = [change async for change in diff(trees[0], trees[0].root, trees[1], trees[1].root)]
        assert [change.kind for change in told] == ["changed"]
        assert isinstance(told[0].before, LongFile)
        assert isinstance(told[0].after, File)


async def test_what_is_equal_is_not_read(tmp_path: Path) -> None:
    """One file of 20,000: of 200 directories two are decoded in each tree."""
    async with staged(tmp_path) as stage:
        top = build(tmp_path / "top", many(20_000, 50, 100))
        one = await stage.publish(top, "/datasets/a")
        (top / "d0077" / "f007777").write_bytes(seeded(1, 60))
        other = await stage.publish(top, "/datasets/a")
        before, after = stage.open_tree(one), stage.open_tree(other)
        stage.store.gets.clear()
        told = [change async for change in diff(before, before.root, after, after.root)]
        assert [(change.kind, change.path) for change in told] == [("changed", b"d0077/f007777")]
        assert (before.decoded, after.decoded) == (2, 2)
        assert sum(stage.store.gets.values()) <= 4
