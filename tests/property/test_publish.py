"""Any tree that Linux can hold comes back as it was, in blobs that anybody can check."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from c3fs.core.digest import EMPTY, Digest
from c3fs.core.directory import Symlink
from c3fs.core.manifest import Root, root_span
from c3fs.core.span import BLOB_MAX, Span
from c3fs.core.wirespan import NODE_MAX
from c3fs.publish.items import ChunkedFile, Folder, Item, PackedFile
from c3fs.publish.pack import PACK_MIN, Packer, label
from c3fs.publish.tree import TreeEncoder
from tests.support.blobs import seeded
from tests.support.decoded import decode_root
from tests.support.publishing import collected
from tests.support.strategies import NAMES, trees
from tests.support.trees import Source, build, facts


@contextmanager
def built(source: Source) -> Generator[Path]:
    base = Path(tempfile.mkdtemp(prefix="c3fs-property-"))
    try:
        yield build(base / "work", {b"out": source})
    finally:
        shutil.rmtree(base)


def round_trip(source: Source) -> None:
    with built(source) as base:
        found, decoded = collected(base, "out")
        assert decoded.facts == facts(base)
        assert found.warnings == []
        again, _ = collected(base, "out")
        assert (again.root, again.blobs) == (found.root, found.blobs)


@given(trees())
@settings(max_examples=90, deadline=None)
def test_a_tree_comes_back_as_it_was(source: Source) -> None:
    round_trip(source)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@given(trees(max_leaves=200))
@settings(max_examples=10_000, deadline=None)
def test_a_tree_comes_back_as_it_was_for_long(source: Source) -> None:
    round_trip(source)


@given(trees(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_times_are_no_part_of_the_root_digest(source: Source, draw: random.Random) -> None:
    with built(source) as base:
        before, _ = collected(base, "out")
        for path in [base, *base.rglob("*")]:
            moment = draw.randrange(4 * 10**18)
            os.utime(path, ns=(moment, moment), follow_symlinks=False)
        after, decoded = collected(base, "out")
        assert after.root.digest == before.root.digest
        assert decoded.facts == facts(base)


@given(st.lists(st.tuples(NAMES, st.integers(1, (512 << 10) - 1)), min_size=1, max_size=60, unique_by=lambda f: f[0]))
@settings(max_examples=60, deadline=None)
def test_packs_keep_their_bounds_whatever_the_sizes(files: list[tuple[bytes, int]]) -> None:
    source = seeded(0, 512 << 10)
    packs: list[bytes] = []
    packer = Packer(lambda _digest, data: packs.append(bytes(data)))
    for number, (name, size) in enumerate(files):
        data = number.to_bytes(4) * (size // 4 + 1)
        packer.add(label(b"d", name), source[:size], Digest.of(data))
    packer.close()
    assert sum(map(len, packs)) == sum(size for _, size in files)
    assert all(len(pack) <= BLOB_MAX for pack in packs)
    # Closed early only for want of room: the next file is smaller than 512 KiB.
    assert all(len(pack) >= PACK_MIN for pack in packs[:-1])


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_trees_of_any_shape_encode_and_decode(data: st.DataObject) -> None:
    """Without a disk, so that directories and span lists are large enough to be cut."""
    blobs: dict[Digest, bytes] = {Digest.of(b"\0"): b"\0"}
    encoder = TreeEncoder(Packer(lambda digest, encoded: blobs.update({digest: bytes(encoded)})))
    root = Folder(b"", 0o755, 0)
    encoder.begin(root)
    entries = fill(data, encoder, depth=0)
    encoder.end()
    encoder.finish()
    record = Root(str(root.hasher.digest()), 0o755, 0, root_span(root.span()), *root.totals)
    decoded = decode_root(record, blobs)
    assert len(decoded.facts) == entries + 1
    assert decoded.largest <= NODE_MAX
    assert all(len(blob) <= BLOB_MAX for blob in blobs.values())


def fill(data: st.DataObject, encoder: TreeEncoder, depth: int) -> int:
    """Add entries, in order of name, to the folder that is open; how many, those below included."""
    count = data.draw(st.sampled_from([0, 1, 3, 50, 900, 1_500, 6_000] if depth < 2 else [0, 1, 5]))
    width = data.draw(st.sampled_from([0, 30, 240]))
    folders = data.draw(st.integers(0, 3)) if depth < 3 else 0
    added = count + folders
    for number in range(count + folders):
        name = b"%06d" % number + b"n" * width
        if number < count:
            encoder.add(item(name, number, data))
        else:
            encoder.begin(Folder(name, 0o700, number))
            added += fill(data, encoder, depth + 1)
            encoder.end()
    return added


def item(name: bytes, number: int, data: st.DataObject) -> Item:
    match number % 500:
        case 0:
            size = data.draw(st.sampled_from([1, 999, 1_000, 1_001, 2_600]))
            spans = [Span(Digest.of(b"\0"), 0, 1) if at % 3 else Span(None, 0, 1) for at in range(size)]
            return ChunkedFile(name, 0o644, 0, size, Digest.of(bytes(size)), spans)
        case 1:
            return Symlink(name, 0, b"t" * data.draw(st.integers(1, 4095)))
        case _:
            return PackedFile(name, 0o644, number, 0, EMPTY, None, 0)
