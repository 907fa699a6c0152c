"""A published tree as a file system, without kernel, network or root."""

from __future__ import annotations

import stat
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager

import msgspec
import pytest
import trio
from hypothesis import given, settings, strategies as st

from c3fs.core.directory import File, IndexRow, Leaf, Symlink, Totals, encode_index, encode_leaf
from c3fs.core.manifest import Root, root_span
from c3fs.core.names import DEPTH_MAX
from c3fs.core.span import Span
from c3fs.core.wirespan import BlobTable, WireSpan
from c3fs.errors import (
    InvalidFormatError,
    IsDirectoryError,
    NotDirectoryError,
    NotSymlinkError,
    PathNotFoundError,
)
from c3fs.fetch.fetcher import Fetcher
from c3fs.vfs import inode
from c3fs.vfs.filesystem import FileSystem, Listed
from c3fs.vfs.parts import LeafPart
from c3fs.vfs.tree import DirectoryFacts, Found, Tree
from tests.support.blobs import DictCache, SteeredStore
from tests.support.encoded import MTIME, Encoder, Holes, Link, Source

SOURCE: Source = {
    b"a": {b"deep": {b"file": b"content", b"none": {}}, b"z": b""},
    b"b": {b"x": b"1", b"y": {b"q": b"2"}},
    b"file": b"0123456789",
    b"link": Link(b"a/deep/file"),
    b"odd \xff\nname": b"odd",
    b"sparse": Holes((Span(None, 0, 1 << 33),)),
}


@asynccontextmanager
async def mounted(store: SteeredStore, root: Root, *path: bytes) -> AsyncGenerator[FileSystem, None]:
    fetcher = Fetcher(DictCache(), store)
    async with trio.open_nursery() as nursery:
        await nursery.start(fetcher.run)
        tree = Tree(fetcher, root)
        top = await tree.resolve(path)
        yield FileSystem(tree, fetcher, None, top.facts() if isinstance(top, Found) else top)
        nursery.cancel_scope.cancel()


async def listed(filesystem: FileSystem, ino: int) -> list[Listed]:
    found: list[Listed] = []
    while True:
        more = list(await filesystem.listing(ino, found[-1].next if found else 0))
        if not more:
            return found
        found += more


async def walk(filesystem: FileSystem, ino: int = inode.ROOT, path: bytes = b"") -> dict[bytes, object]:
    """Everything below `ino`: contents, link targets, and a mark for each directory."""
    found: dict[bytes, object] = {}
    for name, attributes, _ in await listed(filesystem, ino):
        here = path + b"/" + name
        assert await filesystem.lookup(ino, name) == attributes
        assert await filesystem.getattr(attributes.inode) == attributes
        if stat.S_ISDIR(attributes.mode):
            found[here] = "directory"
            found |= await walk(filesystem, attributes.inode, here)
        elif stat.S_ISLNK(attributes.mode):
            found[here] = Link(await filesystem.readlink(attributes.inode))
        else:
            handle = await filesystem.open(attributes.inode)
            found[here] = bytes(await filesystem.read(handle, 0, min(attributes.size, 100)))
            filesystem.release(handle)
    return found


def flat(source: Source, path: bytes = b"") -> Iterator[tuple[bytes, object]]:
    for name, what in source.items():
        here = path + b"/" + name
        match what:
            case bytes() | Link():
                yield here, what
            case Holes():
                yield here, bytes(100)
            case _:
                yield here, "directory"
                yield from flat(what, here)


@pytest.mark.parametrize(("leaf", "fan"), [(1000, 1000), (1, 2), (2, 2), (3, 4)])
async def test_everything_is_there_whatever_the_cutting(leaf: int, fan: int) -> None:
    store = SteeredStore()
    root = Encoder(store, leaf, fan).root(SOURCE)
    async with mounted(store, root) as filesystem:
        assert await walk(filesystem) == dict(flat(SOURCE))
        assert filesystem.totals == Totals(8, 5, (1 << 33) + 22)


NAMES = st.binary(min_size=1, max_size=3).filter(lambda name: name not in (b".", b"..") and not {0, 47} & {*name})
TREES = st.recursive(
    st.binary(max_size=3),
    lambda below: st.dictionaries(
        st.binary(min_size=1, max_size=3).filter(lambda name: name not in (b".", b"..") and not {0, 47} & set(name)),
        below,
        max_size=7,
    ),
    max_leaves=40,
).filter(lambda tree: isinstance(tree, dict))


