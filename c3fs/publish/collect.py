"""Reads the outputs and turns them into blobs: what runs in the worker thread."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from c3fs.core.digest import EMPTY, Buffer, Digest, Hasher
from c3fs.core.directory import Symlink
from c3fs.core.manifest import Root, root_span
from c3fs.core.span import EMPTY_SPAN, Span
from c3fs.errors import CollectError, FileChangedError
from c3fs.publish import scan
from c3fs.publish.chunk import LARGE, Cutter, segments
from c3fs.publish.pack import Packer
from c3fs.publish.scan import Wanted
from c3fs.publish.tree import ChunkedFile, Folder, PackedFile, Place, TreeEncoder

READ_TRIES: Final = 3
"""Times a file is read that changes while it is read."""
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_ZEROS: Final = bytes(1 << 20)
_PERMISSIONS: Final = 0o7777

Emit = Callable[[Digest, Buffer], None]


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
    names: Iterator[bytes]


@dataclass(slots=True)
class Collector:
    """One run over `outputs` below `base`. Every blob goes to `emit`, once; `emit` may block.

    With `best_effort` what cannot be read is a warning, and `Collected.complete` False; otherwise it raises
    CollectError, FileChangedError.
    """

    base: bytes
    outputs: tuple[bytes, ...]
    emit: Emit
    best_effort: bool = False
    on_read: Callable[[int], None] = lambda _: None
    _blobs: dict[Digest, int] = field(default_factory=dict[Digest, int])
    _warnings: list[str] = field(default_factory=list[str])
    _complete: bool = True
    _cutter: Cutter = field(default_factory=Cutter)

    def run(self) -> Collected:
        files = Packer(self._emit_once)
        order = self._walk(files)
        files.close()
        directories = Packer(self._emit_once)
        encoder = TreeEncoder(directories)
        for folder in order:
            encoder.encode(folder)
        directories.close()
        return Collected(_root(order[-1]), self._blobs, self._warnings, self._complete)

    def _walk(self, packer: Packer) -> list[Folder]:
        """All folders, filled, those below a folder before it: the order they are finished in."""
        finished: list[Folder] = []
        top = scan.open_directory(self.base)
        levels = [self._level(top, b"", b"", self._existing(top))]
        try:
            while levels:
                level = levels[-1]
                name = next(level.names, None)
                if name is None:
                    finished.append(level.folder)
                    os.close(levels.pop().descriptor)
                    continue
                below = self._item(level, name, packer)
                if below is not None:
                    levels.append(below)
        finally:
            for level in levels:
                os.close(level.descriptor)
        return finished

    def _existing(self, top: int) -> Wanted:
        """The outputs that are there."""
        there: list[bytes] = []
        for output in self.outputs:
            scan.wanted([output])
            try:
                kinds = scan.kinds(output, top)
            except (FileNotFoundError, NotADirectoryError):
                self._warn(output, "does not exist; nothing was collected for it")
                continue
            if any(stat.S_ISLNK(mode) for mode in kinds):
                self._fail(
                    CollectError(output, "is or lies behind a symlink; an output is a directory of the job's own")
                )
                continue
            if not stat.S_ISDIR(kinds[-1]):
                self._warn(output, "is not a directory; collected as it is")
            there.append(output)
        return scan.wanted(there)

    def _level(self, descriptor: int, name: bytes, path: bytes, want: Wanted) -> _Level:
        about = os.fstat(descriptor)
        folder = Folder(name, stat.S_IMODE(about.st_mode) & _PERMISSIONS, about.st_mtime_ns)
        return _Level(descriptor, path, want, folder, iter(scan.names(descriptor, want)))

    def _item(self, level: _Level, name: bytes, packer: Packer) -> _Level | None:
        """Collect one name; the level to go on with if it is a directory."""
        path = level.path + b"/" + name if level.path else name
        want = level.want if level.want.whole else level.want.below[name]
        with scan.unreadable(path, self._fail):
            about = os.stat(name, dir_fd=level.descriptor, follow_symlinks=False)
            mode = about.st_mode
            if stat.S_ISREG(mode):
                file = self._file(level.descriptor, name, path, packer)
                if file is not None:
                    level.folder.items.append(file)
            elif stat.S_ISLNK(mode):
                target = os.readlink(name, dir_fd=level.descriptor)
                level.folder.items.append(Symlink(name, about.st_mtime_ns, target))
            elif stat.S_ISDIR(mode):
                scan.check_depth(path)
                descriptor = scan.open_directory(name, level.descriptor)
                try:
                    below = self._level(descriptor, name, path, want)
                except BaseException:
                    os.close(descriptor)
                    raise
                level.folder.items.append(below.folder)
                return below
            else:
                self._warn(path, f"is a {scan.special(mode)}; not collected")
        return None

    def _file(self, parent: int, name: bytes, path: bytes, packer: Packer) -> PackedFile | ChunkedFile | None:
        for _ in range(READ_TRIES):
            descriptor = os.open(name, _READ, dir_fd=parent)
            try:
                before = os.fstat(descriptor)
                large = before.st_size >= LARGE
                file = self._chunked(descriptor, name, before) if large else self._small(descriptor, name, before)
                unchanged = file is not None and _same(before, os.fstat(descriptor))
            finally:
                os.close(descriptor)
            if file is not None and unchanged:
                return (
                    self._packed(file, os.path.basename(os.path.dirname(path)), packer)
                    if isinstance(file, _Read)
                    else file
                )
        self._fail(FileChangedError(path, READ_TRIES))
        return None

    def _small(self, descriptor: int, name: bytes, about: os.stat_result) -> _Read | None:
        data = os.read(descriptor, about.st_size + 1)
        if len(data) != about.st_size:
            return None
        return _Read(name, stat.S_IMODE(about.st_mode), about.st_mtime_ns, data)

    def _packed(self, file: _Read, directory: bytes, packer: Packer) -> PackedFile:
        name, mode, mtime_ns, data = file
        self.on_read(len(data))
        if not data:
            return PackedFile(name, mode, mtime_ns, 0, EMPTY, None)
        digest = Digest.of(data)
        pack, offset = packer.add(name, data, digest)
        return PackedFile(name, mode, mtime_ns, len(data), digest, Place(pack, offset, len(data)))

    def _chunked(self, descriptor: int, name: bytes, about: os.stat_result) -> ChunkedFile | None:
        hasher = Hasher()
        spans: list[Span] = []
        for segment in segments(descriptor, about.st_size):
            if segment.hole:
                spans.append(Span(None, 0, segment.size))
                _hash_zeros(hasher, segment.size)
                continue
            for chunk in self._cutter.chunks(descriptor, segment.offset, segment.size):
                hasher.update(chunk)
                digest = Digest.of(chunk)
                spans.append(Span(digest, 0, len(chunk)))
                if digest not in self._blobs:
                    self._emit_once(digest, bytes(chunk))
                self.on_read(len(chunk))
        if sum(span.size for span in spans) != about.st_size:
            return None
        mode = stat.S_IMODE(about.st_mode)
        return ChunkedFile(name, mode, about.st_mtime_ns, about.st_size, hasher.digest(), spans)

    def _emit_once(self, digest: Digest, data: Buffer) -> None:
        if digest not in self._blobs:
            self._blobs[digest] = len(data)
            self.emit(digest, data)

    def _warn(self, path: bytes, what: str) -> None:
        self._warnings.append(f"{path.decode('utf-8', 'backslashreplace')} {what}")

    def _fail(self, error: CollectError) -> None:
        if not self.best_effort:
            raise error
        self._warnings.append(str(error))
        self._complete = False


class _Read(NamedTuple):
    """A small file, read and not yet laid: it may have changed meanwhile."""

    name: bytes
    mode: int
    mtime_ns: int
    data: bytes


def _same(before: os.stat_result, after: os.stat_result) -> bool:
    return (before.st_size, before.st_mtime_ns, before.st_ctime_ns) == (
        after.st_size, after.st_mtime_ns, after.st_ctime_ns,
    )  # fmt: skip


def _hash_zeros(hasher: Hasher, size: int) -> None:
    view = memoryview(_ZEROS)
    while size:
        take = min(size, len(view))
        hasher.update(view[:take])
        size -= take


def _root(folder: Folder) -> Root:
    assert folder.digest is not None
    span = EMPTY_SPAN if folder.place is None else folder.place.span()
    return Root(str(folder.digest), folder.mode, folder.mtime_ns, root_span(span), *folder.totals)
