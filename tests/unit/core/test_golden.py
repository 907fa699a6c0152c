"""Format 1, byte for byte: what these say never changes, for what is published stays readable and is found again."""

from __future__ import annotations

from c3fs.core.digest import Digest
from c3fs.core.directory import (
    Directory,
    DirectoryHasher,
    File,
    IndexRow,
    LongFile,
    Symlink,
    decode_node,
    encode_index,
    encode_leaf,
)
from c3fs.core.manifest import Inventory, Manifest, Part, Root, SpanRecord, decode_manifest, encode_inventory
from c3fs.core.span import Span
from c3fs.core.spanlist import SpanRow, encode_span_index, encode_span_leaf
from c3fs.core.wirespan import SELF, BlobTable, WireSpan

MTIME = 1_700_000_000_123_456_789
PACK, CHUNK, CONTENT = Digest.of(b"pack"), Digest.of(b"chunk"), Digest.of(b"content")
TABLE = BlobTable()
ENTRIES = [
    Directory(b"dir", 0o755, MTIME, bytes(CONTENT), WireSpan(SELF, 0, 77), 3, 1, 4096),
    File(b"empty", 0o600, -1, 0, bytes(Digest.of(b"")), []),
    File(b"large\xff", 0o4755, 0, 6_000_000, bytes(CONTENT),
         [TABLE.wire(Span(CHUNK, 0, 4_000_000)), TABLE.wire(Span(None, 0, 2_000_000))]),
    Symlink(b"link", MTIME, b"../dir"),
    LongFile(b"long", 0o644, MTIME, 5 << 40, bytes(CONTENT), TABLE.wire(Span(PACK, 7, 300)), 2_000_000),
    File(b"small", 0o644, MTIME, 10, bytes(CONTENT), [TABLE.wire(Span(PACK, 4_194_294, 10))]),
]  # fmt: skip


def digest_of(data: bytes) -> str:
    return str(Digest.of(data))


def test_a_leaf() -> None:
    data = encode_leaf(TABLE, [*ENTRIES])
    assert data[:3].hex() == "930092"
    assert len(data) == 417
    assert digest_of(data) == "9aa6e127aeffe5c570e3a04c5997d11a576297637dba8401ebf871d88996fd7b"
    assert decode_node(data)


def test_the_digest_of_a_directory_is_that_of_names_kinds_modes_and_contents() -> None:
    hasher = DirectoryHasher()
    for entry in ENTRIES:
        hasher.add(entry)
    assert str(hasher.digest()) == "14f4fe6a95850115ef939405e3870eb14023b39a95655e7215b5bb10b7e5c946"


def test_an_index() -> None:
    table = BlobTable()
    rows = [IndexRow(b"a", 2, 1, 1, 5, WireSpan(SELF, 0, 9)), IndexRow(b"b", 1, 1, 0, 6, table.wire(Span(PACK, 9, 9)))]
    assert encode_index(table, rows).hex() == (
        "930191c420" + PACK.hex() + "9296c401610201010593fe000996c401620101000693000909"
    )


def test_a_span_list() -> None:
    leaf = encode_span_leaf([Span(CHUNK, 0, 70_000), Span(None, 0, 5 << 32), Span(CHUNK, 0, 70_000)])
    assert leaf.hex() == ("930091c420" + CHUNK.hex() + "93930000ce0001117093ff00cf0000000500000000930000ce00011170")
    table = BlobTable()
    rows = [SpanRow(9, 1, WireSpan(SELF, 0, 5)), SpanRow(1 << 40, 500, table.wire(Span(PACK, 5, 5)))]
    assert encode_span_index(table, rows).hex() == (
        "930191c420" + PACK.hex() + "9293090193fe000593cf0000010000000000cd01f493000505"
    )


def test_an_inventory() -> None:
    (part,) = encode_inventory([(PACK, 2_500_000), (CHUNK, 40)])
    assert part.hex() == "9292c420" + CHUNK.hex() + "2892c420" + PACK.hex() + "ce002625a0"


def test_a_manifest() -> None:
    root = Root(str(CONTENT), 0o755, MTIME, SpanRecord(str(PACK), 5, 812), 20_000, 12, 81_920_000)
    inventory = Inventory(57, 83_558_400, (Part(str(CHUNK), 2_052),))
    manifest = Manifest(1, "/jobs/job_1_aaaaaa", "2026-11-23T10:00:00.000Z", True, root, inventory)
    data = manifest.encode()
    assert digest_of(data) == "2c53cd8eb4a11eda8e76ca4a7cb2c076dc8b3386e3b4237836f23cfffbcda7c7"
    assert decode_manifest(data) == manifest
