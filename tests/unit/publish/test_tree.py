"""Encoding trees: large directories and long files become small nodes, whenever they can be encoded."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from c3fs.core.digest import EMPTY, Digest
from c3fs.core.directory import LEAF_MAX, Index, Leaf, Symlink, decode_node
from c3fs.core.manifest import Root, root_span
from c3fs.core.span import BLOB_MAX, Span
from c3fs.core.wirespan import NODE_MAX
from c3fs.publish.items import ChunkedFile, Folder, Item, PackedFile
from c3fs.publish.leaves import LEAF_MIN
from c3fs.publish.pack import PACK_MIN, Pack, Packer
from c3fs.publish.tree import TreeEncoder
from tests.support.blobs import seeded
from tests.support.decoded import Decoded, decode_root
from tests.support.encoded import MTIME

Tree = dict[bytes, "Item | Tree"]
CONTENT = b"content"
PACKED = Pack()
PACKED.digest = Digest.of(CONTENT)


def file(name: bytes) -> PackedFile:
    return PackedFile(name, 0o644, MTIME, len(CONTENT), Digest.of(CONTENT), PACKED, 0)


def empty(name: bytes) -> PackedFile:
    return PackedFile(name, 0o644, MTIME, 0, EMPTY, None, 0)


class Encoded:
    """The blobs of a tree, and its root."""

    def __init__(self, *, wait: bool = False) -> None:
        self.blobs: dict[Digest, bytes] = {PACKED.digest or EMPTY: CONTENT}
        self.encoder = TreeEncoder(Packer(self._keep), wait=wait)
        self.folder = Folder(b"", 0o755, MTIME)

    def _keep(self, digest: Digest, data: object) -> None:
        assert isinstance(data, bytes)
        self.blobs[digest] = data

    def fill(self, *items: Item) -> Root:
        self.encoder.begin(self.folder)
        for item in items:
            self.encoder.add(item)
        self.encoder.end()
        self.encoder.finish()
        return self.root

    @property
    def root(self) -> Root:
        folder = self.folder
        return Root(str(folder.hasher.digest()), folder.mode, folder.mtime_ns, root_span(folder.span()), *folder.totals)

    def decoded(self) -> Decoded:
        return decode_root(self.root, self.blobs)

    def node(self) -> Leaf | Index:
        span = self.folder.span()
        assert span.blob is not None
        return decode_node(self.blobs[span.blob][span.offset : span.offset + span.size])


def test_a_directory_of_a_million_entries_is_small_nodes() -> None:
    made = Encoded()
    made.encoder.begin(made.folder)
    for number in range(1_000_000):
        made.encoder.add(empty(b"entry%07d" % number))
    made.encoder.end()
    made.encoder.finish()
    top = made.node()
    assert isinstance(top, Index)
    assert len(top.rows) < LEAF_MAX
    assert all(LEAF_MIN <= row.entries <= LEAF_MAX for row in top.rows[:-1])
    assert all(row.span.size < NODE_MAX for row in top.rows)
    assert all(len(data) <= BLOB_MAX for data in made.blobs.values())
    assert made.folder.totals.files == 1_000_000
    assert made.folder.span().size < 64 << 10


def test_a_large_directory_is_encoded_as_it_is_filled() -> None:
    """What waits is a leaf, and does not grow with the directory."""
    encoder = TreeEncoder(Packer(lambda _digest, _data: None))
    encoder.begin(Folder(b"", 0o755, MTIME))
    tracemalloc.start()
    for number in range(100_000):
        encoder.add(empty(b"entry%07d" % number))
    memory = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The open pack of directories is 2 to 4 MiB; 100,000 entries kept would be 30 MB.
    assert memory < 12 << 20


def test_what_a_large_directory_says_is_all_there() -> None:
    made = Encoded()
    names = [b"%06d" % number for number in range(30_000)]
    made.fill(*map(empty, names))
    decoded = made.decoded()
    assert [*decoded.facts] == [b"", *names]
    assert decoded.nodes > 10


def test_one_more_name_changes_one_leaf_of_a_large_directory() -> None:
    names = [b"%06d" % number for number in range(50_000)]

    def leaves(names: list[bytes]) -> set[bytes]:
        made = Encoded()
        made.fill(*map(empty, names))
        top = made.node()
        assert isinstance(top, Index)
        spans = [(top.blobs[row.span.blob] if row.span.blob >= 0 else made.folder.span().blob, row.span)
                 for row in top.rows]  # fmt: skip
        return {made.blobs[Digest(blob or b"")][span.offset : span.offset + span.size] for blob, span in spans}

    before = leaves(names)
    draw = random.Random(3)
    for _ in range(5):
        assert len(leaves(sorted([*names, b"%06d-" % draw.randrange(50_000)])) - before) <= 2


@pytest.mark.parametrize("name", [b"n" * 240, b"short"])
def test_leaves_of_long_names_and_targets_stay_small(name: bytes) -> None:
    made = Encoded()
    made.fill(*(Symlink(b"%06d" % number + name, MTIME, b"t" * 4095) for number in range(3_000)))
    decoded = made.decoded()
    assert decoded.largest < NODE_MAX
    assert len(decoded.facts) == 3_001


def test_files_of_many_spans_make_small_leaves() -> None:
    made = Encoded()
    blob = PACKED.digest
    spans = [Span(blob, 0, 1) if at % 2 else Span(None, 0, 1) for at in range(1_000)]
    content = Digest.of(b"\0c" * 500)
    made.fill(*(ChunkedFile(b"%06d" % number, 0o644, 0, 1_000, content, spans) for number in range(300)))
    decoded = made.decoded()
    assert decoded.largest < NODE_MAX
    assert len(decoded.facts) == 301


def test_a_file_of_100_000_chunks_is_small_nodes() -> None:
    made = Encoded()
    data = seeded(1, 100_000)
    spans: list[Span] = []
    for at in range(100_000):
        digest = Digest.of(data[at : at + 1] + b"%d" % at)
        made.blobs[digest] = data[at : at + 1] + b"%d" % at
        spans.append(Span(digest, 0, 1))
    made.fill(ChunkedFile(b"long", 0o600, MTIME, 100_000, Digest.of(data), spans), empty(b"z"))
    top = made.node()
    assert isinstance(top, Leaf)
    assert len(top.blobs) <= 1
    for blob in made.blobs.values():
        assert len(blob) <= BLOB_MAX
    assert made.folder.totals.bytes == 100_000
    made.blobs = {digest: data for digest, data in made.blobs.items() if len(data) > 100}
    listed = Decoded(made.blobs)
    span = made.folder.span()
    own = span.blob
    assert own is not None
    wire = top.entries[0]
    assert wire.name == b"long"
    found = list(listed.long_spans(Span(own, wire.span.offset, wire.span.size), 100_000))  # pyright: ignore
    assert found == spans
    assert listed.largest < 64 << 10


def test_directories_share_a_pack_and_say_so() -> None:
    """So a changed file changes one blob of directories, however deep it lies."""
    made = Encoded()
    encoder = made.encoder
    encoder.begin(made.folder)
    for depth in range(50):
        encoder.begin(Folder(b"d%d" % depth, 0o755, MTIME))
    encoder.add(file(b"bottom"))
    for _ in range(51):
        encoder.end()
    encoder.finish()
    decoded = made.decoded()
    assert len(decoded.facts) == 52
    assert decoded.blobs == {PACKED.digest, made.folder.span().blob}
    assert made.folder.totals == (1, 50, len(CONTENT))


def test_a_node_that_opens_a_new_pack_names_the_one_before_by_digest() -> None:
    """Directories of some hundred KiB each fill packs; their parents lie in another pack than they."""
    made = Encoded()
    encoder = made.encoder
    encoder.begin(made.folder)
    for number in range(200):
        encoder.begin(Folder(b"dir%04d" % number, 0o755, MTIME))
        for inner in range(300):
            encoder.add(Symlink(b"%s-%05d" % (b"x" * 200, inner), number, b"target"))
        encoder.end()
    encoder.end()
    encoder.finish()
    decoded = made.decoded()
    assert len(decoded.facts) == 1 + 200 * 301
    sizes = [len(made.blobs[digest]) for digest in decoded.blobs]
    assert len(sizes) >= 4
    assert sorted(sizes)[1] >= PACK_MIN


def test_waiting_for_packs_changes_when_leaves_are_laid_and_not_where() -> None:
    roots: list[Root] = []
    for wait in (False, True):
        made = Encoded(wait=wait)
        files = Packer(lambda digest, data, blobs=made.blobs: blobs.update({digest: bytes(data)}))
        made.encoder.begin(made.folder)
        for number in range(40):
            made.encoder.begin(Folder(b"dir%02d" % number, 0o755, MTIME))
            for inner in range(100):
                made.encoder.add(packed(b"%03d" % inner, seeded(number * 100 + inner, 1_500), files))
            made.encoder.end()
        made.encoder.end()
        files.close()
        assert made.encoder.finish() == []
        assert len(made.decoded().facts) == 1 + 40 * 101
        roots.append(made.root)
    assert roots[0] == roots[1]


def packed(name: bytes, data: bytes, files: Packer) -> PackedFile:
    return PackedFile(name, 0o644, 0, len(data), Digest.of(data), *files.add(name, data, Digest.of(data)))


def test_files_whose_blobs_were_lost_are_left_out() -> None:
    made = Encoded(wait=True)
    lost = Digest.of(b"lost")
    pack = Pack()
    pack.digest = lost
    made.encoder.begin(made.folder)
    made.encoder.add(file(b"kept"))
    made.encoder.begin(Folder(b"sub", 0o755, MTIME))
    made.encoder.add(file(b"a")._replace(pack=pack))
    made.encoder.add(ChunkedFile(b"b", 0o644, 0, 2, EMPTY, [Span(PACKED.digest, 0, 1), Span(lost, 0, 1)]))
    made.encoder.end()
    made.encoder.end()
    assert made.encoder.finish(frozenset([lost])) == [b"sub/a", b"sub/b"]
    assert [*made.decoded().facts] == [b"", b"kept", b"sub"]
    assert made.folder.totals == (1, 1, len(CONTENT))
