"""Walks the outputs and turns them into blobs: what runs in the worker thread.

Rules
- An output that is not there is a warning. One that is a file is collected as that file, with a warning: the user sees
  it where it was asked for. One that is a symlink, or lies behind one, is refused: it is not the job's own.
- What `skip` says of a name below the outputs is asked before anything else: what it skips is not entered, not looked
  at, not warned of.
- Symlinks inside outputs are kept and never followed. Sockets, fifos and devices are left out with a warning.
- A directory is listed once. What appears in it later is not collected; what is gone when its turn comes is left out
  with a warning: whoever removed it did not want it.
- A file that changes while it is read, or turns into something else, is looked at anew, READ_TRIES times in all.
- What cannot be read, or changes for ever, is an error; with best effort a warning, and the tree incomplete.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from c3fs.core.digest import Buffer, Digest
from c3fs.core.directory import Symlink
from c3fs.core.manifest import Root, root_span
from c3fs.core.names import DEPTH_MAX
from c3fs.errors import CollectError, FileChangedError
from c3fs.publish import scan
from c3fs.publish.items import ChunkedFile, Folder, Item, PackedFile
from c3fs.publish.pack import Packer, label
from c3fs.publish.read import Content, FileReader, Tick, mtime_of
from c3fs.publish.scan import Kind, Wanted
from c3fs.publish.tree import NOTHING_LOST, TreeEncoder

Skip = Callable[[bytes, bool], bool]
"""Whether to leave out the name at that path, relative to the base; told whether it is a directory. It may be called
from another thread than its maker's, and raises nothing."""


def nothing(_path: bytes, _is_directory: bool) -> bool:
    """Skips nothing."""
    return False


READ_TRIES: Final = 3
"""Times a file is read that changes while it is read."""
WARNINGS_MAX: Final = 1_000
"""Warnings kept; the last one counts the rest."""
_END: Final = (b"", None)
_GONE: Final = "is gone; somebody removed it meanwhile"
_TURNED: Final = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EINVAL, errno.ENXIO))
"""What opening and reading say of a name that has become something else since it was looked at."""


class Sink(Protocol):
    """Where blobs go. Both calls may block, and raise to end the work."""

    def emit(self, digest: Digest, data: Buffer) -> None: ...

    def settle(self) -> Set[Digest]:
        """Wait until everything emitted is stored; what could not be, when that is not an error."""
        ...


@dataclass(slots=True)
class Collected:
    """What the outputs came to: the root, every blob it needs with its size, and what was odd on the way."""

    root: Root
    blobs: dict[Digest, int]
    warnings: list[str]
    complete: bool


class _Level(NamedTuple):
    """A directory that is open, and what is still to do in it."""

    descriptor: int
    path: bytes
    want: Wanted
    folder: Folder
    names: Iterator[tuple[bytes, Kind | None]]


