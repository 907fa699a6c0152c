"""A published tree taken apart by nothing but the decoders of c3fs.core: what it says, and which blobs it needs.

Everything the format promises is asserted on the way: sizes of blobs and nodes, digests of contents and of directories,
totals, the counts of index rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from c3fs.core.digest import Digest, Hasher
from c3fs.core.directory import (
    NOTHING,
    Directory,
    DirectoryHasher,
    Entry,
    File,
    Leaf,
    LongFile,
    Symlink,
    Totals,
    check_totals,
    decode_node,
    sum_totals,
    totals_of,
)
from c3fs.core.manifest import Manifest, Root, decode_inventory
from c3fs.core.span import BLOB_MAX, Span
from c3fs.core.spanlist import SpanLeaf, decode_span_node
from c3fs.core.wirespan import unwire
from tests.support.trees import Fact

_ZEROS = bytes(1 << 20)


@dataclass
class Decoded:
    """`nodes` counts the nodes of directories, `largest` is the size of the largest node of any kind."""

    stored: Mapping[Digest, bytes]
    facts: dict[bytes, Fact] = field(default_factory=dict[bytes, Fact])
    blobs: set[Digest] = field(default_factory=set[Digest])
    nodes: int = 0
    largest: int = 0

    def bytes_of(self, span: Span) -> bytes:
        assert span.blob is not None
        blob = self.stored[span.blob]
        assert Digest.of(blob) == span.blob
        assert 0 < len(blob) <= BLOB_MAX
        assert span.offset + span.size <= len(blob)
        self.blobs.add(span.blob)
        return blob[span.offset : span.offset + span.size]

    def node(self, span: Span) -> bytes:
        data = self.bytes_of(span)
        self.largest = max(self.largest, len(data))
        return data

    def entries(self, span: Span, claimed: Totals, rows: int | None = None) -> Iterator[tuple[Entry, Leaf, Digest]]:
        """All entries of a directory, or of the part of one that has `rows` entries."""
        if span.blob is None:
            assert claimed == NOTHING
            return
        node = decode_node(self.node(span))
        self.nodes += 1
        if isinstance(node, Leaf):
            assert rows in (None, len(node.entries))
            check_totals(sum_totals(map(totals_of, node.entries)), claimed)
            for entry in node.entries:
                yield entry, node, span.blob
            return
        assert rows in (None, sum(row.entries for row in node.rows))
        check_totals(sum_totals(Totals(row.files, row.directories, row.bytes) for row in node.rows), claimed)
        for row in node.rows:
            below = unwire(node.blobs, row.span, span.blob)
            part = self.entries(below, Totals(row.files, row.directories, row.bytes), row.entries)
            first, *_ = entry_and_place = next(part)
            assert first.name == row.first
            yield entry_and_place
            yield from part

    def directory(self, path: bytes, span: Span, digest: bytes, claimed: Totals) -> None:
        hasher = DirectoryHasher()
        for entry, leaf, own in self.entries(span, claimed):
            hasher.add(entry)
            here = path + b"/" + entry.name if path else entry.name
            match entry:
                case Directory():
                    self.facts[here] = Fact("directory", entry.mode, entry.mtime_ns, 0, b"")
                    totals = Totals(entry.files, entry.directories, entry.bytes)
                    self.directory(here, unwire(leaf.blobs, entry.span, own), entry.digest, totals)
                case Symlink():
                    self.facts[here] = Fact("symlink", 0o777, entry.mtime_ns, len(entry.target), entry.target)
                case File():
                    self._file(here, entry, [unwire(leaf.blobs, wire, own) for wire in entry.spans])
                case LongFile():
                    spans = list(self.long_spans(unwire(leaf.blobs, entry.span, own), entry.size))
                    assert len(spans) == entry.spans
                    self._file(here, entry, spans)
        assert hasher.digest() == digest

    def long_spans(self, span: Span, size: int) -> Iterator[Span]:
        node = decode_span_node(self.node(span), size)
        if isinstance(node, SpanLeaf):
            for wire in node.spans:
                yield unwire(node.blobs, wire, span.blob)
        else:
            for row in node.rows:
                part = list(self.long_spans(unwire(node.blobs, row.span, span.blob), row.size))
                assert len(part) == row.spans
                yield from part

    def _file(self, path: bytes, entry: File | LongFile, spans: list[Span]) -> None:
        hasher = Hasher()
        for span in spans:
            if span.blob is not None:
                hasher.update(self.bytes_of(span))
                continue
            for at in range(0, span.size, len(_ZEROS)):
                hasher.update(_ZEROS[: span.size - at])
        assert hasher.digest() == entry.digest, path
        self.facts[path] = Fact("file", entry.mode, entry.mtime_ns, entry.size, entry.digest)


def decode_root(root: Root, stored: Mapping[Digest, bytes]) -> Decoded:
    decoded = Decoded(stored)
    decoded.facts[b""] = Fact("directory", root.mode, root.mtime_ns, 0, b"")
    totals = Totals(root.files, root.directories, root.bytes)
    decoded.directory(b"", root.to_span(), Digest.parse(root.digest), totals)
    return decoded


def decode_tree(manifest: Manifest, stored: Mapping[Digest, bytes]) -> Decoded:
    """The whole tree; its inventory must list exactly the blobs it needs, with their sizes."""
    decoded = decode_root(manifest.root, stored)
    listed: dict[Digest, int] = {}
    for part in manifest.inventory.parts:
        blob = stored[Digest.parse(part.blob)]
        assert len(blob) == part.size
        listed.update(decode_inventory(blob))
    assert set(listed) == decoded.blobs
    assert {digest: len(stored[digest]) for digest in listed} == listed
    assert (manifest.inventory.blobs, manifest.inventory.bytes) == (len(listed), sum(listed.values()))
    return decoded
