"""Format 1, hostile: what breaks its rules is refused where it enters, and costs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from c3fs.core.digest import Digest
from c3fs.core.directory import NOTHING, Leaf, Totals, check_totals, decode_node
from c3fs.core.manifest import (
    Inventory,
    Manifest,
    Root,
    SpanRecord,
    decode_inventory,
    decode_manifest,
    encode_inventory,
)
from c3fs.core.span import BLOB_MAX, FILE_MAX
from c3fs.core.spanlist import SpanLeaf, decode_span_node
from c3fs.errors import InvalidFormatError

BLOB = bytes(Digest.of(b"blob"))
DIGEST = bytes(Digest.of(b"content"))
FILE = [0, b"file", 0o644, 0, 10, DIGEST, [[0, 0, 10]]]
DIRECTORY = [1, b"dir", 0o755, 0, DIGEST, [0, 0, 5], 1, 0, 10]
LINK = [2, b"link", 0, b"target"]
LONG = [3, b"long", 0o644, 0, 5000, DIGEST, [0, 0, 5], 2000]


def node(*entries: object, blobs: list[bytes] | None = None) -> bytes:
    return msgspec.msgpack.encode([0, [BLOB] if blobs is None else blobs, list(entries)])


def index(*rows: object) -> bytes:
    return msgspec.msgpack.encode([1, [BLOB], list(rows)])


def changed(entry: Sequence[object], at: int, value: object) -> list[object]:
    return [*entry[:at], value, *entry[at + 1 :]]


def test_a_sound_leaf() -> None:
    leaf = decode_node(node(DIRECTORY, FILE, LINK, LONG))
    assert isinstance(leaf, Leaf)
    assert [entry.name for entry in leaf.entries] == [b"dir", b"file", b"link", b"long"]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\xc0", b"\xff" * 100, b"\x93\x00\x90", msgspec.msgpack.encode([7, [], []]), msgspec.msgpack.encode({}),
        node(), node(FILE) + b"x", node(FILE)[:-1], node(FILE, blobs=[]), node(FILE, blobs=[b"short"]),
        node(FILE, FILE), node(LINK, FILE),
        *(node(changed(FILE, 1, name)) for name in (b"", b".", b"..", b"a/b", b"a\0b", b"x" * 256, "text")),
        node(changed(FILE, 2, 0o10000)), node(changed(FILE, 2, -1)), node(changed(FILE, 3, 1 << 63)),
        node(changed(FILE, 4, 11)), node(changed(FILE, 4, -1)), node(changed(FILE, 4, (1 << 64) - 1)),
        node(changed(FILE, 5, b"x")),
        node(changed(FILE, 6, [])), node(changed(FILE, 6, [[1, 0, 10]])), node(changed(FILE, 6, [[-3, 0, 10]])),
        node(changed(FILE, 6, [[-2, 0, 10]])), node(changed(FILE, 6, [[0, BLOB_MAX, 10]])),
        node(changed(FILE, 6, [[0, 0, 10], [0, 0, 0]])), node(changed(FILE, 6, [[-1, 1, 10]])),
        node([*FILE, "more"]), node(FILE[:-1]),
        node([*changed(FILE, 4, 1001)[:6], [[0, 0, 1]] * 1001]),
        node(changed(DIRECTORY, 5, [-1, 0, 5])), node(changed(DIRECTORY, 5, [-1, 0, 0])),
        node(changed(DIRECTORY, 5, [0, 0, 0])),
        node(changed(DIRECTORY, 6, -1)), node(changed(LINK, 3, b"")), node(changed(LINK, 3, b"a\0b")),
        node(changed(LINK, 3, b"x" * 4096)), node(changed(LONG, 7, 1000)), node(changed(LONG, 7, 6000)),
        node(changed(LONG, 6, [-1, 0, 5])),
        node(*([2, b"%05d" % n, 0, b"t"] for n in range(4001))),
        index(), index([b"a", 1, 1, 0, 0, [0, 0, 5]]),
        index([b"b", 1, 1, 0, 0, [0, 0, 5]], [b"a", 1, 1, 0, 0, [0, 0, 5]]),
        index([b"a", 0, 1, 0, 0, [0, 0, 5]], [b"b", 1, 1, 0, 0, [0, 0, 5]]),
        index([b"a", 5, 1, 0, 0, [0, 0, 5]], [b"b", 1, 1, 0, 0, [0, 0, 5]]),
        index([b"a", 1, 1, 0, 0, [-1, 0, 5]], [b"b", 1, 1, 0, 0, [0, 0, 5]]),
        index([b"a", 1 << 23, 1 << 23, 0, 0, [0, 0, 5]], [b"b", 1 << 23, 1 << 23, 0, 0, [0, 0, 5]]),
        b"\x91" * 5000 + b"\x90",
        bytes(BLOB_MAX),
    ],
)  # fmt: skip
def test_what_breaks_the_rules_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidFormatError):
        decode_node(data)


def test_a_claimed_size_allocates_nothing() -> None:
    leaf = decode_node(node([*changed(FILE, 4, FILE_MAX)[:6], [[-1, 0, FILE_MAX]]]))
    assert isinstance(leaf, Leaf)
    assert leaf.entries[0].name == b"file"


def test_totals_must_be_those_claimed() -> None:
    check_totals(NOTHING, Totals(0, 0, 0))
    with pytest.raises(InvalidFormatError, match="claimed"):
        check_totals(NOTHING, Totals(0, 0, 1))


def test_span_lists() -> None:
    sound = msgspec.msgpack.encode([0, [BLOB], [[0, 0, 4], [-1, 0, 6]]])
    assert isinstance(decode_span_node(sound, 10), SpanLeaf)
    for data, size in (
        (sound, 9), (b"", 0), (msgspec.msgpack.encode([0, [], []]), 0), (sound[:-1], 10),
        (msgspec.msgpack.encode([1, [BLOB], [[10, 1, [0, 0, 4]]]]), 10),
        (msgspec.msgpack.encode([1, [BLOB], [[5, 1, [0, 0, 4]], [4, 1, [0, 0, 4]]]]), 10),
        (msgspec.msgpack.encode([1, [BLOB], [[5, 1, [-1, 0, 4]], [5, 1, [0, 0, 4]]]]), 10),
    ):  # fmt: skip
        with pytest.raises(InvalidFormatError):
            decode_span_node(data, size)


ROOT = Root(DIGEST.hex(), 0o755, 0, SpanRecord(BLOB.hex(), 0, 100), 1, 0, 10)
MANIFEST = Manifest(1, "/jobs/job_1_aaaaaa", "2026-01-01T00:00:00.000Z", True, ROOT, Inventory(1, 100, ()))


def test_a_manifest_comes_back() -> None:
    assert decode_manifest(MANIFEST.encode()) == MANIFEST


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", 2), ("format", "1"), ("ref", "/jobs/../x"), ("ref", ""), ("ref", None), ("created", "yesterday"),
        ("created", "2026-01-01T00:00:00+01:00"), ("complete", 1), ("root", {}), ("inventory", None), ("more", 1),
        ("root.digest", "x"), ("root.digest", "A" * 64),
        ("root.mode", -1), ("root.files", -1), ("root.files", (1 << 64) - 1),
        ("root.span", None), ("root.span.size", BLOB_MAX + 1), ("root.span.offset", BLOB_MAX), ("root.span.size", 0),
        ("root.span.blob", None), ("root.bytes", 1e30), ("inventory.parts", [{"blob": "x", "size": 1}]),
    ],
)  # fmt: skip
def test_a_manifest_that_breaks_the_rules_is_refused(field: str, value: object) -> None:
    raw = msgspec.json.decode(MANIFEST.encode(), type=dict[str, Any])
    *path, last = field.split(".")
    here: dict[str, Any] = raw
    for name in path:
        here = here[name]
    here[last] = value
    with pytest.raises(InvalidFormatError):
        decode_manifest(msgspec.json.encode(raw))


def test_a_newer_format_says_what_is_needed() -> None:
    with pytest.raises(InvalidFormatError, match="format 2; this c3fs reads format 1"):
        decode_manifest(b'{"format": 2, "tree": []}')


@pytest.mark.parametrize("data", [b"", b"{}", b"null", b"\xff", b"[" * 100_000, b" " * (2 << 20), b'{"format": 1}'])
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidFormatError):
        decode_manifest(data)


def test_inventories_come_back_in_parts_that_are_blobs() -> None:
    blobs = {Digest.of(b"%d" % n): n + 1 for n in range(120_000)}
    parts = list(encode_inventory(blobs.items()))
    assert len(parts) > 1
    assert all(len(part) <= BLOB_MAX for part in parts)
    assert dict(row for part in parts for row in decode_inventory(part)) == blobs
    more = list(encode_inventory([*blobs.items(), (Digest.of(b"more"), 5)]))
    assert len(set(more) - set(parts)) == 1


@pytest.mark.parametrize(
    "rows", [[[b"x", 1]], [[BLOB, 0]], [[BLOB, BLOB_MAX + 1]], [[BLOB, 1], [BLOB, 1]], "x", [[BLOB]]]
)
def test_inventories_that_break_the_rules_are_refused(rows: object) -> None:
    with pytest.raises(InvalidFormatError):
        decode_inventory(msgspec.msgpack.encode(rows))
