"""Encodes directories bottom-up, lays them into packs, and knows where each of them lies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from c3fs.core.digest import Digest
from c3fs.core.directory import (
    NOTHING,
    SPANS_MAX,
    Directory,
    DirectoryHasher,
    Entry,
    File,
    IndexRow,
    LongFile,
    Symlink,
    Totals,
    encode_index,
    encode_leaf,
    sum_totals,
    totals_of,
)
from c3fs.core.span import EMPTY_SPAN, Span
from c3fs.core.spanlist import SpanRow, encode_span_index, encode_span_leaf
from c3fs.core.wirespan import SELF, BlobTable, WireSpan
from c3fs.errors import CollectError
from c3fs.publish.leaves import leaf_ends_after, part_ends_after, weight
from c3fs.publish.pack import Pack, Packer


class Place(NamedTuple):
    """Where something was laid; the pack's digest is known when the pack is closed."""

    pack: Pack
    offset: int
    size: int

    def span(self) -> Span:
        assert self.pack.digest is not None, "the pack is still open"
        return Span(self.pack.digest, self.offset, self.size)


class PackedFile(NamedTuple):
    """A file that was read; `place` is None when it is empty."""

    name: bytes
    mode: int
    mtime_ns: int
    size: int
    digest: Digest
    place: Place | None


class ChunkedFile(NamedTuple):
    name: bytes
    mode: int
    mtime_ns: int
    size: int
    digest: Digest
    spans: list[Span]


@dataclass(slots=True)
class Folder:
    """A directory that is being collected; filled in order of name, then encoded once."""

    name: bytes
    mode: int
    mtime_ns: int
    items: list[Item] = field(default_factory=list["Item"])
    place: Place | None = None
    digest: Digest | None = None
    totals: Totals = NOTHING


Item = PackedFile | ChunkedFile | Symlink | Folder


class Part(NamedTuple):
    """A leaf or index that was laid, as the index above it lists it."""

    first: bytes
    entries: int
    totals: Totals
    place: Place


class TreeEncoder:
    """Encodes folders into `packer`; those below a folder come before it."""

    def __init__(self, packer: Packer) -> None:
        self._packer = packer

    def encode(self, folder: Folder) -> None:
        """Lay the folder's leaves and indexes; its items are given up, its place, digest and totals are set."""
        items = [self._settled(item) for item in folder.items]
        folder.items = []
        hasher = DirectoryHasher()
        parts = list(self._leaves(items, hasher))
        folder.totals = sum_totals(part.totals for part in parts)
        folder.digest = hasher.digest()
        while len(parts) > 1:
            parts = list(self._indexes(parts))
        folder.place = parts[0].place if parts else None

    def _leaves(self, items: Sequence[_Settled], hasher: DirectoryHasher) -> Iterator[Part]:
        table, group, entries, heavy = BlobTable(), list[_Settled](), list[Entry](), 0
        for item in items:
            entry = _entry(table, item)
            hasher.add(entry)
            group.append(item)
            entries.append(entry)
            heavy += weight(entry)
            if leaf_ends_after(entry.name, len(entries), heavy):
                yield self._leaf(table, group, entries)
                table, group, entries, heavy = BlobTable(), [], [], 0
        if entries:
            yield self._leaf(table, group, entries)

    def _leaf(self, table: BlobTable, group: list[_Settled], entries: list[Entry]) -> Part:
        def again() -> bytes:
            table = BlobTable()
            return encode_leaf(table, [_entry(table, item) for item in group])

        place = self._lay(entries[0].name, encode_leaf(table, entries), again)
        return Part(entries[0].name, len(entries), sum_totals(map(totals_of, entries)), place)

    def _indexes(self, parts: list[Part]) -> Iterator[Part]:
        group: list[Part] = []
        for part in parts:
            group.append(part)
            if leaf_ends_after(part.first, len(group), 0):
                yield self._index(group)
                group = []
        if group:
            yield self._index(group)

    def _index(self, parts: list[Part]) -> Part:
        """One part alone needs no index above it."""
        if len(parts) == 1:
            return parts[0]

        def encoded() -> bytes:
            table = BlobTable()
            rows = [IndexRow(part.first, part.entries, *part.totals, _wire(table, part.place)) for part in parts]
            return encode_index(table, rows)

        entries = sum(part.entries for part in parts)
        totals = sum_totals(part.totals for part in parts)
        return Part(parts[0].first, entries, totals, self._lay(parts[0].first, encoded(), encoded))

    def _settled(self, item: Item) -> _Settled:
        """Lay what must lie before the leaf is encoded: the span list of a long file."""
        if isinstance(item, ChunkedFile) and len(item.spans) > SPANS_MAX:
            return _LongItem(item, self._span_list(item.spans))
        return item

    def _span_list(self, spans: list[Span]) -> Place:
        parts: list[tuple[int, int, Place]] = []
        group: list[Span] = []
        for number, span in enumerate(spans, start=1):
            group.append(span)
            if part_ends_after(span, len(group)) or number == len(spans):
                data = encode_span_leaf(group)
                place = self._lay(b"", data, lambda data=data: data)
                parts.append((sum(span.size for span in group), len(group), place))
                group = []
        while len(parts) > 1:
            parts = [self._span_index(parts[at : at + SPANS_MAX]) for at in range(0, len(parts), SPANS_MAX)]
        return parts[0][2]

    def _span_index(self, parts: list[tuple[int, int, Place]]) -> tuple[int, int, Place]:
        if len(parts) == 1:
            return parts[0]

        def encoded() -> bytes:
            table = BlobTable()
            return encode_span_index(table, [SpanRow(size, spans, _wire(table, place)) for size, spans, place in parts])

        return sum(part[0] for part in parts), sum(part[1] for part in parts), self._lay(b"", encoded(), encoded)

    def _lay(self, name: bytes, data: bytes, again: Callable[[], bytes]) -> Place:
        """Into the open pack, labelled `name`; or, when it is full, into the next, encoded anew: what lies in the one
        before is then named by its digest and no longer as "this blob"."""
        if not self._packer.fits(len(data)):
            self._packer.close()
            data = again()
        pack, offset = self._packer.add(data[:64], data, Digest.of(data))
        return Place(pack, offset, len(data))


class _LongItem(NamedTuple):
    file: ChunkedFile
    place: Place


_Settled = PackedFile | ChunkedFile | Symlink | Folder | _LongItem


def _wire(table: BlobTable, place: Place) -> WireSpan:
    if place.pack.digest is None:
        return WireSpan(SELF, place.offset, place.size)
    return table.wire(place.span())


def _entry(table: BlobTable, item: _Settled) -> Entry:
    match item:
        case PackedFile(name, mode, mtime_ns, size, digest, place):
            spans = [] if place is None else [table.wire(place.span())]
            return File(name, mode, mtime_ns, size, bytes(digest), spans)
        case ChunkedFile(name, mode, mtime_ns, size, digest, spans):
            return File(name, mode, mtime_ns, size, bytes(digest), [table.wire(span) for span in spans])
        case _LongItem(file, place):
            wire = _wire(table, place)
            return LongFile(file.name, file.mode, file.mtime_ns, file.size, bytes(file.digest), wire, len(file.spans))
        case Symlink():
            return item
        case Folder():
            if item.digest is None:
                raise CollectError(item.name, "its directory was encoded before it")
            wire = table.wire(EMPTY_SPAN) if item.place is None else _wire(table, item.place)
            return Directory(item.name, item.mode, item.mtime_ns, bytes(item.digest), wire, *item.totals)
