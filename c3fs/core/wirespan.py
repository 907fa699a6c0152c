"""Spans as they are encoded: a blob by its number in the node's own list of blobs.

    span   [number of the blob in the list of blobs, or -1 for a hole, or -2 for this blob, offset, size]

Used by both kinds of nodes: those of directories (core.directory) and those of span lists (core.spanlist).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Final

import msgspec

from c3fs.core.digest import SIZE, Buffer, Digest
from c3fs.core.span import BLOB_MAX, FILE_MAX, Span
from c3fs.errors import InvalidFormatError

NODE_MAX: Final = 2 << 20
"""Bytes a node may have. What writers make ends at half of that; a hostile node of this size decodes to some 60 MB."""

HOLE: Final = -1
SELF: Final = -2

RawDigest = Annotated[bytes, msgspec.Meta(min_length=SIZE, max_length=SIZE)]


class Wire(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """Holds no reference cycles, so the garbage collector need not know it."""


class WireSpan(Wire, frozen=True):
    """`blob` is a position in the node's list of blobs, or HOLE, or SELF: the blob that the node lies in."""

    blob: Annotated[int, msgspec.Meta(ge=SELF, lt=1 << 32)]
    offset: Annotated[int, msgspec.Meta(ge=0, le=BLOB_MAX)]
    size: Annotated[int, msgspec.Meta(ge=0, le=FILE_MAX)]


class BlobTable:
    """The list of blobs of one node while it is being made."""

    def __init__(self) -> None:
        self.blobs: list[bytes] = []
        self._numbers: dict[bytes, int] = {}

    def wire(self, span: Span) -> WireSpan:
        if span.blob is None:
            return WireSpan(HOLE, span.offset, span.size)
        number = self._numbers.setdefault(span.blob, len(self.blobs))
        if number == len(self.blobs):
            self.blobs.append(bytes(span.blob))
        return WireSpan(number, span.offset, span.size)


def unwire(blobs: Sequence[bytes], span: WireSpan, own: Digest | None) -> Span:
    """The span with its blob's digest; `span` is of a checked node that lies in the blob `own`."""
    match span.blob:
        case -1:
            return Span(None, span.offset, span.size)
        case -2:
            return Span(own, span.offset, span.size)
        case number:
            return Span(Digest(blobs[number]), span.offset, span.size)


def check_node_size(what: str, data: Buffer) -> None:
    if len(data) > NODE_MAX:
        raise InvalidFormatError(what, f"a node of {len(data)} bytes; {NODE_MAX} are the most")


def check_spans(what: str, spans: Iterable[WireSpan], blobs: int, size: int) -> None:
    """The spans of one file: in range, none empty, none in this blob, and together `size` bytes."""
    covered = 0
    for span in spans:
        check_span(what, span, blobs)
        if span.blob == SELF:
            raise InvalidFormatError(what, "a file's bytes inside the blob of a node")
        if not span.size:
            raise InvalidFormatError(what, "an empty span")
        covered += span.size
    if covered != size:
        raise InvalidFormatError(what, f"spans of {covered} bytes for a file of {size}")


def check_span(what: str, span: WireSpan, blobs: int) -> None:
    if span.blob >= blobs:
        raise InvalidFormatError(what, f"span in blob {span.blob} of {blobs}")
    if span.blob == HOLE:
        if span.offset:
            raise InvalidFormatError(what, "a hole with an offset")
    elif not span.size or span.offset + span.size > BLOB_MAX:
        raise InvalidFormatError(what, "span empty or beyond the end of any blob")
