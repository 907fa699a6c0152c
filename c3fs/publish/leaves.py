"""Where a leaf of a directory, or a part of a span list, ends: by content, so that one change stays one change.

The rules are the writer's own: a reader takes any cutting that keeps the bounds of c3fs.core.
"""

from __future__ import annotations

from typing import Final

from c3fs.core.digest import SIZE, Digest
from c3fs.core.directory import LEAF_MAX, Directory, Entry, File, LongFile, Symlink
from c3fs.core.span import Span
from c3fs.core.spanlist import PART_MAX

LEAF_MIN: Final = 1_000
_LEAF_CUT: Final = 0x3FF
"""A leaf of LEAF_MIN entries ends after a name whose digest ends in ten zero bits: every 1,024th."""
LEAF_WEIGHT_MAX: Final = 1 << 20
"""A leaf also ends when its entries come to a MiB: a thousand long names, targets or lists of spans must not make one
look-up load something large."""
PART_MIN: Final = 250
_PART_CUT: Final = 0xFF


def weight(entry: Entry) -> int:
    """About the bytes the entry adds to a leaf; never less, blobs of its own included."""
    match entry:
        case File():
            return 96 + len(entry.name) + (SIZE + 20) * len(entry.spans)
        case Symlink():
            return 96 + len(entry.name) + len(entry.target)
        case Directory() | LongFile():
            return 160 + len(entry.name)


def leaf_ends_after(name: bytes, entries: int, weight: int) -> bool:
    """Whether a leaf (or index) of `entries` entries (or rows) that weigh `weight`, the last called `name` (or
    beginning with it), ends there."""
    if entries >= LEAF_MAX or weight >= LEAF_WEIGHT_MAX:
        return True
    return entries >= LEAF_MIN and int.from_bytes(Digest.of(name)[-2:]) & _LEAF_CUT == 0


def part_ends_after(span: Span, spans: int) -> bool:
    """Whether a part of `spans` spans, the last being `span`, ends there."""
    if spans < PART_MIN:
        return False
    return spans >= PART_MAX or (span.blob is not None and span.blob[-1] & _PART_CUT == 0)
