"""Encodes directories bottom-up while they are collected, lays them into packs, and knows where each of them lies.

A leaf can be encoded when the packs of its files are closed, and the directories in it are encoded. Both happen in the
order of the walk, so leaves wait in one queue, and the first that cannot be encoded stops it. What waits is what lies
in the open pack: a few thousand files as a rule, 260,000 of 16 bytes at the most. So the memory a tree takes does not
grow with it: a million entries leave some 500 parts of an index behind.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from typing import Final, TypeGuard

from c3fs.core.digest import Digest
from c3fs.core.directory import (
    SPANS_MAX,
    Directory,
    Entry,
    File,
    IndexRow,
    LongFile,
    Symlink,
    encode_index,
    encode_leaf,
    sum_totals,
    totals_of,
    with_spans,
)
from c3fs.core.span import EMPTY_SPAN, Span
from c3fs.core.spanlist import PART_MAX, SpanRow, encode_span_index, encode_span_leaf
from c3fs.core.wirespan import SELF, BlobTable, WireSpan
from c3fs.publish.items import ChunkedFile, Folder, Item, Kept, PackedFile, Part, Place, StoredLeaf, needs
from c3fs.publish.leaves import leaf_ends_after, span_leaf_ends_after, weight
from c3fs.publish.pack import Pack, Packer, label

NOTHING_LOST: Final[Set[Digest]] = frozenset()


@dataclass(slots=True)
class _Filling:
    """The leaf of a folder that is being filled. `pack` is the one its last small file lies in."""

    folder: Folder
    items: list[Item] = field(default_factory=list["Item"])
    weight: int = 0
    pack: Pack | None = None
    last: bool = False

    @property
    def ready(self) -> bool:
        return self.pack is None or self.pack.digest is not None


class TreeEncoder:
    """Lays the nodes of a tree into `packer`, in an order that depends on the tree alone.

    Folders are begun and ended as a walk in order of name enters and leaves them; a folder that ends is an item of the
    one around it. With `wait` nothing is encoded before `finish`.

    A leaf that comes to be just what a stored one is, is not laid again: `kept` are the blobs that such leaves lie in.
    """

    def __init__(self, packer: Packer, *, wait: bool = False) -> None:
        self._packer = packer
        self._wait = wait
        self._open: list[_Filling] = []
        self._queue: deque[_Filling] = deque()
        self.kept: set[Digest] = set()

    def __repr__(self) -> str:
        return f"<TreeEncoder {len(self._open)} folders open, {len(self._queue)} leaves wait>"

    def begin(self, folder: Folder) -> None:
        self._open.append(_Filling(folder))

    def add(self, item: Item) -> None:
        """The next entry of the folder that was begun last."""
        leaf = self._open[-1]
        leaf.items.append(item)
        leaf.weight += weight(item)
        if isinstance(item, PackedFile) and item.pack is not None:
            leaf.pack = item.pack
        if leaf_ends_after(item.name, len(leaf.items), leaf.weight):
            self._open[-1] = _Filling(leaf.folder)
            self._push(leaf)

    def end(self) -> None:
        """End the folder that was begun last."""
        leaf = self._open.pop()
        leaf.last = True
        self._push(leaf)
        if self._open:
            self.add(leaf.folder)

    def finish(self, lost: Set[Digest] = NOTHING_LOST) -> list[bytes]:
        """Encode all that is left, the packs of files being closed. Files that need one of the blobs in `lost` are left
        out, and named in the answer."""
        without: list[bytes] = []
        while self._queue:
            leaf = self._queue[0]
            if lost:
                without += [label(leaf.folder.name, item.name) for item in leaf.items if needs(item, lost)]
                leaf.items = [item for item in leaf.items if not needs(item, lost)]
            self._encode_first()
        self._packer.close()
        return without

    def _push(self, leaf: _Filling) -> None:
        self._queue.append(leaf)
        while not self._wait and self._queue and self._queue[0].ready:
            self._encode_first()

    def _encode_first(self) -> None:
        leaf = self._queue.popleft()
        folder = leaf.folder
        if leaf.items:
            folder.parts.append(self._leaf(folder, leaf.items))
        if leaf.last:
            folder.totals = sum_totals(part.totals for part in folder.parts)
            while len(folder.parts) > 1:
                folder.parts = self._indexes(folder)

    def _leaf(self, folder: Folder, items: Sequence[Item]) -> Part:
        stored = items[0].leaf if isinstance(items[0], Kept) else None
        if stored is not None and _are_all_of(items, stored):
            return self._kept_leaf(folder, items, stored)
        lists = [self._span_list(item) if _is_long(item) else None for item in items]

        def made() -> tuple[BlobTable, list[Entry]]:
            table = BlobTable()
            return table, [_entry(table, item, place) for item, place in zip(items, lists, strict=True)]

        table, entries = made()
        for entry in entries:
            folder.hasher.add(entry)
        here = label(folder.name, items[0].name)
        place = self._lay(here, encode_leaf(table, entries), lambda: encode_leaf(*made()))
        return Part(items[0].name, len(items), sum_totals(map(totals_of, entries)), place)

    def _kept_leaf(self, folder: Folder, items: Sequence[Kept], leaf: StoredLeaf) -> Part:
        blob, offset, size = leaf.span
        assert blob is not None
        self.kept.add(blob)
        pack = Pack()
        pack.digest = blob
        entries = [item.entry for item in items]
        for entry in entries:
            folder.hasher.add(entry)
        return Part(items[0].name, len(items), sum_totals(map(totals_of, entries)), Place(pack, offset, size))

    def _indexes(self, folder: Folder) -> list[Part]:
        made: list[Part] = []
        group: list[Part] = []
        for number, part in enumerate(folder.parts, start=1):
            group.append(part)
            if leaf_ends_after(part.first, len(group), 0) or number == len(folder.parts):
                made.append(self._index(folder, group))
                group = []
        return made

    def _index(self, folder: Folder, parts: list[Part]) -> Part:
        """One part alone needs no index above it."""
        if len(parts) == 1:
            return parts[0]

        def encoded() -> bytes:
            table = BlobTable()
            rows = [IndexRow(part.first, part.entries, *part.totals, _wire(table, part.place)) for part in parts]
            return encode_index(table, rows)

        first, entries = parts[0].first, sum(part.entries for part in parts)
        place = self._lay(label(folder.name, first), encoded(), encoded)
        return Part(first, entries, sum_totals(part.totals for part in parts), place)

    def _span_list(self, file: ChunkedFile) -> Place:
        parts: list[tuple[int, int, Place]] = []
        group: list[Span] = []
        for number, span in enumerate(file.spans, start=1):
            group.append(span)
            if span_leaf_ends_after(span, len(group)) or number == len(file.spans):
                data = encode_span_leaf(group)
                place = self._lay(data, data, lambda data=data: data)
                parts.append((sum(span.size for span in group), len(group), place))
                group = []
        while len(parts) > 1:
            parts = [self._span_index(file, parts[at : at + PART_MAX]) for at in range(0, len(parts), PART_MAX)]
        return parts[0][2]

    def _span_index(self, file: ChunkedFile, parts: list[tuple[int, int, Place]]) -> tuple[int, int, Place]:
        if len(parts) == 1:
            return parts[0]

        def encoded() -> bytes:
            table = BlobTable()
            return encode_span_index(table, [SpanRow(size, spans, _wire(table, place)) for size, spans, place in parts])

        place = self._lay(file.name, encoded(), encoded)
        return sum(part[0] for part in parts), sum(part[1] for part in parts), place

    def _lay(self, label: bytes, data: bytes, again: Callable[[], bytes]) -> Place:
        """Into the open pack; or, when it is full, into the next, encoded anew: what lies in the one before is
        then named by its digest and no longer as "this blob"."""
        if not self._packer.fits(len(data)):
            self._packer.close()
            data = again()
        pack, offset = self._packer.add(label, data, Digest.of(data))
        return Place(pack, offset, len(data))


def _is_long(item: Item) -> TypeGuard[ChunkedFile]:
    """Whether its spans are too many for a file entry."""
    return isinstance(item, ChunkedFile) and len(item.spans) > SPANS_MAX


def _are_all_of(items: Sequence[Item], leaf: StoredLeaf) -> TypeGuard[Sequence[Kept]]:
    """Whether these are the leaf's entries, all of them and no others."""
    return leaf.entries == len(items) and all(isinstance(item, Kept) and item.leaf is leaf for item in items)


def _wire(table: BlobTable, place: Place) -> WireSpan:
    """An open pack is the one that is being laid into now."""
    if place.pack.digest is None:
        return WireSpan(SELF, place.offset, place.size)
    return table.wire(place.span())


def _entry(table: BlobTable, item: Item, span_list: Place | None) -> Entry:
    match item:
        case PackedFile() | ChunkedFile() if span_list is None:
            spans = [table.wire(span) for span in item.spans]
            return File(item.name, item.mode, item.mtime_ns, item.size, bytes(item.digest), spans)
        case ChunkedFile(name, mode, mtime_ns, size, digest, spans) if span_list is not None:
            return LongFile(name, mode, mtime_ns, size, bytes(digest), _wire(table, span_list), len(spans))
        case Kept():
            return with_spans(item.entry, [table.wire(span) for span in item.spans])
        case Folder():
            span = table.wire(EMPTY_SPAN) if item.place is None else _wire(table, item.place)
            return Directory(item.name, item.mode, item.mtime_ns, bytes(item.hasher.digest()), span, *item.totals)
        case _:
            assert isinstance(item, Symlink), item
            return item
