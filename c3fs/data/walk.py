"""The entries of a published directory one by one, whatever its size: a leaf at a time."""

from __future__ import annotations

import trio

from c3fs.core.directory import Directory
from c3fs.publish.items import StoredLeaf
from c3fs.vfs.tree import DirectoryFacts, Found, Position, Tree

Side = Found | DirectoryFacts
"""What a ref with a sub-path resolves to; the facts are those of a whole tree's root."""


class Entries:
    """Those of one directory, in order of name. `head` is the next one; once `used_up` it is known after `load`."""

    def __init__(self, tree: Tree, directory: DirectoryFacts) -> None:
        self._tree = tree
        self._directory = directory
        self._leaf: Position | None = None
        self._stored: StoredLeaf | None = None
        self._next = 0
        self.used_up = True

    def __repr__(self) -> str:
        return f"<Entries of directory {self._directory.number}, next {self._next}>"

    @property
    def stored(self) -> StoredLeaf | None:
        """The leaf that `head` lies in."""
        return self._stored

    @property
    def head(self) -> Found | None:
        """None at the end."""
        leaf = self._loaded
        at = self._next - leaf.at
        return self._tree.found(self._directory, leaf, at) if at < leaf.part.count else None

    def advance(self) -> None:
        self._next += 1
        self.used_up = self._next >= self._loaded.at + self._loaded.part.count

    async def load(self) -> None:
        """Go on to the next leaf. May raise what reading a tree may."""
        await trio.lowlevel.checkpoint()
        self._leaf = await self._tree.leaf_at(self._directory, self._next)
        self._stored = StoredLeaf(self._leaf.span, self._leaf.part.count)
        self.used_up = False

    @property
    def _loaded(self) -> Position:
        assert self._leaf is not None
        return self._leaf


def directory_of(side: Side) -> DirectoryFacts | None:
    """The directory that it is; None if it is a file or a symlink."""
    if isinstance(side, DirectoryFacts):
        return side
    return side.facts() if isinstance(side.entry, Directory) else None