@given(source=TREES, leaf=st.integers(2, 5))
@settings(max_examples=150, deadline=None)
def test_any_tree_is_walked_with_distinct_inodes(source: Source, leaf: int) -> None:
    store = SteeredStore()
    root = Encoder(store, leaf, leaf).root(source)

    async def check() -> None:
        async with mounted(store, root) as filesystem:
            assert await walk(filesystem) == dict(flat(source))
            inodes = [inode.ROOT]
            todo = [inode.ROOT]
            while todo:
                for entry in await listed(filesystem, todo.pop()):
                    inodes.append(entry.attributes.inode)
                    if stat.S_ISDIR(entry.attributes.mode):
                        todo.append(entry.attributes.inode)
            assert len(inodes) == len(set(inodes)) == root.files + root.directories + 1
        # A process that has seen nothing yet finds every directory by its number alone.
        for number in range(root.directories + 1):
            async with mounted(store, root) as fresh:
                assert (await fresh.getattr(inode.of_directory(number))).inode == inode.of_directory(number)

    trio.run(check)


async def test_a_lookup_among_a_million_decodes_an_index_and_a_leaf() -> None:
    store = SteeredStore()
    encoder = Encoder(store, leaf=2000)
    many = dict.fromkeys((b"entry%07d" % n for n in range(1_000_000)), b"x")
    root = encoder.root({b"many": many})
    fetcher = Fetcher(DictCache(), store)
    async with trio.open_nursery() as nursery:
        await nursery.start(fetcher.run)
        tree = Tree(fetcher, root)
        filesystem = FileSystem(tree, fetcher, None)
        directory = await filesystem.lookup(inode.ROOT, b"many")
        assert directory is not None
        assert tree.decoded == 1
        found = await filesystem.lookup(directory.inode, b"entry0765432")
        assert found is not None
        assert tree.decoded == 3
        assert await filesystem.lookup(directory.inode, b"entry0765432x") is None
        assert tree.decoded == 3
        assert inode.position_of(found.inode) == 765_432
        assert await filesystem.getattr(found.inode) == found
        assert tree.decoded == 3
        nursery.cancel_scope.cancel()


async def test_a_sub_path_is_a_root_of_its_own() -> None:
    store = SteeredStore()
    root = Encoder(store, 2, 2).root(SOURCE)
    async with mounted(store, root, b"a") as filesystem:
        assert {name for name, _, _ in await listed(filesystem, inode.ROOT)} == {b"deep", b"z"}
        deep = await filesystem.lookup(inode.ROOT, b"deep")
        assert deep is not None
        up = await filesystem.lookup(deep.inode, b"..")
        assert up is not None
        assert up == await filesystem.getattr(inode.ROOT)
        assert up.inode == inode.ROOT
        assert await filesystem.lookup(deep.inode, b".") == deep
        assert filesystem.totals == Totals(2, 2, 7)


async def test_attributes() -> None:
    store = SteeredStore()
    async with mounted(store, Encoder(store).root(SOURCE)) as filesystem:
        top = await filesystem.getattr(inode.ROOT)
        assert (top.inode, top.mode) == (1, stat.S_IFDIR | 0o555)
        file = await filesystem.lookup(1, b"file")
        assert file is not None
        assert (file.mode, file.size, file.blocks, file.mtime_ns) == (stat.S_IFREG | 0o444, 10, 1, MTIME)
        sparse = await filesystem.lookup(1, b"sparse")
        assert sparse is not None
        assert (sparse.size, sparse.blocks) == (1 << 33, 0)
        link = await filesystem.lookup(1, b"link")
        assert link is not None
        assert (link.mode, link.size) == (stat.S_IFLNK | 0o777, 11)


async def test_wrong_kinds_and_unknown_numbers() -> None:
    store = SteeredStore()
    async with mounted(store, Encoder(store).root(SOURCE)) as filesystem:
        file = await filesystem.lookup(1, b"file")
        assert file is not None
        with pytest.raises(NotDirectoryError):
            await filesystem.lookup(file.inode, b"x")
        with pytest.raises(NotDirectoryError):
            await filesystem.listing(file.inode, 0)
        with pytest.raises(NotSymlinkError):
            await filesystem.readlink(file.inode)
        with pytest.raises(IsDirectoryError):
            await filesystem.open(1)
        for unknown in (inode.of_directory(6), inode.of_entry(0, 6), inode.of_entry(999, 0), 0):
            with pytest.raises(PathNotFoundError):
                await filesystem.getattr(unknown)


