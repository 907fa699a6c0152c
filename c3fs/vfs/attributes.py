"""What stat shows of an entry."""

from __future__ import annotations

import stat
from typing import Final, NamedTuple

from c3fs.core.directory import Directory, File, LongFile, Symlink
from c3fs.vfs import inode
from c3fs.vfs.tree import DirectoryFacts, Found

READ_ONLY: Final = ~0o222
"""Modes lose their write bits: what is published never changes, for root neither."""
_SECTOR: Final = 512


class Attributes(NamedTuple):
    """`mode` with the type's bits; `size` in bytes, `blocks` in 512 bytes, holes not counted (but in a file of
    very many spans, whose holes are known only to its span list)."""

    inode: int
    mode: int
    size: int
    blocks: int
    mtime_ns: int


def of_directory(facts: DirectoryFacts) -> Attributes:
    mode = stat.S_IFDIR | facts.mode & READ_ONLY
    return Attributes(inode.of_directory(facts.number), mode, facts.span.size, 0, facts.mtime_ns)


def of_found(found: Found) -> Attributes:
    entry = found.entry
    if isinstance(entry, File):
        stored = sum([span.size for span in entry.spans if span.blob >= 0])
        return _of_file(found, entry, stored)
    if isinstance(entry, Directory):
        size = entry.span.size
        mode = stat.S_IFDIR | entry.mode & READ_ONLY
        return Attributes(inode.of_directory(found.number), mode, size, 0, entry.mtime_ns)
    if isinstance(entry, Symlink):
        number = inode.of_entry(found.directory.number, found.at)
        return Attributes(number, stat.S_IFLNK | 0o777, len(entry.target), 0, entry.mtime_ns)
    return _of_file(found, entry, entry.size)


def _of_file(found: Found, entry: File | LongFile, stored: int) -> Attributes:
    number = inode.of_entry(found.directory.number, found.at)
    blocks = -(-stored // _SECTOR)
    return Attributes(number, stat.S_IFREG | entry.mode & READ_ONLY, entry.size, blocks, entry.mtime_ns)
