"""The span list of a file of very many spans: leaves under indexes, so one read decodes one leaf.

    leaf   [0, [blob, …], [span, …]]
    index  [1, [blob, …], [[bytes of the file it covers, spans, span of the part], …]]

Spans are written as c3fs.core.wirespan has it. Where a leaf ends is the writer's business (c3fs.publish.leaves): by
content, so that an insertion near the front of the file changes one leaf and the indexes above it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

from c3fs.core.digest import Buffer
from c3fs.core.span import FILE_MAX, Span
from c3fs.core.wirespan import (
    HOLE,
    BlobTable,
    RawDigest,
    Wire,
    WireSpan,
    check_node_size,
    check_span,
    check_spans,
)
from c3fs.errors import InvalidFormatError

PART_MAX: Final = 1_000
"""Spans in a leaf, or rows in an index. A leaf of 1,000 spans in as many blobs: 45 KB."""

_WHAT: Final = "span list"


class SpanRow(Wire, frozen=True):
    size: Annotated[int, msgspec.Meta(ge=1, le=FILE_MAX)]
    spans: Annotated[int, msgspec.Meta(ge=1, le=FILE_MAX)]
    span: WireSpan


class SpanLeaf(Wire, frozen=True, tag=0):
    blobs: list[RawDigest]
    spans: Annotated[list[WireSpan], msgspec.Meta(min_length=1, max_length=PART_MAX)]


class SpanIndex(Wire, frozen=True, tag=1):
    blobs: list[RawDigest]
    rows: Annotated[list[SpanRow], msgspec.Meta(min_length=2, max_length=PART_MAX)]


_NODE = msgspec.msgpack.Decoder(SpanLeaf | SpanIndex)
_ENCODER = msgspec.msgpack.Encoder()


def encode_span_leaf(spans: Sequence[Span]) -> bytes:
    """Canonical bytes of spans that lie end to end in the file."""
    table = BlobTable()
    wired = [table.wire(span) for span in spans]
    return _ENCODER.encode(SpanLeaf(table.blobs, wired))


def encode_span_index(table: BlobTable, rows: list[SpanRow]) -> bytes:
    """Canonical bytes; the rows' spans made with `table`."""
    return _ENCODER.encode(SpanIndex(table.blobs, rows))


def decode_span_node(data: Buffer, size: int) -> SpanLeaf | SpanIndex:
    """The node that `data` encodes, which must cover `size` bytes; raises InvalidFormatError."""
    check_node_size(_WHAT, data)
    try:
        node = _NODE.decode(data)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidFormatError(_WHAT, str(error)) from error
    if isinstance(node, SpanLeaf):
        check_spans(_WHAT, node.spans, len(node.blobs), size)
    else:
        _check_index(node, size)
    return node


def _check_index(node: SpanIndex, size: int) -> None:
    for row in node.rows:
        check_span(_WHAT, row.span, len(node.blobs))
        if row.span.blob == HOLE:
            raise InvalidFormatError(_WHAT, "an index row that is stored nowhere")
    if sum(row.size for row in node.rows) != size:
        raise InvalidFormatError(_WHAT, f"does not cover the {size} bytes claimed")