@dataclass(slots=True)
class Collector:
    """One run over `outputs` below `base`. Every blob goes to `sink`, once; `tick` hears of what was read.

    With `best_effort` what cannot be read or stored is a warning, and `Collected.complete` False; otherwise it raises
    CollectError, FileChangedError.
    """

    base: bytes
    outputs: tuple[bytes, ...]
    sink: Sink
    best_effort: bool = False
    tick: Tick = lambda _: None
    skip: Skip = nothing
    _reader: FileReader = field(init=False)
    _blobs: dict[Digest, int] = field(default_factory=dict[Digest, int])
    _fresh: list[Digest] = field(default_factory=list[Digest])
    _unnamed: set[Digest] = field(default_factory=set[Digest])
    _warnings: list[str] = field(default_factory=list[str])
    _unsaid: int = 0
    _complete: bool = True

    def __post_init__(self) -> None:
        self._reader = FileReader(self._emit, self.tick)

    def run(self) -> Collected:
        """Everything is emitted when it returns, and not yet stored."""
        files = Packer(self._emit)
        encoder = TreeEncoder(Packer(self._emit), wait=self.best_effort)
        root = self._walk(files, encoder)
        files.close()
        lost = self.sink.settle() if self.best_effort else NOTHING_LOST
        for path in encoder.finish(lost):
            self._fail(CollectError(path, "could not be stored"))
        for digest in lost:
            self._blobs.pop(digest, None)
        if self._unsaid:
            self._warnings.append(f"and {self._unsaid} more warnings")
        span = root_span(root.span())
        record = Root(str(root.hasher.digest()), root.mode, root.mtime_ns, span, *root.totals)
        return Collected(record, self._blobs, self._warnings, self._complete)

    def _walk(self, files: Packer, encoder: TreeEncoder) -> Folder:
        """The root's folder. Iterative, with one descriptor open a level."""
        levels: list[_Level] = []
        try:
            levels.append(self._top())
            root = levels[0].folder
            encoder.begin(root)
            while levels:
                level = levels[-1]
                name, kind = next(level.names, _END)
                if not name:
                    os.close(levels.pop().descriptor)
                    encoder.end()
                    continue
                found = self._item(level, name, kind, files)
                if isinstance(found, _Level):
                    levels.append(found)
                    encoder.begin(found.folder)
                elif found is not None:
                    encoder.add(found)
        finally:
            for level in levels:
                os.close(level.descriptor)
        return root

    def _top(self) -> _Level:
        want = Wanted()
        try:
            base = scan.open_directory(self.base)
            try:
                for output in self.outputs:
                    self._want(base, output, want)
                return self._level(base, b"", b"", want)
            except BaseException:
                os.close(base)
                raise
        except OSError as error:
            raise _unreadable(self.base, error) from error

    def _want(self, base: int, output: bytes, want: Wanted) -> None:
        """Add the output to what is wanted, if it is there."""
        try:
            parts = scan.parts_of(output)
            kind = scan.kind_at(base, parts)
        except CollectError as error:
            self._fail(error)
            return
        except OSError as error:
            self._fail(_unreadable(output, error))
            return
        if kind is Kind.SYMLINK:
            self._fail(CollectError(output, "leads through a symlink; an output is a directory of the job's own"))
        elif kind is None:
            self._warn(output, "does not exist; nothing was collected for it")
        else:
            want.add(parts)
            if kind is Kind.FILE:
                self._warn(output, "is a file, not a directory; collected as it is")

    def _level(self, descriptor: int, name: bytes, path: bytes, want: Wanted) -> _Level:
        about = os.fstat(descriptor)
        folder = Folder(name, stat.S_IMODE(about.st_mode), mtime_of(about))
        if want.whole:
            return _Level(descriptor, path, want, folder, iter(scan.names(descriptor)))
        return _Level(descriptor, path, want, folder, iter([(name, None) for name in sorted(want.below)]))

    def _item(self, level: _Level, name: bytes, kind: Kind | None, files: Packer) -> _Level | Item | None:
        """Collect one name; a level to go on with if it is a directory, None if there is nothing to collect."""
        try:
            for _ in range(READ_TRIES):
                kind = kind or scan.kind_of(level.descriptor, name)
                if kind and level.want.whole and self.skip(_join(level, name), kind is Kind.DIRECTORY):
                    return None
                if kind is not Kind.DIRECTORY and not level.want.at(name).whole:
                    kind = None  # Only an output below it is wanted, and that was there a moment ago.
                if kind is None or kind.special:
                    self._warn(_join(level, name), f"is a {kind}; not collected" if kind else _GONE)
                    return None
                found = self._try(level, name, kind, files)
                if found is not None:
                    return found
                kind = None
        except OSError as error:
            self._fail(_unreadable(_join(level, name), error))
        except CollectError as error:
            self._fail(error)
        else:
            self._fail(FileChangedError(_join(level, name), READ_TRIES))
        return None

    def _try(self, level: _Level, name: bytes, kind: Kind, files: Packer) -> _Level | Item | None:
        """Collect what was a `kind` a moment ago; None if it is something else now, or changed while it was read."""
        try:
            if kind is Kind.FILE:
                return self._file(level, name, files)
            if kind is Kind.SYMLINK:
                about = os.stat(name, dir_fd=level.descriptor, follow_symlinks=False)
                return Symlink(name, mtime_of(about), os.readlink(name, dir_fd=level.descriptor))
            return self._directory(level, name)
        except OSError as error:
            if error.errno in _TURNED:
                return None
            raise

    def _directory(self, level: _Level, name: bytes) -> _Level:
        path = _join(level, name)
        if path.count(b"/") >= DEPTH_MAX:
            raise CollectError(path, f"deeper than {DEPTH_MAX} directories")
        descriptor = scan.open_directory(name, level.descriptor)
        try:
            return self._level(descriptor, name, path, level.want.at(name))
        except BaseException:
            os.close(descriptor)
            raise

    def _file(self, level: _Level, name: bytes, files: Packer) -> PackedFile | ChunkedFile | None:
        self._fresh.clear()
        content: Content | None = None
        try:
            content = self._reader.read(level.descriptor, name)
        finally:
            if content is None:
                # What was read of it was sent, and nothing names it any more.
                for digest in self._fresh:
                    del self._blobs[digest]
                self._unnamed.update(self._fresh)
        if content is None:
            return None
        about = name, content.mode, content.mtime_ns, content.size, content.digest
        if content.spans:
            return ChunkedFile(*about, content.spans)
        if not content.data:
            return PackedFile(*about, None, 0)
        return PackedFile(*about, *files.add(label(level.folder.name, name), content.data, content.digest))

    def _emit(self, digest: Digest, data: Buffer) -> None:
        if digest not in self._blobs:
            self._blobs[digest] = len(data)
            self._fresh.append(digest)
            if digest not in self._unnamed:
                self.sink.emit(digest, data)

    def _fail(self, error: CollectError) -> None:
        if not self.best_effort:
            raise error
        self._complete = False
        self._say(str(error))

    def _warn(self, path: bytes, what: str) -> None:
        self._say(f"{path.decode('utf-8', 'backslashreplace')} {what}")

    def _say(self, warning: str) -> None:
        if len(self._warnings) < WARNINGS_MAX:
            self._warnings.append(warning)
        else:
            self._unsaid += 1


def _join(level: _Level, name: bytes) -> bytes:
    return level.path + b"/" + name if level.path else name


def _unreadable(path: bytes, error: OSError) -> CollectError:
    return CollectError(path, f"cannot be read: {error.strerror}")
