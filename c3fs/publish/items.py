"""What is not encoded yet: files that were collected, directories that are being filled, and entries of published trees
that become part of another."""

from __future__ import annotations

from collections.abc import Set
from typing import NamedTuple

from c3fs.core.digest import Digest
from c3fs.core.directory import NOTHING, DirectoryHasher, Entry, Symlink, Totals
from c3fs.core.span import EMPTY_SPAN, Span
from c3fs.publish.pack import Pack


class Place(NamedTuple):
    """Where something was laid; the pack's digest is known when the pack is closed."""

    pack: Pack
    offset: int
    size: int

    def span(self) -> Span:
        assert self.pack.digest is not None, "the pack is still open"
        return Span(self.pack.digest, self.offset, self.size)


class PackedFile(NamedTuple):
    """A small file at `offset` of its pack; `pack` is None when the file is empty."""

    name: bytes
    mode: int
    mtime_ns: int
    size: int
    digest: Digest
    pack: Pack | None
    offset: int

    @property
    def spans(self) -> list[Span]:
        """None or one; its pack is closed."""
        return [] if self.pack is None else [Place(self.pack, self.offset, self.size).span()]


class ChunkedFile(NamedTuple):
    """A large file: its chunks and holes, end to end."""

    name: bytes
    mode: int
    mtime_ns: int
    size: int
    digest: Digest
    spans: list[Span]


class StoredLeaf:
    """A leaf of a published directory: where it lies, and how many entries it has. No two are the same."""

    __slots__ = ("entries", "span")

    def __init__(self, span: Span, entries: int) -> None:
        self.span = span
        self.entries = entries


class Kept(NamedTuple):
    """An entry of a published tree that stays as it is, with all that is below it.

    `spans` are those of the file's content, or the one of its span list or of the directory's encoding, their blobs
    known. `leaf` is where it comes from, unless it has got another name.
    """

    entry: Entry
    spans: list[Span]
    leaf: StoredLeaf | None

    @property
    def name(self) -> bytes:
        return self.entry.name


class Part(NamedTuple):
    """A leaf or index that was laid, as the index above it lists it."""

    first: bytes
    entries: int
    totals: Totals
    place: Place


class Folder:
    """A directory: filled in order of name, encoded leaf by leaf (c3fs.publish.tree). Then it says where it lies, what
    its digest is, and what is below it."""

    __slots__ = ("hasher", "mode", "mtime_ns", "name", "parts", "totals")

    def __init__(self, name: bytes, mode: int, mtime_ns: int) -> None:
        self.name = name
        self.mode = mode
        self.mtime_ns = mtime_ns
        self.hasher = DirectoryHasher()
        self.parts: list[Part] = []
        self.totals = NOTHING

    def __repr__(self) -> str:
        return f"<Folder {self.name!r} {self.totals}, {len(self.parts)} parts>"

    @property
    def place(self) -> Place | None:
        """Of its top node; None if it is empty."""
        return self.parts[0].place if self.parts else None

    def span(self) -> Span:
        """Its pack is closed."""
        return EMPTY_SPAN if self.place is None else self.place.span()


Item = PackedFile | ChunkedFile | Symlink | Folder | Kept


def needs(item: Item, blobs: Set[Digest]) -> bool:
    """Whether the content of a file lies in any of `blobs`; its pack is closed."""
    if isinstance(item, PackedFile):
        return item.pack is not None and item.pack.digest in blobs
    return isinstance(item, ChunkedFile | Kept) and any(span.blob in blobs for span in item.spans)
