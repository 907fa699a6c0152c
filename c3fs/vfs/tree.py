"""A published tree: directories by number, entries by name and by position, loaded when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from c3fs.core.digest import Digest
from c3fs.core.directory import Directory, Entry, Index, Leaf, Totals, check_totals, decode_node
from c3fs.core.manifest import Root
from c3fs.core.names import DEPTH_MAX
from c3fs.core.span import Span
from c3fs.errors import InvalidFormatError, NotDirectoryError, PathNotFoundError
from c3fs.fetch.base import SpanReader
from c3fs.vfs.lru import Lru
from c3fs.vfs.parts import IndexPart, LeafPart, Part

PARTS_WEIGHT: Final = 60_000
"""Entries and blobs of decoded parts to keep: some 25 MB, for an entry with name, digest and span is 400 bytes."""
FACTS_MAX: Final = 10_000
"""Directories whose facts are kept: 3 MB."""
LEVELS_MAX: Final = 3
"""Indexes above a leaf; two address 16 million entries, the most a directory may have."""
DIRECTORIES_MAX: Final = 1 << 38
"""Directories of one tree: their numbers share 64 bits of inode with 24 of position."""

_EMPTY: Final = LeafPart(Leaf([], []), None)


class DirectoryFacts(NamedTuple):
    """What the parent's entry (or the manifest) tells of a directory; `number` and `parent` are those of the
    pre-order (see the package)."""

    number: int
    parent: int
    mode: int
    mtime_ns: int
    span: Span
    totals: Totals
    depth: int
    digest: Digest


class Found(NamedTuple):
    """An entry at position `at` of directory `directory`; `part` is the leaf that holds it, and `number` its
    own directory number if it is one."""

    entry: Entry
    directory: DirectoryFacts
    at: int
    part: LeafPart
    number: int

    def facts(self) -> DirectoryFacts:
        """Of the directory that the entry is; raises InvalidFormatError when it is too deep to be walked."""
        entry = self.entry
        assert isinstance(entry, Directory)
        totals = Totals(entry.files, entry.directories, entry.bytes)
        span = self.part.span(entry.span)
        depth = self.directory.depth + 1
        if depth > DEPTH_MAX:
            raise InvalidFormatError("directory", f"deeper than {DEPTH_MAX} directories")
        return DirectoryFacts(
            self.number, self.directory.number, entry.mode, entry.mtime_ns, span, totals, depth, Digest(entry.digest)
        )


class Position(NamedTuple):
    """A leaf and where in its directory it begins: its first entry's position, and the number its first
    sub-directory has. `span` is that of its encoding."""

    part: LeafPart
    at: int
    number: int
    span: Span


class Tree:
    """`decoded` counts the parts decoded so far. Any method may raise what `SpanReader.read_span` does, and
    InvalidFormatError."""

    def __init__(self, reader: SpanReader, root: Root) -> None:
        if root.directories > DIRECTORIES_MAX:
            raise InvalidFormatError("manifest", f"more than {DIRECTORIES_MAX} directories")
        totals = Totals(root.files, root.directories, root.bytes)
        digest = Digest.parse(root.digest)
        self.root = DirectoryFacts(0, 0, root.mode, root.mtime_ns, root.to_span(), totals, 0, digest)
        self.decoded = 0
        self.reader = reader
        self._parts: Lru[Span, Part] = Lru(PARTS_WEIGHT)
        self._facts: Lru[int, DirectoryFacts] = Lru(FACTS_MAX)

    def __repr__(self) -> str:
        return f"<Tree {self.root.totals}, {self.decoded} parts decoded, {self._parts!r}>"

    async def find(self, directory: DirectoryFacts, name: bytes) -> Found | None:
        """The entry called `name`."""
        leaf = await self._descend(directory, lambda index, _at, _number: index.row_of_name(name))
        at = leaf.part.find(name)
        return None if at is None else self.found(directory, leaf, at)

    async def leaf_at(self, directory: DirectoryFacts, position: int) -> Position:
        """The leaf that holds the entry at `position`, or the last one."""
        return await self._descend(directory, lambda index, at, _number: index.row_of_entry(position - at))

    def found(self, directory: DirectoryFacts, leaf: Position, at: int) -> Found:
        """The entry at `at` of the leaf."""
        entry = leaf.part.entries[at]
        number = leaf.number + leaf.part.number_at(at) if isinstance(entry, Directory) else 0
        found = Found(entry, directory, leaf.at + at, leaf.part, number)
        if number:
            self._facts.put(number, found.facts())
        return found

    async def directory(self, number: int) -> DirectoryFacts:
        """The directory that has `number`; raises PathNotFoundError when the tree has not so many."""
        if number > self.root.totals.directories:
            raise PathNotFoundError(b"directory %d" % number)
        facts = self._facts.get(number) if number else self.root
        if facts is not None:
            return facts
        facts = self.root
        while facts.number != number:
            leaf = await self._descend(facts, lambda index, _at, first: index.row_of_number(number - first))
            facts = self.found(facts, leaf, leaf.part.holding(number - leaf.number)).facts()
        return facts

    async def entry(self, number: int, position: int) -> Found:
        """The entry at `position` of directory `number`; raises PathNotFoundError."""
        directory = await self.directory(number)
        leaf = await self.leaf_at(directory, position)
        at = position - leaf.at
        if not 0 <= at < len(leaf.part.entries):
            raise PathNotFoundError(b"entry %d of directory %d" % (position, number))
        return self.found(directory, leaf, at)

    async def resolve(self, path: Sequence[bytes]) -> Found | DirectoryFacts:
        """What `path` names: the root's facts if it is empty. Symlinks are not followed.

        Raises PathNotFoundError, NotDirectoryError.
        """
        here: Found | DirectoryFacts = self.root
        for depth, name in enumerate(path):
            if isinstance(here, Found):
                if not isinstance(here.entry, Directory):
                    raise NotDirectoryError(b"/".join(path[:depth]))
                here = here.facts()
            found = await self.find(here, name)
            if found is None:
                raise PathNotFoundError(b"/".join(path[: depth + 1]))
            here = found
        return here

    async def _descend(self, directory: DirectoryFacts, choose: Callable[[IndexPart, int, int], int]) -> Position:
        """Down to the leaf, by the rows that `choose(index, first position, first number)` picks."""
        at, number = 0, directory.number + 1
        first: bytes = b""
        end: bytes | None = None
        span, totals, entries = directory.span, directory.totals, None
        for _ in range(LEVELS_MAX + 1):
            part = await self._part(span, totals)
            if entries is not None:
                _check_row(part, entries, first, end)
            if isinstance(part, LeafPart):
                return Position(part, at, number, span)
            row = choose(part, at, number)
            span, totals, entries = part.span(row), part.row_totals(row), part.row_entries(row)
            first = part.firsts[row]
            end = part.firsts[row + 1] if row + 1 < len(part.firsts) else end
            at += part.starts[row]
            number += part.numbers[row]
        raise InvalidFormatError("directory", f"deeper than {LEVELS_MAX} indexes")

    async def _part(self, span: Span, claimed: Totals) -> Part:
        if span.blob is None:
            return _EMPTY
        part = self._parts.get(span)
        if part is None:
            node = decode_node(await self.reader.read_span(span))
            self.decoded += 1
            part = IndexPart(node, span.blob) if isinstance(node, Index) else LeafPart(node, span.blob)
            self._parts.put(span, part, part.weight())
        check_totals(part.totals, claimed)
        return part


def _check_row(part: Part, entries: int, first: bytes, end: bytes | None) -> None:
    """A part holds what its row says: otherwise listing and looking up would tell different stories."""
    names = part.names if isinstance(part, LeafPart) else part.firsts
    if part.count != entries:
        raise InvalidFormatError("directory", f"a part of {part.count} entries, {entries} claimed")
    if names[0] != first or (end is not None and names[-1] >= end):
        raise InvalidFormatError("directory", f"a part from {names[0]!r} to {names[-1]!r} where {first!r} is claimed")
