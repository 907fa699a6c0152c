"""A published tree as the operations of a file system, by inode; an adapter translates to and from FUSE.

Errors are those of c3fs.errors; a name that does not exist is None, since that is no failure.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Final, NamedTuple

from c3fs.core.digest import Buffer
from c3fs.core.directory import Directory, File, LongFile, Symlink, Totals
from c3fs.errors import IsDirectoryError, NotDirectoryError, NotFileError, NotSymlinkError
from c3fs.fetch.fetcher import Fetcher
from c3fs.fetch.prefetcher import Prefetcher
from c3fs.fetch.reader import FileReader
from c3fs.fetch.spanmap import LongSpanMap, SpanMap
from c3fs.vfs import attributes, inode
from c3fs.vfs.attributes import Attributes
from c3fs.vfs.tree import DirectoryFacts, Found, Position, Tree

BLOCK_SIZE: Final = 4096


class Listed(NamedTuple):
    """One name of a listing; go on after it from `next`."""

    name: bytes
    attributes: Attributes
    next: int


class FileSystem:
    """The tree below `top`, a directory of `tree`, which the mount shows as its root."""

    def __init__(
        self, tree: Tree, fetcher: Fetcher, prefetcher: Prefetcher | None, top: DirectoryFacts | None = None
    ) -> None:
        self._tree = tree
        self._fetcher = fetcher
        self._prefetcher = prefetcher
        self._top = tree.root if top is None else top
        self._handles: dict[int, FileReader] = {}
        self._next_handle = count(1)

    def __repr__(self) -> str:
        return f"<FileSystem {len(self._handles)} files open, {self._tree!r}, {self._fetcher!r}>"

    @property
    def totals(self) -> Totals:
        """All that lies below the mount's root; known without any fetch."""
        return self._top.totals

    async def getattr(self, ino: int) -> Attributes:
        if ino == inode.ROOT:
            return attributes.of_directory(self._top)._replace(inode=inode.ROOT)
        if inode.is_directory(ino):
            return attributes.of_directory(await self._tree.directory(inode.number_of(ino)))
        return attributes.of_found(await self._entry(ino))

    async def lookup(self, parent: int, name: bytes) -> Attributes | None:
        directory = await self._directory(parent)
        if name == b".":
            return await self.getattr(parent)
        if name == b"..":
            return await self.getattr(self._inode(directory.parent))
        found = await self._tree.find(directory, name)
        return None if found is None else attributes.of_found(found)

    async def listing(self, ino: int, start: int) -> Iterator[Listed]:
        """The entries from position `start` on, in order of name, as far as one leaf goes; none at the end."""
        directory = await self._directory(ino)
        leaf = await self._tree.leaf_at(directory, start)
        return self._listed(directory, leaf, start - leaf.at)

    async def readlink(self, ino: int) -> bytes:
        entry = (await self._entry(ino)).entry
        if not isinstance(entry, Symlink):
            raise NotSymlinkError(entry.name)
        return entry.target

    async def open(self, ino: int) -> int:
        """A handle to read the file with; give it back with `release`."""
        if inode.is_directory(ino):
            raise IsDirectoryError(b"inode %d" % ino)
        handle = next(self._next_handle)
        self._handles[handle] = self.reader(await self._entry(ino))
        return handle

    def reader(self, found: Found) -> FileReader:
        """Reads the file that was found."""
        entry = found.entry
        match entry:
            case File():
                spans = SpanMap([found.part.span(span) for span in entry.spans])
            case LongFile():
                spans = LongSpanMap(self._fetcher, found.part.span(entry.span), entry.size)
            case Directory() | Symlink():
                raise NotFileError(entry.name)
        return FileReader(self._fetcher, self._prefetcher, spans, entry.size)

    async def read(self, handle: int, offset: int, size: int) -> Buffer:
        """See `FileReader.read_at`: the buffer is only valid until the caller's next suspension."""
        return await self._handles[handle].read_at(offset, size)

    def release(self, handle: int) -> None:
        del self._handles[handle]

    async def _entry(self, ino: int) -> Found:
        """Raises PathNotFoundError for a number that no look-up gave."""
        return await self._tree.entry(inode.number_of(ino), inode.position_of(ino))

    async def _directory(self, ino: int) -> DirectoryFacts:
        if ino == inode.ROOT:
            return self._top
        if not inode.is_directory(ino):
            raise NotDirectoryError(b"inode %d" % ino)
        return await self._tree.directory(inode.number_of(ino))

    def _inode(self, number: int) -> int:
        return inode.ROOT if number == self._top.number else inode.of_directory(number)

    def _listed(self, directory: DirectoryFacts, leaf: Position, first: int) -> Iterator[Listed]:
        for at in range(first, leaf.part.count):
            found = self._tree.found(directory, leaf, at)
            yield Listed(found.entry.name, attributes.of_found(found), found.at + 1)
