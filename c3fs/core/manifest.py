"""The manifest: the small JSON record of one published tree.

    {"format": 1, "ref": "/jobs/job_…", "created": "2026-11-23T10:00:00.000Z", "complete": true,
     "root": {"digest": "…", "mode": 493, "mtime_ns": …, "span": {"blob": "…", "offset": 0, "size": 812},
              "files": 20000, "directories": 12, "bytes": 81920000},
     "inventory": {"blobs": 57, "bytes": 83558400, "parts": [{"blob": "…", "size": 2052}]}}

`root` is what a directory entry says of a directory, for the top of the tree. The inventory names every other
blob the tree needs, with its size; it is kept in blobs of its own ("parts", nearly always one), so the
manifest stays a few hundred bytes. A mount reads no inventory: only the ledger and gc do.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Annotated, Final

import msgspec

from c3fs.core.digest import SIZE, Buffer, Digest
from c3fs.core.ref import parse_ref
from c3fs.core.span import BLOB_MAX, EMPTY_SPAN, FILE_MAX, Span
from c3fs.errors import InvalidFormatError, InvalidRefError

FORMAT: Final = 1
MANIFEST_MAX: Final = 1 << 20
"""Bytes of JSON a manifest may have. A part of its inventory takes 90 of them, and names some 50,000 blobs."""

Hex = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Count = Annotated[int, msgspec.Meta(ge=0, le=FILE_MAX)]
BlobSize = Annotated[int, msgspec.Meta(ge=0, le=BLOB_MAX)]
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z\Z", re.ASCII)


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class SpanRecord(_Record, frozen=True):
    """A span as JSON has it; `blob` null with size 0 is the empty directory's."""

    blob: Hex | None
    offset: BlobSize
    size: BlobSize


class Root(_Record, frozen=True):
    digest: Hex
    mode: Annotated[int, msgspec.Meta(ge=0, le=0o7777)]
    mtime_ns: Annotated[int, msgspec.Meta(ge=-FILE_MAX, le=FILE_MAX)]
    span: SpanRecord
    files: Count
    directories: Count
    bytes: Count

    def to_span(self) -> Span:
        record = self.span
        return EMPTY_SPAN if record.blob is None else Span(Digest.parse(record.blob), record.offset, record.size)


class Part(_Record, frozen=True):
    blob: Hex
    size: Annotated[int, msgspec.Meta(ge=1, le=BLOB_MAX)]


class Inventory(_Record, frozen=True):
    """`blobs` and `bytes` count what the parts list, not the parts themselves."""

    blobs: Count
    bytes: Count
    parts: tuple[Part, ...]


class Manifest(_Record, frozen=True):
    format: int
    ref: str
    created: str
    complete: bool
    root: Root
    inventory: Inventory

    def encode(self) -> bytes:
        """Its JSON, on one line."""
        return msgspec.json.encode(self)


class _Version(msgspec.Struct):
    """What every format has: enough to say that a newer c3fs is needed."""

    format: int


def root_span(span: Span) -> SpanRecord:
    return SpanRecord(None if span.blob is None else str(span.blob), span.offset, span.size)


def decode_manifest(data: bytes | str) -> Manifest:
    """The manifest that `data` spells, checked; raises InvalidFormatError."""
    if len(data) > MANIFEST_MAX:
        raise InvalidFormatError("manifest", f"longer than {MANIFEST_MAX} bytes")
    try:
        version = msgspec.json.decode(data, type=_Version).format
        if version != FORMAT:
            raise InvalidFormatError("manifest", f"format {version}; this c3fs reads format {FORMAT}")
        manifest = msgspec.json.decode(data, type=Manifest)
        parse_ref(manifest.ref)
    except (msgspec.MsgspecError, UnicodeError, InvalidRefError, RecursionError) as error:
        raise InvalidFormatError("manifest", str(error)) from error
    _check(manifest)
    return manifest


def _check(manifest: Manifest) -> None:
    if not _is_time(manifest.created):
        raise InvalidFormatError("manifest", f"created is not a time in UTC: {manifest.created[:40]!r}")
    root, span = manifest.root, manifest.root.span
    empty = span.blob is None
    if span.offset + span.size > BLOB_MAX or empty != (span.size == 0) or (empty and span.offset):
        raise InvalidFormatError("manifest", "the root's span is out of range")
    if empty and (root.files or root.directories or root.bytes):
        raise InvalidFormatError("manifest", "a root that is stored nowhere is not empty")


def _is_time(text: str) -> bool:
    if not _TIME.match(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


# --- the inventory: [digest, size] of every blob, sorted by digest, as msgpack ----------------------------


class InventoryRow(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    digest: Annotated[bytes, msgspec.Meta(min_length=SIZE, max_length=SIZE)]
    size: Annotated[int, msgspec.Meta(ge=1, le=BLOB_MAX)]


_ROWS = msgspec.msgpack.Decoder(list[InventoryRow])
_PART_MIN: Final = 32_768
_PART_MAX: Final = 98_304
"""Rows in a part: at most 98,304 x 40 bytes, which is under BLOB_MAX."""


def encode_inventory(blobs: Iterable[tuple[Digest, int]]) -> Iterator[bytes]:
    """The parts of the inventory, cut by content so that neighbouring inventories share parts."""
    rows: list[InventoryRow] = []
    for digest, size in sorted(blobs):
        rows.append(InventoryRow(bytes(digest), size))
        if len(rows) >= _PART_MAX or (len(rows) >= _PART_MIN and digest[-1] == 0 and digest[-2] < 4):
            yield msgspec.msgpack.encode(rows)
            rows = []
    if rows:
        yield msgspec.msgpack.encode(rows)


def decode_inventory(part: Buffer) -> list[tuple[Digest, int]]:
    """The (digest, size) rows of one part; raises InvalidFormatError."""
    try:
        rows = _ROWS.decode(part)
    except msgspec.MsgspecError as error:
        raise InvalidFormatError("inventory", str(error)) from error
    if any(a.digest >= b.digest for a, b in itertools.pairwise(rows)):
        raise InvalidFormatError("inventory", "its rows are not sorted")
    return [(Digest(row.digest), row.size) for row in rows]
