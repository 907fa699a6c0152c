"""Where a leaf of a directory, or of a span list, ends: by content, so that one change stays one change.

The rules are the writer's own: a reader takes any cutting that keeps the bounds of c3fs.core. But change one and every
large directory is stored anew.
"""

from __future__ import annotations

from typing import Final

from c3fs.core.digest import SIZE, Digest
from c3fs.core.directory import LEAF_MAX, SPANS_MAX, File, Symlink
from c3fs.core.span import Span
from c3fs.core.spanlist import PART_MAX
from c3fs.publish.items import ChunkedFile, Folder, Item, Kept, PackedFile

LEAF_MIN: Final = 1_000
_LEAF_CUT: Final = 0x3FF
"""A leaf of LEAF_MIN entries ends after a name whose digest ends in ten zero bits: every 1,024th."""
LEAF_WEIGHT_MAX: Final = 1 << 20
"""A leaf also ends when its entries come to a MiB: a thousand long names, targets or lists of spans must not make one
look-up load something large."""
PART_MIN: Final = 250
_PART_CUT: Final = 0xFF
"""A leaf of PART_MIN spans ends after a chunk whose digest ends in eight zero bits: every 256th."""

_SPAN_WEIGHT: Final = SIZE + 20


def weight(item: Item) -> int:
    """About the bytes the item adds to a leaf; never less, blobs of its own included."""
    match item:
        case PackedFile():
            return 96 + len(item.name) + _SPAN_WEIGHT
        case ChunkedFile() if len(item.spans) <= SPANS_MAX:
            return 96 + len(item.name) + _SPAN_WEIGHT * len(item.spans)
        case Kept(File()):  # as when it was collected, so that leaves end where they did
            return 96 + len(item.name) + _SPAN_WEIGHT * max(len(item.spans), 1)
        case Kept(Symlink() as link):
            return 96 + len(link.name) + len(link.target)
        case Symlink():
            return 96 + len(item.name) + len(item.target)
        case ChunkedFile() | Folder() | Kept():
            return 160 + len(item.name)


def leaf_ends_after(name: bytes, entries: int, weight: int) -> bool:
    """Whether a leaf (or index) of `entries` entries (or rows) that weigh `weight`, the last called `name` (or
    beginning with it), ends there."""
    if entries >= LEAF_MAX or weight >= LEAF_WEIGHT_MAX:
        return True
    return entries >= LEAF_MIN and int.from_bytes(Digest.of(name)[-2:]) & _LEAF_CUT == 0


def span_leaf_ends_after(span: Span, spans: int) -> bool:
    """Whether a leaf of `spans` spans, the last being `span`, ends there."""
    if spans < PART_MIN:
        return False
    return spans >= PART_MAX or (span.blob is not None and span.blob[-1] & _PART_CUT == 0)
