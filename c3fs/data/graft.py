"""Puts an entry of one published tree into another, under a path: a new tree of old blobs.

Only directories on the path are encoded anew, and those that are merged; everything else is kept as an entry that
names its encoding where it lies. What runs here is the worker thread's side of c3fs.publish.upload: it reads leaves
through trio, and encodes them as the publisher does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec
import trio

from c3fs.core.digest import Buffer, Digest
from c3fs.core.directory import Directory, Entry, File, LongFile, Symlink
from c3fs.core.manifest import Root, root_span
from c3fs.core.span import Span
from c3fs.core.wirespan import HOLE, WireSpan
from c3fs.data.reach import Need, add_reach, need_of_entry
from c3fs.data.walk import Entries, Side, directory_of
from c3fs.errors import IsDirectoryError, NotDirectoryError
from c3fs.publish.items import Folder, Kept, StoredLeaf
from c3fs.publish.pack import Packer
from c3fs.publish.tree import TreeEncoder
from c3fs.vfs.tree import DirectoryFacts, Found, Tree

MADE_MODE: Final = 0o755
"""Of directories that are made on the way."""
_NEEDS_MAX: Final = 1_000
"""Kept entries whose blobs are looked up together: a call from the thread costs 150 us."""
_UNPLACED: Final = WireSpan(HOLE, 0, 0)


class Graft(NamedTuple):
    """What is put where: `entry` becomes the last name of the path. `directory` is what it is, in `tree`, if it is a
    directory."""

    entry: Kept
    tree: Tree | None = None
    directory: DirectoryFacts | None = None


class Grafted(NamedTuple):
    """The new tree: the blobs it needs that were there before, and those it made with their sizes."""

    root: Root
    kept: set[Digest]
    made: dict[Digest, int]


def graft_of(tree: Tree, top: Side) -> Graft:
    return Graft(_kept(top, None), tree, directory_of(top))


def graft_of_symlink(mtime_ns: int, target: bytes) -> Graft:
    return Graft(Kept(Symlink(b"?", mtime_ns, target), [], None))


@dataclass(slots=True)
class _Level:
    """A directory that is being put together: of what is in `base`, and of what is in `over` (the directory that is
    merged into it) or the next name of the `way` to go."""

    path: bytes
    base: Entries | None
    over: Entries | None
    way: tuple[bytes, ...]


@dataclass(slots=True)
class Grafter:
    """One run: `graft` into `base` (None: an empty tree) under the names of `way`, at least one.

    Directories on the way are made, with the time `now_ns`, or keep their modes and times. A directory is merged into a
    directory, which gets its mode and time; a file or symlink takes the place of a file or symlink.
    """

    base: Tree | None
    graft: Graft
    way: tuple[bytes, ...]
    now_ns: int
    emit: Callable[[Digest, Buffer], None]
    _levels: list[_Level] = field(default_factory=list[_Level])
    _needs: dict[Tree, list[Need]] = field(default_factory=dict[Tree, list[Need]])
    _kept: set[Digest] = field(default_factory=set[Digest])
    _made: dict[Digest, int] = field(default_factory=dict[Digest, int])
    _encoder: TreeEncoder = field(init=False)

    def __post_init__(self) -> None:
        self._encoder = TreeEncoder(Packer(self._emit))

    def run(self) -> Grafted:
        """In a worker thread. Raises NotDirectoryError, IsDirectoryError, and what reading the trees may."""
        top = None if self.base is None else self.base.root
        root = self._begin(b"", b"", top, None, self.way)
        while self._levels:
            self._step(self._levels[-1])
        self._encoder.finish()
        self._reach()
        digest, span = root.hasher.digest(), root_span(root.span())
        record = Root(str(digest), root.mode, root.mtime_ns, span, *root.totals)
        return Grafted(record, self._kept | self._encoder.kept, self._made)

    def _begin(
        self, path: bytes, name: bytes, base: DirectoryFacts | None, over: DirectoryFacts | None, way: tuple[bytes, ...]
    ) -> Folder:
        about = over or base
        mode, time = (MADE_MODE, self.now_ns) if about is None else (about.mode, about.mtime_ns)
        folder = Folder(name, mode, time)
        self._encoder.begin(folder)
        below = None if base is None or self.base is None else Entries(self.base, base)
        above = None if over is None or self.graft.tree is None else Entries(self.graft.tree, over)
        self._levels.append(_Level(path, below, above, way))
        return folder

    def _step(self, level: _Level) -> None:
        """The next name of the directory."""
        below, above = _head(level.base), _head(level.over)
        name = level.way[0] if level.way else above.entry.name if above is not None else None
        if below is not None and level.base is not None and (name is None or below.entry.name <= name):
            leaf = level.base.stored
            level.base.advance()
            if below.entry.name != name:
                self._keep(self.base, _kept(below, leaf))
                return
        else:
            below = None
        if level.way:
            self._go(level, below)
        elif above is not None and level.over is not None:
            leaf = level.over.stored
            level.over.advance()
            graft = Graft(_kept(above, leaf), self.graft.tree, directory_of(above))
            self._put(level.path, graft, below)
        else:
            self._levels.pop()
            self._encoder.end()

    def _go(self, level: _Level, below: Found | None) -> None:
        """The next name on the way."""
        name, *rest = level.way
        level.way = ()
        if not rest:
            self._put(level.path, self.graft._replace(entry=_renamed(self.graft.entry, name)), below)
            return
        path = _join(level.path, name)
        directory = None if below is None else directory_of(below)
        if below is not None and directory is None:
            raise NotDirectoryError(path)
        self._begin(path, name, directory, None, tuple(rest))

    def _put(self, parent: bytes, graft: Graft, below: Found | None) -> None:
        """Under its own name, where `below` is as yet."""
        path = _join(parent, graft.entry.name)
        directory = None if below is None else directory_of(below)
        if below is not None and directory is None and graft.directory is not None:
            raise NotDirectoryError(path)
        if directory is None:
            self._keep(graft.tree, graft.entry)
        elif graft.directory is None:
            raise IsDirectoryError(path)
        elif directory.digest == graft.directory.digest:
            self._keep(graft.tree, graft.entry)
        else:
            self._begin(path, graft.entry.name, directory, graft.directory, ())

    def _keep(self, tree: Tree | None, kept: Kept) -> None:
        self._encoder.add(kept)
        entry = kept.entry
        if isinstance(entry, File):
            for span in kept.spans:
                if span.blob is not None:
                    self._kept.add(span.blob)
        elif tree is not None and not isinstance(entry, Symlink):
            needs = self._needs.setdefault(tree, [])
            needs.append(need_of_entry(entry, kept.spans[0], len(self._levels)))
            if len(needs) >= _NEEDS_MAX:
                self._reach()

    def _reach(self) -> None:
        for tree, needs in self._needs.items():
            trio.from_thread.run(add_reach, tree.reader, needs, self._kept)
        self._needs.clear()

    def _emit(self, digest: Digest, data: Buffer) -> None:
        self._made[digest] = len(data)
        self.emit(digest, data)


def _head(entries: Entries | None) -> Found | None:
    if entries is None:
        return None
    if entries.used_up:
        trio.from_thread.run(entries.load)
    return entries.head


def _kept(side: Side, leaf: StoredLeaf | None) -> Kept:
    if isinstance(side, DirectoryFacts):
        entry = Directory(b"?", side.mode, side.mtime_ns, bytes(side.digest), _UNPLACED, *side.totals)
        return Kept(entry, [side.span], None)
    return Kept(side.entry, _spans(side, side.entry), leaf)


def _spans(found: Found, entry: Entry) -> list[Span]:
    match entry:
        case File():
            return [found.part.span(span) for span in entry.spans]
        case Directory() | LongFile():
            return [found.part.span(entry.span)]
        case Symlink():
            return []


def _renamed(kept: Kept, name: bytes) -> Kept:
    return Kept(msgspec.structs.replace(kept.entry, name=name), kept.spans, None)


def _join(path: bytes, name: bytes) -> bytes:
    return path + b"/" + name if path else name
