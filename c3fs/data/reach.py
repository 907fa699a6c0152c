"""Which blobs a published tree needs: found out from its directories and span lists alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import trio

from c3fs.core.digest import Buffer, Digest
from c3fs.core.directory import (
    Directory,
    File,
    Index,
    LongFile,
    Totals,
    check_totals,
    decode_node,
    sum_totals,
    totals_of,
)
from c3fs.core.names import DEPTH_MAX
from c3fs.core.span import EMPTY_SPAN, Span
from c3fs.core.spanlist import SpanLeaf, decode_span_node
from c3fs.core.wirespan import unwire
from c3fs.data.walk import Side
from c3fs.errors import InvalidFormatError
from c3fs.fetch.base import SpanReader
from c3fs.fetch.spanmap import LEVELS_MAX as SPAN_LEVELS_MAX
from c3fs.vfs.tree import LEVELS_MAX, DirectoryFacts, Tree


async def reach(tree: Tree, top: Side) -> set[Digest]:
    """Every blob that what is at `top` needs: contents, span lists, directories. Reads directories and span lists only.

    Raises what `SpanReader.read_span` does, and InvalidFormatError.
    """
    blobs: set[Digest] = set()
    await add_reach(tree.reader, [need_of(top)], blobs)
    return blobs


class Need(NamedTuple):
    """What is still to be looked at: a node of a directory, of which `totals` are claimed, or of a span list of
    `size` bytes of a file; and `spans` that need no look.

    `depth` counts directories from the top of the tree, `level` nodes from the top of the directory or list.
    """

    span: Span
    totals: Totals | None = None
    size: int = 0
    depth: int = 0
    level: int = 0
    spans: tuple[Span, ...] = ()


def need_of(side: Side) -> Need:
    if isinstance(side, DirectoryFacts):
        return Need(side.span, side.totals, depth=side.depth)
    entry = side.entry
    match entry:
        case Directory():
            return need_of(side.facts())
        case LongFile():
            return Need(side.part.span(entry.span), size=entry.size)
        case File():
            return Need(EMPTY_SPAN, spans=tuple([side.part.span(span) for span in entry.spans]))
        case _:
            return Need(EMPTY_SPAN)


async def add_reach(reader: SpanReader, needs: Iterable[Need], blobs: set[Digest]) -> None:
    """Add what `needs` reach to `blobs`. In the order of a walk, which is that in which directories were packed.

    What waits is one leaf's directories, or one index's rows, a level.
    """
    waiting = list(needs)[::-1]
    while waiting:
        need = waiting.pop()
        blobs.update(span.blob for span in need.spans if span.blob is not None)
        if need.span.blob is None:
            continue
        await trio.lowlevel.checkpoint()
        data = await reader.read_span(need.span)
        blobs.add(need.span.blob)
        below = _of_list(need, data, blobs) if need.totals is None else _of_directory(need, need.totals, data, blobs)
        waiting += below[::-1]


def _of_directory(need: Need, claimed: Totals, data: Buffer, blobs: set[Digest]) -> list[Need]:
    """Totals shrink on the way down, so no chain of nodes is endless."""
    if need.depth > DEPTH_MAX:
        raise InvalidFormatError("directory", f"deeper than {DEPTH_MAX} directories")
    if need.level > LEVELS_MAX:
        raise InvalidFormatError("directory", f"deeper than {LEVELS_MAX} indexes")
    node = decode_node(data)
    own = need.span.blob
    if isinstance(node, Index):
        totals = [Totals(row.files, row.directories, row.bytes) for row in node.rows]
        check_totals(sum_totals(totals), claimed)
        spans = [unwire(node.blobs, row.span, own) for row in node.rows]
        deeper = need.level + 1
        return [Need(*about, depth=need.depth, level=deeper) for about in zip(spans, totals, strict=True)]
    check_totals(sum_totals(map(totals_of, node.entries)), claimed)
    files = [entry.spans for entry in node.entries if isinstance(entry, File)]
    _add_named(node.blobs, {span.blob for spans in files for span in spans}, blobs)
    return [
        need_of_entry(entry, unwire(node.blobs, entry.span, own), need.depth + 1)
        for entry in node.entries
        if isinstance(entry, Directory | LongFile)
    ]


def need_of_entry(entry: Directory | LongFile, span: Span, depth: int) -> Need:
    """`span` is that of the directory's encoding, or of the span list; `depth` that of the entry."""
    if isinstance(entry, LongFile):
        return Need(span, size=entry.size)
    return Need(span, Totals(entry.files, entry.directories, entry.bytes), depth=depth)


def _of_list(need: Need, data: Buffer, blobs: set[Digest]) -> list[Need]:
    if need.level > SPAN_LEVELS_MAX:
        raise InvalidFormatError("span list", f"deeper than {SPAN_LEVELS_MAX} indexes")
    node = decode_span_node(data, need.size)
    if isinstance(node, SpanLeaf):
        _add_named(node.blobs, {span.blob for span in node.spans}, blobs)
        return []
    deeper = need.level + 1
    return [Need(unwire(node.blobs, row.span, need.span.blob), size=row.size, level=deeper) for row in node.rows]


def _add_named(table: Sequence[bytes], numbers: set[int], blobs: set[Digest]) -> None:
    """Those of the node's blobs that a span names, which holes do not."""
    blobs.update(Digest(table[number]) for number in numbers if number >= 0)
