"""Decoded parts of directories, with the sums that answer "which entry" and "which directory number"."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate

from c3fs.core.digest import Digest
from c3fs.core.directory import Directory, Entry, File, Index, Leaf, Totals, sum_totals, totals_of
from c3fs.core.span import Span
from c3fs.core.wirespan import WireSpan, unwire


class LeafPart:
    """A leaf that lies in the blob `own`. Positions count from its first entry, directory numbers from its first
    sub-directory."""

    __slots__ = ("blobs", "count", "directories_at", "entries", "names", "numbers", "own", "totals")

    def __init__(self, leaf: Leaf, own: Digest | None) -> None:
        self.own = own
        self.blobs = leaf.blobs
        self.entries = leaf.entries
        self.count = len(leaf.entries)
        self.names = [entry.name for entry in leaf.entries]
        self.directories_at = [at for at, entry in enumerate(leaf.entries) if isinstance(entry, Directory)]
        *numbers, _ = accumulate((self._directory(at).directories + 1 for at in self.directories_at), initial=0)
        self.numbers = numbers
        self.totals = sum_totals(map(totals_of, leaf.entries))

    def find(self, name: bytes) -> int | None:
        at = bisect_left(self.names, name)
        return at if at < len(self.names) and self.names[at] == name else None

    def number_at(self, at: int) -> int:
        """The number of the sub-directory at position `at`."""
        return self.numbers[bisect_left(self.directories_at, at)]

    def holding(self, number: int) -> int:
        """The position of the sub-directory that has `number`, or has it below."""
        return self.directories_at[bisect_right(self.numbers, number) - 1]

    def span(self, wire: WireSpan) -> Span:
        """The span that an entry of this leaf speaks of."""
        return unwire(self.blobs, wire, self.own)

    def weight(self) -> int:
        """In entries; long lists of spans count too, as they hold as much memory."""
        spans = sum(len(entry.spans) for entry in self.entries if isinstance(entry, File))
        return 1 + len(self.entries) + len(self.blobs) + spans

    def _directory(self, at: int) -> Directory:
        entry: Entry = self.entries[at]
        assert isinstance(entry, Directory)
        return entry


class IndexPart:
    """An index that lies in the blob `own`: its rows' first names, and where the entries and sub-directories of
    each row begin."""

    __slots__ = ("_index", "_own", "count", "firsts", "numbers", "starts", "totals")

    def __init__(self, index: Index, own: Digest | None) -> None:
        self._own = own
        self._index = index
        self.firsts = [row.first for row in index.rows]
        *starts, self.count = accumulate((row.entries for row in index.rows), initial=0)
        *numbers, _ = accumulate((row.directories for row in index.rows), initial=0)
        self.starts = starts
        self.numbers = numbers
        self.totals = sum_totals(map(self.row_totals, range(len(index.rows))))

    def row_of_name(self, name: bytes) -> int:
        return max(bisect_right(self.firsts, name) - 1, 0)

    def row_of_entry(self, at: int) -> int:
        return bisect_right(self.starts, at) - 1

    def row_of_number(self, number: int) -> int:
        return bisect_right(self.numbers, number) - 1

    def row_totals(self, row: int) -> Totals:
        wire = self._index.rows[row]
        return Totals(wire.files, wire.directories, wire.bytes)

    def row_entries(self, row: int) -> int:
        return self._index.rows[row].entries

    def span(self, row: int) -> Span:
        return unwire(self._index.blobs, self._index.rows[row].span, self._own)

    def weight(self) -> int:
        return 1 + len(self.firsts)


Part = LeafPart | IndexPart
