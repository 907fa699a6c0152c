"""What a tree needs: exactly the blobs that decoding all of it touches."""

from __future__ import annotations

from pathlib import Path

import pytest

from c3fs.core.digest import Digest
from c3fs.core.directory import Directory, encode_leaf
from c3fs.core.manifest import Root, root_span
from c3fs.core.names import DEPTH_MAX
from c3fs.core.wirespan import SELF, BlobTable, WireSpan
from c3fs.data.reach import reach
from c3fs.errors import InvalidFormatError
from c3fs.vfs.tree import Tree
from tests.support.decoded import decode_root
from tests.support.stage import encoded, long_file, staged
from tests.support.trees import build, deep, many, odd


async def test_one_of_everything(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        manifest = await stage.publish(build(tmp_path / "top", odd()), "/datasets/a")
        tree = stage.open_tree(manifest)
        assert await reach(tree, tree.root) == stage.decoded(manifest).blobs


async def test_every_part_of_a_tree(tmp_path: Path) -> None:
    """What the parts need together, and the node above them, is what the whole needs."""
    async with staged(tmp_path) as stage:
        manifest = await stage.publish(build(tmp_path / "top", {**many(300, 40_000, 50), b"f": b"x"}), "/datasets/a")
        tree = stage.open_tree(manifest)
        parts: set[Digest] = set()
        for name in [*(b"d%04d" % number for number in range(6)), b"f"]:
            part = await reach(tree, await tree.resolve([name]))
            assert part < stage.decoded(manifest).blobs
            parts |= part
        assert tree.root.span.blob is not None
        assert parts | {tree.root.span.blob} == await reach(tree, tree.root)


async def test_span_lists_and_large_directories(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        files = [long_file(stage.store, b"%05d" % at, 5_000 if at % 5_000 == 0 else 1) for at in range(10_000)]
        root = encoded(stage.store, *files)
        tree = Tree(stage.fetcher, root)
        assert await reach(tree, tree.root) == decode_root(root, stage.store.blobs).blobs
        found = await tree.resolve([b"05000"])
        assert len(await reach(tree, found)) == 2


async def test_no_content_is_read_and_no_recursion_either(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        source = deep(DEPTH_MAX - 1, {b"large": bytes(3 << 20), b"other": b"x"})
        manifest = await stage.publish(build(tmp_path / "top", source), "/datasets/a")
        tree = stage.open_tree(manifest)
        stage.store.gets.clear()
        assert await reach(tree, tree.root) == stage.decoded(manifest).blobs
        assert sum(stage.store.gets.values()) == 1


async def test_a_directory_that_leads_to_itself_ends(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:

        def leaf(size: int) -> bytes:
            claims_itself = Directory(b"loop", 0o755, 0, bytes(32), WireSpan(SELF, 0, size), 0, 5, 0)
            return encode_leaf(BlobTable(), [claims_itself])

        data = leaf(len(leaf(100)))
        span = stage.store.span(data)
        tree = Tree(stage.fetcher, Root("0" * 64, 0o755, 0, root_span(span), 0, 6, 0))
        with pytest.raises(InvalidFormatError, match="claimed"):
            await reach(tree, tree.root)
