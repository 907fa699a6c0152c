"""Copies a published subtree to a local directory, byte by byte from the same reader a mount uses.

Nothing outside the destination is ever written: every directory is held open by descriptor, every name is one
component checked by the decoder, and nothing on the way is opened through a symlink (O_NOFOLLOW, dir_fd), whoever
plants one while we run. A file appears under its name only when it is whole: temporary name, then rename.
A file that is there already with the size and time the tree says is left alone, but for its mode. What a copy that
was killed left half-written goes when the next one comes by (c3fs.data.partial).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import trio

from c3fs.core.directory import Directory, File, LongFile, Symlink
from c3fs.data.partial import create, remove_abandoned, temporary_name
from c3fs.errors import DownloadError
from c3fs.vfs.filesystem import FileSystem
from c3fs.vfs.tree import DirectoryFacts, Found, Tree

PIECE: Final = 4 << 20
"""Bytes read at a time: one blob."""
_OPEN_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ABSENT: Final = -1
"""Stands for the descriptor of a directory that a dry run does not make: nothing is in it."""


@dataclass(slots=True)
class Downloaded:
    """What has been done so far (in a dry run: would be): files and symlinks written, their bytes, and files already
    there."""

    files: int = 0
    bytes: int = 0
    intact: int = 0


def nobody(path: bytes) -> None:
    """Whom files need not be told to."""


class Download:
    """One run. `progress` is called after every file and every piece of a large one.

    With `force` what is there already is copied too. A `dry_run` looks at what is there, and writes nothing. `each` is
    called with the path of every file and symlink that is written, or would be.
    """

    def __init__(
        self,
        tree: Tree,
        filesystem: FileSystem,
        progress: Callable[[Downloaded], None],
        *,
        force: bool = False,
        dry_run: bool = False,
        each: Callable[[bytes], None] = nobody,
    ) -> None:
        self._tree = tree
        self._filesystem = filesystem
        self._progress = progress
        self._force = force
        self._dry_run = dry_run
        self._each = each
        self.done = Downloaded()

    async def into(self, source: DirectoryFacts, destination: bytes) -> None:
        """Copy what is in directory `source` into the directory `destination`, made if missing; a symlink in its place
        is refused.

        Raises DownloadError, and what reading may raise. Cancelled, or failed, it leaves whole files only.
        """
        await self._below(source, None, destination.rstrip(b"/") or b"/", destination)

    async def one(self, source: Found, directory: bytes, name: bytes) -> None:
        """Copy the file or symlink `source` into the existing `directory`, under `name`."""
        with _explained(directory):
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._tidy(descriptor, directory)
            await self._entry(source, descriptor, name, os.path.join(directory, name))
        finally:
            os.close(descriptor)

    def _tidy(self, descriptor: int, path: bytes) -> None:
        if not self._dry_run:
            with _explained(path):
                remove_abandoned(descriptor)

    async def _below(self, source: DirectoryFacts, parent: int | None, name: bytes, path: bytes) -> None:
        """The directory `name`, and all that is in it."""
        descriptor = self._opened(parent, name, path)
        try:
            await self._directory(source, descriptor, path)
        finally:
            if descriptor != _ABSENT:
                os.close(descriptor)

    def _opened(self, parent: int | None, name: bytes, path: bytes) -> int:
        if parent == _ABSENT:
            return _ABSENT
        with _explained(path):
            if self._dry_run:
                with suppress(FileNotFoundError):
                    return os.open(name, _OPEN_DIRECTORY, dir_fd=parent)
                return _ABSENT
            with suppress(FileExistsError):
                os.mkdir(name, 0o777 if parent is None else 0o700, dir_fd=parent)
            return os.open(name, _OPEN_DIRECTORY, dir_fd=parent)

    async def _directory(self, source: DirectoryFacts, descriptor: int, path: bytes) -> None:
        """Modes and times of a directory come last: writing into it needs the one and changes the other."""
        self._tidy(descriptor, path)
        position = 0
        while True:
            leaf = await self._tree.leaf_at(source, position)
            first = position - leaf.at
            if first >= leaf.part.count:
                break
            for at in range(first, leaf.part.count):
                found = self._tree.found(source, leaf, at)
                await self._entry(found, descriptor, found.entry.name, os.path.join(path, found.entry.name))
            position = leaf.at + leaf.part.count
        if self._dry_run:
            return
        with _explained(path):
            os.fchmod(descriptor, source.mode & 0o777 | stat.S_IRWXU)
            os.utime(descriptor, ns=(source.mtime_ns, source.mtime_ns))

    async def _entry(self, found: Found, parent: int, name: bytes, path: bytes) -> None:
        await trio.lowlevel.checkpoint()
        match found.entry:
            case Directory():
                await self._below(found.facts(), parent, name, path)
                return
            case Symlink() as entry:
                with _explained(path):
                    written = self._symlink(entry, parent, name)
            case File() | LongFile() as entry:
                written = await self._file(found, entry, parent, name, path)
        if written:
            self.done.files += 1
            self._each(path)
        else:
            self.done.intact += 1
        self._progress(self.done)

    def _symlink(self, entry: Symlink, parent: int, name: bytes) -> bool:
        there = _there(parent, name)
        if there is not None and stat.S_ISLNK(there.st_mode) and os.readlink(name, dir_fd=parent) == entry.target:
            return False
        if self._dry_run:
            return True
        temporary = temporary_name()
        os.symlink(entry.target, temporary, dir_fd=parent)
        try:
            os.utime(temporary, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=parent, follow_symlinks=False)
            os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
        except OSError:
            os.unlink(temporary, dir_fd=parent)
            raise
        return True

    async def _file(self, found: Found, entry: File | LongFile, parent: int, name: bytes, path: bytes) -> bool:
        with _explained(path):
            there = _there(parent, name)
            if there is not None and not self._force and _is_intact(entry, there):
                if not self._dry_run:
                    _give_mode(entry.mode & 0o777, parent, name)
                return False
            if self._dry_run:
                self.done.bytes += entry.size
                return True
            temporary, descriptor = create(parent)
        renamed = False
        try:
            await self._content(found, entry, descriptor, path)
            with _explained(path):
                os.fchmod(descriptor, entry.mode & 0o777)
                os.utime(descriptor, ns=(entry.mtime_ns, entry.mtime_ns))
                os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
            renamed = True
        finally:
            os.close(descriptor)
            if not renamed:
                os.unlink(temporary, dir_fd=parent)
        return True

    async def _content(self, found: Found, entry: File | LongFile, descriptor: int, path: bytes) -> None:
        reader = self._filesystem.reader(found)
        offset = 0
        while offset < entry.size:
            data = await reader.read_at(offset, PIECE)
            with _explained(path):
                _write(descriptor, data, offset)
            offset += len(data)
            self.done.bytes += len(data)
            self._progress(self.done)
        with _explained(path):
            os.ftruncate(descriptor, entry.size)


def _write(descriptor: int, data: bytes | bytearray | memoryview, offset: int) -> None:
    """All of `data`; zeros become a hole, so a sparse file stays sparse."""
    view = memoryview(data)
    if not any(view[:64]) and not bytes(view).strip(b"\0"):
        return
    while view:
        written = os.pwrite(descriptor, view, offset)
        view = view[written:]
        offset += written


def _there(parent: int, name: bytes) -> os.stat_result | None:
    """What has the name now. Raises OSError, and IsADirectoryError, since nothing replaces a directory."""
    if parent == _ABSENT:
        return None
    try:
        there = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(there.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return there


def _is_intact(entry: File | LongFile, there: os.stat_result) -> bool:
    return stat.S_ISREG(there.st_mode) and there.st_size == entry.size and there.st_mtime_ns == entry.mtime_ns


def _give_mode(mode: int, parent: int, name: bytes) -> None:
    """To what has the name, and to nothing that a symlink planted there leads to."""
    descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) != mode:
            os.chmod(f"/proc/self/fd/{descriptor}", mode)
    finally:
        os.close(descriptor)


class _explained:
    """Turns an OSError into a DownloadError that names the path and what to do."""

    def __init__(self, path: bytes) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, OSError):
            hint = {
                errno.ENOSPC: "; free some space and run it again: what is whole is not copied twice",
                errno.ELOOP: "; a symlink is in the way",
                errno.ENOTDIR: "; something else has that name",
                errno.EISDIR: "; a directory has that name",
            }.get(error.errno or 0, "")
            raise DownloadError(self._path, f"{error.strerror}{hint}") from error
