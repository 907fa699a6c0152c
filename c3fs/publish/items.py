"""What was collected and is not encoded yet: files, and directories that are being filled."""

from __future__ import annotations

from typing import NamedTuple

from c3fs.core.digest import Digest
from c3fs.core.directory import NOTHING, SPANS_MAX, DirectoryHasher, Symlink, Totals
from c3fs.core.span import EMPTY_SPAN, Span
from c3fs.publish.leaves import ENTRY_WEIGHT, FILE_WEIGHT, SPAN_WEIGHT
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
    """A small file at `offset` of its pack; `pack` is None when the file is empty. 350 bytes with what it holds."""

    name: bytes
    mode: int
    mtime_ns: int
    size: int
    digest: Digest
    pack: Pack | None
    offset: int

    def span(self) -> Span | None:
        return None if self.pack is None else Place(self.pack, self.offset, self.size).span()


class ChunkedFile(NamedTuple):
    """A large file; its chunks and holes end to end."""

    name: bytes
    mode: int
    mtime_ns: int
    size: int
    digest: Digest
    spans: list[Span]


class Part(NamedTuple):
    """A leaf or index that was laid, as the index above it lists it."""

    first: bytes
    entries: int
    totals: Totals
    place: Place


class Folder:
    """A directory: first filled in order of name, then encoded leaf by leaf (c3fs.publish.tree). Then it says where
    it lies, what its digest is, and what is below it."""

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
        """Of its top node, when it is encoded; None if it is empty."""
        return self.parts[0].place if self.parts else None

    def span(self) -> Span:
        return EMPTY_SPAN if self.place is None else self.place.span()


Item = PackedFile | ChunkedFile | Symlink | Folder


def weight(item: Item) -> int:
    """About the bytes the item adds to a leaf; never less, blobs of its own included."""
    match item:
        case PackedFile():
            return FILE_WEIGHT + len(item.name) + SPAN_WEIGHT
        case ChunkedFile():
            return ENTRY_WEIGHT + len(item.name) + (SPAN_WEIGHT * len(item.spans) if not is_long(item) else 0)
        case Symlink():
            return FILE_WEIGHT + len(item.name) + len(item.target)
        case Folder():
            return ENTRY_WEIGHT + len(item.name)


def is_long(file: ChunkedFile) -> bool:
    """Whether its spans are too many for a file entry."""
    return len(file.spans) > SPANS_MAX
