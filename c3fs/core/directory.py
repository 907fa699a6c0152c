"""Encoded directories, format 1: what one is made of, and its bytes.

A directory is a list of entries sorted by raw name bytes, as msgpack of array-like structs. It is kept as one
*leaf*, or, when it has some thousands of entries, as several leaves under an *index* (and indexes under
indexes, when there are that many leaves), so that a look-up in a directory of a million entries decodes one
index of some hundred rows and one leaf. Where a leaf ends is the writer's business (c3fs.publish.leaves): by
content, so that one new name changes one leaf. An empty directory is stored nowhere and has no leaf.

    leaf   [0, [blob, …], [entry, …]]
    index  [1, [blob, …], [[first name, entries, files, directories, bytes, span], …]]
    entry  [0, name, mode, mtime_ns, size, digest, [span, …]]                              a file
           [1, name, mode, mtime_ns, digest, span, files, directories, bytes]              a directory
           [2, name, mtime_ns, target]                                                     a symlink
           [3, name, mode, mtime_ns, size, digest, span, spans]                            a long file
    span   see core.wirespan

The list of blobs is in the order of first use: many entries share a pack, and 32 bytes each would be half of
the encoding. `files`, `directories` and `bytes` count everything below: they make `du` and statfs O(1), and
number the directories of a tree in pre-order without visiting them (see c3fs.vfs). In an index row, as in a
leaf, they count the entries of that part and everything below those.

"This blob" is the one that the leaf or index itself lies in: a directory and those below it share a pack, whose
digest no part of it can know. So the directories of a usual tree are one blob, however deep it is, and a changed
file changes one blob of directories, not one a level.

A file of more than `SPANS_MAX` spans (kind 3) keeps them in a span list of its own (core.spanlist).

The digest of a directory covers names, kinds, modes, targets and contents below it, neither times nor how the
bytes are stored: equal outputs have equal digests. It is the BLAKE3 of the msgpack arrays
[kind, name, mode, digest or target] of its entries, one after another (kinds 0 and 3 both count as 0).

Everything a decoder takes in is checked here, before anything uses it: forms, ranges and lengths by msgspec, names,
order, span arithmetic by `_check_leaf` and `_check_index`. A size or count that is claimed allocates nothing.
"This blob" would allow a node to lead to itself; the totals do not (`check_totals`): what is below a directory
or a row is always less than what holds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Annotated, Final, NamedTuple

import msgspec

from c3fs.core.digest import Buffer, Digest, Hasher
from c3fs.core.names import TARGET_MAX, check_name
from c3fs.core.span import FILE_MAX
from c3fs.core.wirespan import (
    HOLE,
    BlobTable,
    RawDigest,
    Wire,
    WireSpan,
    check_node_size,
    check_span,
    check_spans,
)
from c3fs.errors import InvalidFormatError, InvalidNameError

LEAF_MAX: Final = 4_000
"""Entries in a leaf, or rows in an index. 4,000 entries of 76 bytes are 300 KB, decoded in some 5 ms."""

SPANS_MAX: Final = 1_000
"""Spans a file entry holds itself."""

ENTRIES_MAX: Final = (1 << 24) - 2
"""Entries in one directory: the inode number has 24 bits for them (see c3fs.vfs)."""

_Mode = Annotated[int, msgspec.Meta(ge=0, le=0o7777)]
_Time = Annotated[int, msgspec.Meta(ge=-FILE_MAX, le=FILE_MAX)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=FILE_MAX)]
_Name = Annotated[bytes, msgspec.Meta(min_length=1, max_length=255)]


class File(Wire, frozen=True, tag=0):
    """Spans lie end to end and cover `size`; `digest` is that of the whole content."""

    name: _Name
    mode: _Mode
    mtime_ns: _Time
    size: _Count
    digest: RawDigest
    spans: Annotated[list[WireSpan], msgspec.Meta(max_length=SPANS_MAX)]


class Directory(Wire, frozen=True, tag=1):
    name: _Name
    mode: _Mode
    mtime_ns: _Time
    digest: RawDigest
    span: WireSpan
    files: _Count
    directories: _Count
    bytes: _Count


class Symlink(Wire, frozen=True, tag=2):
    name: _Name
    mtime_ns: _Time
    target: Annotated[bytes, msgspec.Meta(min_length=1, max_length=TARGET_MAX)]


class LongFile(Wire, frozen=True, tag=3):
    """A file whose spans are too many for the entry; `span` is that of its span list."""

    name: _Name
    mode: _Mode
    mtime_ns: _Time
    size: _Count
    digest: RawDigest
    span: WireSpan
    spans: _Count


Entry = File | Directory | Symlink | LongFile


class IndexRow(Wire, frozen=True):
    """One part of a large directory: its first name, its entries, and all that lies below them."""

    first: _Name
    entries: Annotated[int, msgspec.Meta(ge=1, le=ENTRIES_MAX)]
    files: _Count
    directories: _Count
    bytes: _Count
    span: WireSpan


class Leaf(Wire, frozen=True, tag=0):
    blobs: list[RawDigest]
    entries: Annotated[list[Entry], msgspec.Meta(min_length=1, max_length=LEAF_MAX)]


class Index(Wire, frozen=True, tag=1):
    blobs: list[RawDigest]
    rows: Annotated[list[IndexRow], msgspec.Meta(min_length=2, max_length=LEAF_MAX)]


Node = Leaf | Index


class Totals(NamedTuple):
    """What lies in and below a directory or a part of one. Symlinks count as files; the directory itself is
    not counted. `bytes` is the sum of file sizes."""

    files: int
    directories: int
    bytes: int


NOTHING: Final = Totals(0, 0, 0)

_WHAT: Final = "directory"
_NODE = msgspec.msgpack.Decoder(Node)
_ENCODER = msgspec.msgpack.Encoder()


def encode_leaf(table: BlobTable, entries: list[Entry]) -> bytes:
    """Canonical bytes; `entries` sorted by name, their spans made with `table`."""
    return _ENCODER.encode(Leaf(table.blobs, entries))


def encode_index(table: BlobTable, rows: list[IndexRow]) -> bytes:
    """Canonical bytes; `rows` sorted by first name, their spans made with `table`."""
    return _ENCODER.encode(Index(table.blobs, rows))


class DirectoryHasher:
    """The digest of a directory, from its entries in order of name."""

    def __init__(self) -> None:
        self._hasher = Hasher()

    def add(self, entry: Entry) -> None:
        match entry:
            case File() | LongFile():
                row = (0, entry.name, entry.mode, entry.digest)
            case Directory():
                row = (1, entry.name, entry.mode, entry.digest)
            case Symlink():
                row = (2, entry.name, 0o777, entry.target)
        self._hasher.update(_ENCODER.encode(row))

    def digest(self) -> Digest:
        return self._hasher.digest()


def with_spans(entry: Entry, spans: list[WireSpan]) -> Entry:
    """The entry with its spans, or its one span, made anew for another node; a symlink has none."""
    match entry:
        case File():
            return msgspec.structs.replace(entry, spans=spans)
        case Directory() | LongFile():
            return msgspec.structs.replace(entry, span=spans[0])
        case Symlink():
            return entry


def totals_of(entry: Entry) -> Totals:
    """What the entry adds to the totals of the directory that holds it."""
    match entry:
        case Directory():
            return Totals(entry.files, entry.directories + 1, entry.bytes)
        case Symlink():
            return Totals(1, 0, 0)
        case File() | LongFile():
            return Totals(1, 0, entry.size)


def sum_totals(parts: Iterable[Totals]) -> Totals:
    files = directories = size = 0
    for part in parts:
        files += part.files
        directories += part.directories
        size += part.bytes
    return Totals(files, directories, size)


def decode_node(data: Buffer) -> Node:
    """The leaf or index that `data` encodes, checked; raises InvalidFormatError.

    What it claims of directories and parts below is checked when those are decoded, against the entry or row
    that led there (`check_totals`).
    """
    check_node_size(_WHAT, data)
    try:
        node = _NODE.decode(data)
        if isinstance(node, Leaf):
            _check_leaf(node)
        else:
            _check_index(node)
    except (msgspec.MsgspecError, InvalidNameError, RecursionError) as error:
        raise InvalidFormatError(_WHAT, str(error)) from error
    return node


def check_totals(found: Totals, claimed: Totals) -> None:
    """A directory that is not as large as its parent says would shift the inode numbers of others."""
    if found != claimed:
        raise InvalidFormatError(_WHAT, f"holds {found}, but {claimed} is claimed of it")


def _check_leaf(leaf: Leaf) -> None:
    blobs = len(leaf.blobs)
    _check_order(entry.name for entry in leaf.entries)
    for entry in leaf.entries:
        match entry:
            case File():
                check_spans(_WHAT, entry.spans, blobs, entry.size)
            case Directory():
                _check_directory(entry, blobs)
            case LongFile():
                check_span(_WHAT, entry.span, blobs)
                if entry.span.blob == HOLE or not SPANS_MAX < entry.spans <= entry.size:
                    raise InvalidFormatError(_WHAT, f"a span list of {entry.spans} spans")
            case Symlink():
                if b"\0" in entry.target:
                    raise InvalidFormatError(_WHAT, "a symlink's target holds a NUL")


def _check_directory(entry: Directory, blobs: int) -> None:
    check_span(_WHAT, entry.span, blobs)
    if entry.span.blob == HOLE and (entry.span.size or entry.files or entry.directories or entry.bytes):
        raise InvalidFormatError(_WHAT, "a directory that is stored nowhere is not empty")


def _check_index(index: Index) -> None:
    _check_order(row.first for row in index.rows)
    for row in index.rows:
        check_span(_WHAT, row.span, len(index.blobs))
        if row.span.blob == HOLE or row.files + row.directories < row.entries:
            raise InvalidFormatError(_WHAT, f"an index row of {row.entries} entries that holds fewer")
    if sum(row.entries for row in index.rows) > ENTRIES_MAX:
        raise InvalidFormatError(_WHAT, f"more than {ENTRIES_MAX} entries")


def _check_order(names: Iterator[bytes]) -> None:
    for before, after in pairwise(map(check_name, names)):
        if before >= after:
            raise InvalidFormatError(_WHAT, f"{after!r} after {before!r}: not sorted, or twice")
