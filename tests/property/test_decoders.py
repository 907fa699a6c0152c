"""Decoders take anything: they answer, or raise InvalidFormatError; in bounded time and memory."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from c3fs.core.digest import Digest
from c3fs.core.directory import (
    ENTRIES_MAX,
    LEAF_MAX,
    Directory,
    File,
    Index,
    Leaf,
    LongFile,
    Symlink,
    decode_node,
    encode_index,
    encode_leaf,
)
from c3fs.core.manifest import MANIFEST_MAX, decode_inventory, decode_manifest, encode_inventory
from c3fs.core.ref import parse_ref
from c3fs.core.span import BLOB_MAX, FILE_MAX
from c3fs.core.spanlist import SpanIndex, SpanLeaf, decode_span_node
from c3fs.core.wirespan import NODE_MAX, BlobTable, WireSpan
from c3fs.errors import InvalidFormatError, InvalidRefError
from tests.support.blobs import seeded
from tests.support.strategies import DIRECTORY_NODES, INVENTORIES, MANIFESTS, SPAN_NODES

packed = msgspec.msgpack.encode
MIB = 1 << 20


def accepted(decode: Callable[[Any], Any], data: bytes) -> Any:
    """What it decodes to, or None when it is refused; nothing but InvalidFormatError may be raised."""
    try:
        return decode(data)
    except InvalidFormatError as error:
        assert str(error).isprintable()
        assert len(str(error)) < 2_000
        return None


def encoded(node: Leaf | Index) -> bytes:
    table = BlobTable()
    table.blobs = node.blobs
    return encode_leaf(table, node.entries) if isinstance(node, Leaf) else encode_index(table, node.rows)


def check_node(node: Leaf | Index) -> None:
    """All that the reader relies on."""
    names = [entry.name for entry in node.entries] if isinstance(node, Leaf) else [row.first for row in node.rows]
    assert names == sorted(set(names))
    assert 0 < len(names) <= LEAF_MAX
    assert not {b"", b".", b".."} & set(names)
    assert not any(b"/" in name or b"\0" in name or len(name) > 255 for name in names)
    if isinstance(node, Index):
        assert len(node.rows) > 1
        assert all(0 < row.entries <= row.files + row.directories for row in node.rows)
        assert sum(row.entries for row in node.rows) <= ENTRIES_MAX
        for row in node.rows:
            check_stored(row.span, len(node.blobs))
        return
    for entry in node.entries:
        match entry:
            case File():
                assert sum(span.size for span in entry.spans) == entry.size
                for span in entry.spans:
                    assert -1 <= span.blob < len(node.blobs)
                    assert 0 < span.size <= FILE_MAX
            case Directory():
                empty = (entry.span.size, entry.files, entry.directories, entry.bytes) == (0, 0, 0, 0)
                if entry.span.blob != -1 or not empty:
                    check_stored(entry.span, len(node.blobs))
            case LongFile():
                check_stored(entry.span, len(node.blobs))
            case Symlink():
                assert entry.target
                assert b"\0" not in entry.target


def check_stored(span: WireSpan, blobs: int) -> None:
    assert span.blob == -2 or 0 <= span.blob < blobs
    assert 0 < span.size <= BLOB_MAX - span.offset


def check_directory(value: list[Any]) -> None:
    node = accepted(decode_node, packed(value))
    if node is not None:
        check_node(node)
        again = encoded(node)
        assert decode_node(again) == node
        assert encoded(decode_node(again)) == again
        assert again == packed(value)


def check_span_list(sized: tuple[list[Any], int]) -> None:
    value, size = sized
    node = accepted(lambda data: decode_span_node(data, size), packed(value))
    if node is None:
        return
    rows = node.spans if isinstance(node, SpanLeaf) else node.rows
    assert sum(row.size for row in rows) == size
    assert all(row.size > 0 for row in rows)
    if isinstance(node, SpanIndex):
        for row in node.rows:
            check_stored(row.span, len(node.blobs))
    assert packed(node) == packed(value)


def check_inventory(value: list[Any]) -> None:
    rows = accepted(decode_inventory, packed(value))
    if rows is not None:
        assert rows == sorted(set(rows))
        assert len({digest for digest, _ in rows}) == len(rows)
        assert b"".join(encode_inventory(rows)) == (packed(value) if rows else b"")


def check_manifest(value: Any) -> None:
    manifest = accepted(decode_manifest, msgspec.json.encode(value))
    if manifest is not None:
        assert decode_manifest(manifest.encode()) == manifest
        assert decode_manifest(manifest.encode().decode()) == manifest
        for digest in (manifest.root.digest, *(part.blob for part in manifest.inventory.parts)):
            assert str(Digest.parse(digest)) == digest
        span = manifest.root.to_span()
        assert (span.blob is None) == (span.size == 0)


NEARLY_VALID: list[Any] = [
    pytest.param(check_directory, DIRECTORY_NODES, id="directory"),
    pytest.param(check_span_list, st.tuples(SPAN_NODES, st.integers(0, 60)), id="span list"),
    pytest.param(check_inventory, INVENTORIES, id="inventory"),
    pytest.param(check_manifest, MANIFESTS, id="manifest"),
]


def run(check: Callable[[Any], None], values: st.SearchStrategy[Any], examples: int) -> None:
    settings(max_examples=examples, deadline=None)(given(values)(check))()


@pytest.mark.parametrize(("check", "values"), NEARLY_VALID)
def test_what_is_nearly_valid(check: Callable[[Any], None], values: st.SearchStrategy[Any]) -> None:
    run(check, values, 1_000)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("check", "values"), NEARLY_VALID)
def test_what_is_nearly_valid_for_long(check: Callable[[Any], None], values: st.SearchStrategy[Any]) -> None:
    run(check, values, 100_000)


# --- bytes that never were an encoding, or were damaged ------------------------------------------------------------

DECODERS: list[Callable[[bytes], Any]] = [
    decode_node, lambda data: decode_span_node(data, 100), decode_inventory, decode_manifest,
]  # fmt: skip


@pytest.mark.parametrize("decode", DECODERS)
@given(data=st.binary(max_size=200))
@settings(max_examples=400, deadline=None)
def test_noise(decode: Callable[[bytes], Any], data: bytes) -> None:
    accepted(decode, data)


def valid() -> dict[Callable[[bytes], Any], bytes]:
    digest = bytes(Digest.of(b"x"))
    leaf = [0, [digest], [[0, b"a", 0o644, 1, 9, digest, [[0, 0, 9]]], [1, b"b", 0o755, 1, digest, [-2, 0, 9], 1, 0, 3],
                          [2, b"c", 1, b"a"], [3, b"d", 0o644, 1, 5000, digest, [0, 9, 99], 2000]]]  # fmt: skip
    manifest = {
        "format": 1, "ref": "/jobs/job_1_aaaaaa", "created": "2026-11-23T10:00:00.000Z", "complete": True,
        "root": {"digest": digest.hex(), "mode": 493, "mtime_ns": 5, "files": 1, "directories": 0, "bytes": 9,
                 "span": {"blob": digest.hex(), "offset": 0, "size": 9}},
        "inventory": {"blobs": 1, "bytes": 9, "parts": [{"blob": digest.hex(), "size": 9}]},
    }  # fmt: skip
    spans = [0, [digest], [[0, 0, 60], [-1, 0, 40]]]
    values = (packed(leaf), packed(spans), packed([[digest, 9]]), msgspec.json.encode(manifest))
    return dict(zip(DECODERS, values, strict=True))


VALID = valid()


@pytest.mark.parametrize("decode", DECODERS)
@given(data=st.data())
@settings(max_examples=400, deadline=None)
def test_damage(decode: Callable[[bytes], Any], data: st.DataObject) -> None:
    encoding = bytearray(VALID[decode])
    assert accepted(decode, bytes(encoding)) is not None
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, max(len(encoding) - 1, 0)))
        match data.draw(st.sampled_from(["set", "cut", "insert", "drop"])):
            case "set" if encoding:
                encoding[at] = data.draw(st.integers(0, 255))
            case "cut":
                del encoding[at:]
            case "insert":
                encoding[at:at] = data.draw(st.binary(max_size=5))
            case _:
                del encoding[at : at + 1]
    accepted(decode, bytes(encoding))


# --- bombs ------------------------------------------------------------

LINKS = b"".join(b"\x94\x02\xc4\x03%b\x00\xc4\x01t" % n.to_bytes(3) for n in range(0x010101, 0x010101 + 150_000))
SPAN = b"\x93\xff\x00\x01"
BOMBS: dict[str, bytes] = {
    "claims 4 billion entries": b"\x93\x00\x90\xdd\xff\xff\xff\xff",
    "claims 4 billion blobs": b"\x93\x00\xdd\xff\xff\xff\xff",
    "claims a name of 4 GiB": b"\x93\x00\x90\x91\x94\x02\xc6\xff\xff\xff\xff",
    "nested lists": b"\x91" * MIB,
    "nested maps": b"\x81\xa1a" * (MIB // 3),
    "links without end": b"\x93\x00\x90\xdd" + (150_000).to_bytes(4) + LINKS,
    "spans without end": b"\x93\x00\x90\x91\x97\x00\xc4\x01a\x00\x00\x00\xc4\x20" + bytes(32)
    + b"\xdd" + (500_000).to_bytes(4) + SPAN * 500_000,
    "files of most spans": b"\x93\x00\x90\xdd" + (500).to_bytes(4)
    + b"".join(b"\x97\x00\xc4\x02%b\x00\x00\xcd\x03\xe8\xc4\x20" % (n + 257).to_bytes(2) + bytes(32)
               + b"\xdd" + (1_000).to_bytes(4) + SPAN * 1_000 for n in range(500)),
    "blobs without end": b"\x93\x00\xdd" + (60_000).to_bytes(4) + (b"\xc4\x20" + bytes(32)) * 60_000 + b"\x90",
    "nulls": b"\x93\x00\x90\xdd" + (4_000).to_bytes(4) + b"\xc0" * 4_000,
    "larger than a node": bytes(NODE_MAX + 1),
    "deep JSON": b"[" * 500_000,
    "deep JSON objects": b'{"ref":' * 100_000,
    "JSON too long": b" " * (MANIFEST_MAX + 1),
    "a large number": b'{"format":' + b"9" * 100_000 + b"}",
}  # fmt: skip


@pytest.mark.parametrize("decode", DECODERS)
@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_cost_little(decode: Callable[[bytes], Any], bomb: str) -> None:
    data = BOMBS[bomb]
    tracemalloc.start()
    begin = time.process_time()
    accepted(decode, data)
    seconds = time.process_time() - begin
    memory = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert memory < 64 * MIB
    assert seconds < 10


def test_the_largest_inventory_part_fits_a_blob() -> None:
    data = seeded(1, 32 * 200_000)
    rows = sorted((Digest(data[at : at + 32]), BLOB_MAX) for at in range(0, len(data), 32))
    parts = list(encode_inventory(rows))
    assert all(len(part) <= BLOB_MAX for part in parts)
    assert [row for part in parts for row in decode_inventory(part)] == rows


@given(st.one_of(st.text(max_size=50), st.text(alphabet="/jobs_123.@v\n\x00", max_size=40).map("/jobs/".__add__)))
@settings(max_examples=600, deadline=None)
def test_a_ref_parses_to_what_reads_the_same_or_is_refused(text: str) -> None:
    try:
        ref = parse_ref(text)
    except InvalidRefError:
        return
    assert parse_ref(str(ref)) == ref
