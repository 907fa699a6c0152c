"""What differs between two published directories: walks both at once, past all that has equal digests."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Literal, NamedTuple

from c3fs.core.directory import Directory, Entry, Symlink
from c3fs.data.walk import Entries, Side, directory_of
from c3fs.vfs.tree import DirectoryFacts, Found, Tree


class Change(NamedTuple):
    """`path` lies below the two tops, its names joined by b"/"; b"" is the tops themselves when they are files."""

    kind: Literal["added", "removed", "changed"]
    path: bytes
    before: Entry | None
    after: Entry | None


class _Level(NamedTuple):
    """A directory of both trees, or of one of them, that is being walked; `last` is told when that is done."""

    path: bytes
    one: Entries | None
    other: Entries | None
    last: Change | None = None


async def diff(one: Tree, top: Side, other: Tree, other_top: Side) -> AsyncGenerator[Change]:
    """The changes that make `top` into `other_top`, in the order of a walk: sorted by the names on their paths.

    Directories of equal digest are not read. A directory that is added or removed is told as each file and symlink
    below it, or as itself if it is empty; a kind that changes is a removal, and then an addition. Times are not
    compared; modes, and the targets of symlinks, are ("changed"). Of tops that are directories nothing is told but
    what is in them.

    Raises what reading a tree may. Holds one leaf a level and side.
    """
    walk = _Walk(one, other)
    for change in walk.compare(b"", top, other_top):
        yield change
    while walk.levels:
        level = walk.levels[-1]
        before, after = await _head(level.one), await _head(level.other)
        if before is not None and after is not None:
            names = before.entry.name, after.entry.name
            before = before if names[0] <= names[1] else None
            after = after if names[1] <= names[0] else None
        here = before or after
        if here is None:
            walk.levels.pop()
            if level.last is not None:
                yield level.last
            continue
        _advance(level.one, before)
        _advance(level.other, after)
        name = here.entry.name
        for change in walk.compare(level.path + b"/" + name if level.path else name, before, after):
            yield change


async def _head(entries: Entries | None) -> Found | None:
    if entries is None:
        return None
    if entries.used_up:
        await entries.load()
    return entries.head


def _advance(entries: Entries | None, head: Found | None) -> None:
    if entries is not None and head is not None:
        entries.advance()


class _Walk:
    def __init__(self, one: Tree, other: Tree) -> None:
        self._one = one
        self._other = other
        self.levels: list[_Level] = []

    def compare(self, path: bytes, before: Side | None, after: Side | None) -> list[Change]:
        """What to tell of one path at once; a directory whose contents are to be told becomes a level."""
        one = None if before is None else directory_of(before)
        other = None if after is None else directory_of(after)
        was, now = _entry(path, before), _entry(path, after)
        if one is not None and other is not None:
            if one.digest != other.digest:
                self.levels.append(_Level(path, Entries(self._one, one), Entries(self._other, other)))
            return [Change("changed", path, was, now)] if path and one.mode != other.mode else []
        if one is None and other is None and was is not None and now is not None and _same_kind(was, now):
            return [] if _content(was) == _content(now) else [Change("changed", path, was, now)]
        removed = Change("removed", path, was, None) if was is not None else None
        added = Change("added", path, None, now) if now is not None else None
        if one is not None and not _is_empty(one):
            self.levels.append(_Level(path, Entries(self._one, one), None, added))
            return []
        if other is not None and not _is_empty(other):
            self.levels.append(_Level(path, None, Entries(self._other, other)))
            added = None
        return [change for change in (removed, added) if change is not None]


def _entry(path: bytes, side: Side | None) -> Entry | None:
    """As it is told; None of a directory that is a top."""
    if not isinstance(side, Found) or (not path and isinstance(side.entry, Directory)):
        return None
    return side.entry


def _is_empty(directory: DirectoryFacts) -> bool:
    return directory.totals.files == directory.totals.directories == 0


def _same_kind(one: Entry, other: Entry) -> bool:
    return isinstance(one, Symlink) == isinstance(other, Symlink)


def _content(entry: Entry) -> tuple[int, bytes]:
    """Mode, and digest or target: of two entries of the same kind that is what makes them equal."""
    return (0o777, entry.target) if isinstance(entry, Symlink) else (entry.mode, entry.digest)
