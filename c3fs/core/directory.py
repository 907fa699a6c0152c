"""Encoded directories, format 1: what one is made of, and its bytes.

A directory is a list of entries sorted by raw name bytes, as msgpack of array-like structs. It is kept as one
*leaf*, or, when it has more than `LEAF_MAX` entries, as several leaves under an *index* (and indexes under
indexes, when there are that many leaves), so that a look-up in a directory of a million entries decodes one
index of some hundred rows and one leaf. Leaves are cut by content (`leaf_ends_after`), so one new name
changes one leaf.

    leaf   [0, [blob, …], [entry, …]]
    index  [1, [blob, …], [[first name, entries, files, directories, bytes, span], …]]
    entry  [0, name, mode, mtime_ns, size, digest, [span, …]]                              a file
           [1, name, mode, mtime_ns, digest, span, files, directories, bytes]              a directory
           [2, name, mtime_ns, target]                                                     a symlink
           [3, name, mode, mtime_ns, size, digest, span, spans]                            a long file
    span   [number of the blob in the list of blobs, or -1 for a hole, or -2 for this blob, offset, size]

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

Everything a decoder takes in is checked here, before anything uses it: forms and ranges by msgspec, names,
order, span arithmetic by `_check_leaf` and `_check_index`. A size or count that is claimed allocates nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Annotated, Final, NamedTuple

import msgspec

from c3fs.core.digest import SIZE, Buffer, Digest, Hasher
from c3fs.core.names import TARGET_MAX, check_name
from c3fs.core.span import BLOB_MAX, FILE_MAX, Span
from c3fs.errors import InvalidFormatError, InvalidNameError

LEAF_MIN: Final = 1_000
LEAF_MAX: Final = 4_000
"""Entries in a leaf, but for the last. 4,000 entries of 76 bytes are 300 KB, decoded in some 5 ms."""
_LEAF_CUT: Final = 0x3FF
"""A leaf of LEAF_MIN entries ends after a name whose digest ends in ten zero bits: every 1,024th."""
LEAF_WEIGHT_MAX: Final = 1 << 20
"""A leaf also ends when its entries come to a MiB: a thousand long names, targets or lists of spans must not
make one look-up load something large, nor a leaf larger than a blob."""

SPANS_MAX: Final = 1_000
"""Spans a file entry holds itself."""

ENTRIES_MAX: Final = (1 << 24) - 2
"""Entries in one directory: the inode number has 24 bits for them (see c3fs.vfs)."""

_Mode = Annotated[int, msgspec.Meta(ge=0, le=0o7777)]
_Time = Annotated[int, msgspec.Meta(ge=-FILE_MAX, le=FILE_MAX)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=FILE_MAX)]
_Name = Annotated[bytes, msgspec.Meta(min_length=1, max_length=255)]
_Raw = Annotated[bytes, msgspec.Meta(min_length=SIZE, max_length=SIZE)]


class _Wire(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """Holds no reference cycles, so the garbage collector need not know it."""


HOLE: Final = -1
SELF: Final = -2


class WireSpan(_Wire, frozen=True):
    """`blob` is a position in the node's list of blobs, or HOLE, or SELF."""

    blob: Annotated[int, msgspec.Meta(ge=SELF, lt=1 << 32)]
    offset: Annotated[int, msgspec.Meta(ge=0, le=BLOB_MAX)]
    size: Annotated[int, msgspec.Meta(ge=0, le=FILE_MAX)]


class File(_Wire, frozen=True, tag=0):
    """Spans lie end to end and cover `size`; `digest` is that of the whole content."""

    name: _Name
    mode: _Mode
    mtime_ns: _Time
    size: _Count
    digest: _Raw
    spans: list[WireSpan]


class Directory(_Wire, frozen=True, tag=1):
    name: _Name
    mode: _Mode
    mtime_ns: _Time
    digest: _Raw
    span: WireSpan
    files: _Count
    directories: _Count
    bytes: _Count


class Symlink(_Wire, frozen=True, tag=2):
    name: _Name
    mtime_ns: _Time
    target: Annotated[bytes, msgspec.Meta(min_length=1, max_length=TARGET_MAX)]


class LongFile(_Wire, frozen=True, tag=3):
    """A file whose spans are too many for the entry; `span` is that of its span list."""

    name: _Name
    mode: _Mode
    mtime_ns: _Time
    size: _Count
    digest: _Raw
    span: WireSpan
    spans: _Count


Entry = File | Directory | Symlink | LongFile


class IndexRow(_Wire, frozen=True):
    """One part of a large directory: its first name, its entries, and all that lies below them."""

    first: _Name
    entries: Annotated[int, msgspec.Meta(ge=1, le=ENTRIES_MAX)]
    files: _Count
    directories: _Count
    bytes: _Count
    span: WireSpan


class Leaf(_Wire, frozen=True, tag=0):
    blobs: list[_Raw]
    entries: list[Entry]


class Index(_Wire, frozen=True, tag=1):
    blobs: list[_Raw]
    rows: list[IndexRow]


Node = Leaf | Index


class Totals(NamedTuple):
    """What lies in and below a directory or a part of one. Symlinks count as files; the directory itself is
    not counted. `bytes` is the sum of file sizes."""

    files: int
    directories: int
    bytes: int

    def plus(self, other: Totals) -> Totals:
        return Totals(self.files + other.files, self.directories + other.directories, self.bytes + other.bytes)


