"""Encodes a tree given as nested dicts straight into a store: the format without the publisher.

    {b"dir": {b"file": b"content"}, b"link": Link(b"dir/file"), b"holes": Holes(…)}

Leaves are cut every `leaf` entries and indexes every `fan` rows, so that few entries make a deep directory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from c3fs.core.digest import Digest
from c3fs.core.directory import (
    Directory,
    DirectoryHasher,
    Entry,
    File,
    IndexRow,
    Symlink,
    Totals,
    encode_index,
    encode_leaf,
    sum_totals,
    totals_of,
)
from c3fs.core.manifest import Root, root_span
from c3fs.core.span import EMPTY_SPAN, Span
from c3fs.core.wirespan import BlobTable
from tests.support.blobs import SteeredStore

MTIME: Final = 1_700_000_000_123_456_789


@dataclass(frozen=True)
class Link:
    target: bytes


@dataclass(frozen=True)
class Holes:
    """A file of these spans; its digest is not looked at."""

    spans: tuple[Span, ...]


Content = bytes | Link | Holes
Source = Mapping[bytes, "Content | Source"]


class Encoder:
    def __init__(self, store: SteeredStore, leaf: int = 1000, fan: int = 1000) -> None:
        self._store = store
        self._leaf = leaf
        self._fan = fan

    def root(self, source: Source) -> Root:
        span, totals, digest = self.directory(source)
        return Root(str(digest), 0o755, MTIME, root_span(span), *totals)

    def directory(self, source: Source) -> tuple[Span, Totals, Digest]:
        hasher = DirectoryHasher()
        names = sorted(source)
        parts: list[tuple[bytes, int, Totals, Span]] = []
        for at in range(0, len(names), self._leaf):
            table = BlobTable()
            entries = [self._entry(table, name, source[name]) for name in names[at : at + self._leaf]]
            for entry in entries:
                hasher.add(entry)
            span = self._store.span(encode_leaf(table, entries))
            parts.append((names[at], len(entries), sum_totals(map(totals_of, entries)), span))
        totals = sum_totals(part[2] for part in parts)
        while len(parts) > 1:
            parts = [self._index(parts[at : at + self._fan]) for at in range(0, len(parts), self._fan)]
        return parts[0][3] if parts else EMPTY_SPAN, totals, hasher.digest()

    def _index(self, parts: list[tuple[bytes, int, Totals, Span]]) -> tuple[bytes, int, Totals, Span]:
        if len(parts) == 1:
            return parts[0]
        table = BlobTable()
        rows = [IndexRow(first, entries, *totals, table.wire(span)) for first, entries, totals, span in parts]
        span = self._store.span(encode_index(table, rows))
        return parts[0][0], sum(part[1] for part in parts), sum_totals(part[2] for part in parts), span

    def _entry(self, table: BlobTable, name: bytes, what: Content | Source) -> Entry:
        match what:
            case bytes():
                spans = [table.wire(self._store.span(what))] if what else []
                return File(name, 0o644, MTIME, len(what), bytes(Digest.of(what)), spans)
            case Link(target):
                return Symlink(name, MTIME, target)
            case Holes(parts):
                wired = [table.wire(span) for span in parts]
                size = sum(span.size for span in parts)
                return File(name, 0o600, MTIME, size, bytes(Digest.of(name)), wired)
            case _:
                span, totals, digest = self.directory(what)
                return Directory(name, 0o755, MTIME, bytes(digest), table.wire(span), *totals)
