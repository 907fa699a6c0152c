"""The span list of a file of very many spans: leaves under indexes, so one read decodes one leaf.

    leaf   [0, [blob, …], [span, …]]
    index  [1, [blob, …], [[bytes of the file it covers, spans, span of the part], …]]

Blobs and spans are written as in c3fs.core.directory. Parts are cut by content, after a chunk whose digest
says so, so that an insertion near the front of the file changes one leaf and the indexes above it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

from c3fs.core.digest import SIZE, Buffer
from c3fs.core.directory import HOLE, BlobTable, WireSpan, check_span, check_spans
from c3fs.core.span import FILE_MAX, Span
from c3fs.errors import InvalidFormatError

PART_MIN: Final = 250
PART_MAX: Final = 1_000
"""Spans in a leaf, or rows in an index, but for the last. A leaf of 1,000 spans in as many blobs: 45 KB."""
_PART_CUT: Final = 0xFF

_Raw = Annotated[bytes, msgspec.Meta(min_length=SIZE, max_length=SIZE)]


class _Wire(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    pass


class SpanRow(_Wire, frozen=True):
    size: Annotated[int, msgspec.Meta(ge=1, le=FILE_MAX)]
    spans: Annotated[int, msgspec.Meta(ge=1, le=FILE_MAX)]
    span: WireSpan


class SpanLeaf(_Wire, frozen=True, tag=0):
    blobs: list[_Raw]
    spans: list[WireSpan]


class SpanIndex(_Wire, frozen=True, tag=1):
    blobs: list[_Raw]
    rows: list[SpanRow]


_NODE = msgspec.msgpack.Decoder(SpanLeaf | SpanIndex)
_ENCODER = msgspec.msgpack.Encoder()


def part_ends_after(span: Span, spans: int) -> bool:
    """Whether a part of `spans` spans or rows, the last being `span`, ends there."""
    if spans < PART_MIN:
        return False
    return spans >= PART_MAX or (span.blob is not None and span.blob[-1] & _PART_CUT == 0)


def encode_span_leaf(spans: Sequence[Span]) -> bytes:
    table = BlobTable()
    wired = [table.wire(span) for span in spans]
    return _ENCODER.encode(SpanLeaf(table.blobs, wired))


def encode_span_index(table: BlobTable, rows: list[SpanRow]) -> bytes:
    """Canonical bytes; the rows' spans made with `table`."""
    return _ENCODER.encode(SpanIndex(table.blobs, rows))


def decode_span_node(data: Buffer, size: int) -> SpanLeaf | SpanIndex:
    """The node that `data` encodes, which must cover `size` bytes; raises InvalidFormatError."""
    try:
        node = _NODE.decode(data)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidFormatError("span list", str(error)) from error
    if isinstance(node, SpanLeaf):
        if not node.spans or len(node.spans) > PART_MAX:
            raise InvalidFormatError("span list", f"a leaf of {len(node.spans)} spans")
        check_spans(node.spans, len(node.blobs), size)
    else:
        _check_index(node, size)
    return node


def _check_index(node: SpanIndex, size: int) -> None:
    if not 2 <= len(node.rows) <= PART_MAX:
        raise InvalidFormatError("span list", f"an index of {len(node.rows)} rows")
    for row in node.rows:
        check_span(row.span, len(node.blobs))
        if row.span.blob == HOLE:
            raise InvalidFormatError("span list", "an index row that is stored nowhere")
    if sum(row.size for row in node.rows) != size:
        raise InvalidFormatError("span list", f"does not cover the {size} bytes claimed")