NOTHING: Final = Totals(0, 0, 0)

_NODE = msgspec.msgpack.Decoder(Node)
_ENCODER = msgspec.msgpack.Encoder()


class BlobTable:
    """The list of blobs of one node while it is being made."""

    def __init__(self) -> None:
        self.blobs: list[bytes] = []
        self._numbers: dict[bytes, int] = {}

    def wire(self, span: Span) -> WireSpan:
        if span.blob is None:
            return WireSpan(HOLE, span.offset, span.size)
        number = self._numbers.setdefault(span.blob, len(self.blobs))
        if number == len(self.blobs):
            self.blobs.append(bytes(span.blob))
        return WireSpan(number, span.offset, span.size)


def unwire(blobs: Sequence[bytes], span: WireSpan, own: Digest | None) -> Span:
    """The span with its blob's digest; `span` is of a checked node that lies in the blob `own`."""
    match span.blob:
        case -1:
            return Span(None, span.offset, span.size)
        case -2:
            return Span(own, span.offset, span.size)
        case number:
            return Span(Digest(blobs[number]), span.offset, span.size)


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
    """Whether a leaf (or index) of `entries` entries (or rows) that weigh `weight`, the last called `name`
    (or beginning with it), ends there."""
    if entries >= LEAF_MAX or weight >= LEAF_WEIGHT_MAX:
        return True
    return entries >= LEAF_MIN and int.from_bytes(Digest.of(name)[-2:]) & _LEAF_CUT == 0


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
    try:
        node = _NODE.decode(data)
        if isinstance(node, Leaf):
            _check_leaf(node)
        else:
            _check_index(node)
    except (msgspec.MsgspecError, InvalidNameError, RecursionError) as error:
        raise InvalidFormatError("directory", str(error)) from error
    return node


def check_totals(found: Totals, claimed: Totals) -> None:
    """A directory that is not as large as its parent says would shift the inode numbers of others."""
    if found != claimed:
        raise InvalidFormatError("directory", f"holds {found}, but {claimed} is claimed of it")


def check_spans(spans: Iterable[WireSpan], blobs: int, size: int) -> None:
    """The spans of one file: in range, none empty, none in this blob, and together `size` bytes."""
    covered = 0
    for span in spans:
        check_span(span, blobs)
        if span.blob == SELF:
            raise InvalidFormatError("directory", "a file's bytes inside the directory's blob")
        if not span.size:
            raise InvalidFormatError("directory", "an empty span")
        covered += span.size
    if covered != size:
        raise InvalidFormatError("directory", f"spans of {covered} bytes for a file of {size}")


def check_span(span: WireSpan, blobs: int) -> None:
    if span.blob >= blobs:
        raise InvalidFormatError("directory", f"span in blob {span.blob} of {blobs}")
    if span.blob == HOLE:
        if span.offset:
            raise InvalidFormatError("directory", "a hole with an offset")
    elif not span.size or span.offset + span.size > BLOB_MAX:
        raise InvalidFormatError("directory", "span empty or beyond the end of any blob")


def _check_leaf(leaf: Leaf) -> None:
    blobs = len(leaf.blobs)
    if len(leaf.entries) > LEAF_MAX:
        raise InvalidFormatError("directory", f"a leaf of {len(leaf.entries)} entries")
    _check_order(entry.name for entry in leaf.entries)
    for entry in leaf.entries:
        match entry:
            case File():
                if len(entry.spans) > SPANS_MAX:
                    raise InvalidFormatError("directory", f"a file entry of {len(entry.spans)} spans")
                check_spans(entry.spans, blobs, entry.size)
            case Directory():
                _check_directory(entry, blobs)
            case LongFile():
                check_span(entry.span, blobs)
                if entry.span.blob == HOLE or not SPANS_MAX < entry.spans <= entry.size:
                    raise InvalidFormatError("directory", f"a span list of {entry.spans} spans")
            case Symlink():
                if b"\0" in entry.target:
                    raise InvalidFormatError("directory", "a symlink's target holds a NUL")


def _check_directory(entry: Directory, blobs: int) -> None:
    check_span(entry.span, blobs)
    if entry.span.blob == HOLE and (entry.span.size or entry.files or entry.directories or entry.bytes):
        raise InvalidFormatError("directory", "a directory that is stored nowhere is not empty")


def _check_index(index: Index) -> None:
    if not 2 <= len(index.rows) <= LEAF_MAX:
        raise InvalidFormatError("directory", f"an index of {len(index.rows)} rows")
    _check_order(row.first for row in index.rows)
    for row in index.rows:
        check_span(row.span, len(index.blobs))
        if row.span.blob == HOLE or row.files + row.directories < row.entries:
            raise InvalidFormatError("directory", f"an index row of {row.entries} entries that holds fewer")
    if sum(row.entries for row in index.rows) > ENTRIES_MAX:
        raise InvalidFormatError("directory", f"more than {ENTRIES_MAX} entries")


def _check_order(names: Iterator[bytes]) -> None:
    for before, after in pairwise(_checked(names)):
        if before >= after:
            raise InvalidFormatError("directory", f"{after!r} after {before!r}: not sorted, or twice")


def _checked(names: Iterator[bytes]) -> Iterator[bytes]:
    yield from map(check_name, names)