async def test_resolve_walks_paths_and_follows_no_symlink() -> None:
    store = SteeredStore()
    fetcher = Fetcher(DictCache(), store)
    async with trio.open_nursery() as nursery:
        await nursery.start(fetcher.run)
        tree = Tree(fetcher, Encoder(store).root(SOURCE))
        assert isinstance(await tree.resolve([]), DirectoryFacts)
        found = await tree.resolve([b"a", b"deep", b"file"])
        assert isinstance(found, Found)
        assert found.entry.name == b"file"
        with pytest.raises(PathNotFoundError, match="a/nope"):
            await tree.resolve([b"a", b"nope"])
        with pytest.raises(NotDirectoryError, match="link"):
            await tree.resolve([b"link", b"x"])
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("field", ["files", "directories", "bytes"])
async def test_a_root_that_lies_about_its_totals_is_refused(field: str) -> None:
    store = SteeredStore()
    root = Encoder(store).root(SOURCE)
    lying = msgspec.structs.replace(root, **{field: getattr(root, field) + 1})
    async with mounted(store, lying) as filesystem:
        with pytest.raises(InvalidFormatError, match="claimed"):
            await filesystem.lookup(1, b"a")


async def test_visiting_many_directories_keeps_little() -> None:
    store = SteeredStore()
    source: Source = {b"d%04d" % n: {b"f": b"x"} for n in range(3000)}
    fetcher = Fetcher(DictCache(), store)
    async with trio.open_nursery() as nursery:
        await nursery.start(fetcher.run)
        tree = Tree(fetcher, Encoder(store).root(source))
        filesystem = FileSystem(tree, fetcher, None)
        before = len(repr(filesystem))
        assert len(await walk(filesystem)) == 6000
        assert len(repr(filesystem)) < before + 40
        nursery.cancel_scope.cancel()


def index_over(store: SteeredStore, *leaves: tuple[bytes, tuple[bytes, ...]]) -> Root:
    """A root whose index claims the first names given, over leaves that hold the names given."""
    table = BlobTable()
    rows: list[IndexRow] = []
    for first, held in leaves:
        span = store.span(encode_leaf(BlobTable(), [Symlink(name, 0, b"t") for name in held]))
        rows.append(IndexRow(first, len(held), len(held), 0, 0, table.wire(span)))
    count = sum(row.entries for row in rows)
    return Root("0" * 64, 0o755, 0, root_span(store.span(encode_index(table, rows))), count, 0, 0)


@pytest.mark.parametrize(
    "leaves",
    [
        [(b"a", (b"a", b"z")), (b"b", (b"b", b"c"))],  # z is listed before b
        [(b"a", (b"a", b"b")), (b"b", (b"b", b"c"))],  # b is listed twice
        [(b"a", (b"b",)), (b"c", (b"c",))],  # nothing finds b
    ],
)
async def test_leaves_that_do_not_hold_what_their_rows_say_are_refused(
    leaves: list[tuple[bytes, tuple[bytes, ...]]],
) -> None:
    store = SteeredStore()
    async with mounted(store, index_over(store, *leaves)) as filesystem:
        with pytest.raises(InvalidFormatError, match="claimed"):
            await listed(filesystem, inode.ROOT)


async def test_a_tree_that_is_too_deep_is_refused() -> None:
    store = SteeredStore()
    source: Source = {}
    for _ in range(DEPTH_MAX + 1):
        source = {b"d": source}
    root = Encoder(store).root(source)
    async with mounted(store, root) as filesystem:
        here = inode.ROOT
        with pytest.raises(InvalidFormatError, match="deeper"):
            for _ in range(DEPTH_MAX + 1):
                found = await filesystem.lookup(here, b"d")
                assert found is not None
                here = found.inode


def test_long_lists_of_spans_weigh_what_they_hold() -> None:
    holes = [WireSpan(-1, 0, 1)] * 1000
    leaf = Leaf([], [File(b"f%d" % n, 0o644, 0, 1000, bytes(32), holes) for n in range(10)])
    assert LeafPart(leaf, None).weight() > 10_000
