"""What to look at below the working directory: by descriptor, in order of name, never through a symlink."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from operator import itemgetter
from typing import Final

from c3fs.core.names import DEPTH_MAX, check_name
from c3fs.errors import CollectError, InvalidNameError

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class Kind(Enum):
    FILE = stat.S_IFREG
    DIRECTORY = stat.S_IFDIR
    SYMLINK = stat.S_IFLNK
    SOCKET = stat.S_IFSOCK
    FIFO = stat.S_IFIFO
    DEVICE = stat.S_IFCHR

    def __str__(self) -> str:
        return self.name.lower()

    @property
    def special(self) -> bool:
        """Cannot be published."""
        return self in _SPECIAL


_SPECIAL: Final = frozenset((Kind.SOCKET, Kind.FIFO, Kind.DEVICE))


@dataclass(slots=True)
class Wanted:
    """Which names below a directory are collected: all of them, or those of the outputs below it."""

    whole: bool = False
    below: dict[bytes, Wanted] = field(default_factory=dict[bytes, "Wanted"])

    def add(self, parts: Iterable[bytes]) -> None:
        here = self
        for part in parts:
            here = here.below.setdefault(part, Wanted())
        here.whole = True

    def at(self, name: bytes) -> Wanted:
        return self if self.whole else self.below[name]


def parts_of(output: bytes) -> tuple[bytes, ...]:
    """The names on the way to an output; none for b".". Raises CollectError when it leads out, or is no path."""
    parts = tuple(part for part in output.split(b"/") if part not in (b"", b"."))
    if not output or output.startswith(b"/") or b".." in parts:
        raise CollectError(output or b"''", "an output is a path below the working directory")
    if len(parts) > DEPTH_MAX:
        raise CollectError(output, f"deeper than {DEPTH_MAX} directories")
    try:
        return tuple(map(check_name, parts))
    except InvalidNameError as error:
        raise CollectError(output, str(error)) from None


def open_directory(path: bytes, parent: int | None = None) -> int:
    """A descriptor of the directory; raises OSError for a symlink or anything else."""
    return os.open(path, _DIRECTORY, dir_fd=parent)


def kind_at(base: int, parts: tuple[bytes, ...]) -> Kind | None:
    """What the path below `base` is, no symlink followed on the way; None if there is no such path."""
    here = os.dup(base)
    try:
        for at, part in enumerate(parts, start=1):
            kind = kind_of(here, part)
            if kind is not Kind.DIRECTORY or at == len(parts):
                # A symlink on the way is told as what stands there: it is refused like one at the end.
                return kind if at == len(parts) or kind is Kind.SYMLINK else None
            below = open_directory(part, here)
            os.close(here)
            here = below
        return Kind.DIRECTORY
    finally:
        os.close(here)


def kind_of(directory: int, name: bytes) -> Kind | None:
    """What `name` is now; None if it is gone."""
    try:
        mode = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None
    return Kind.DEVICE if stat.S_ISBLK(mode) else Kind(stat.S_IFMT(mode))


def names(descriptor: int) -> list[tuple[bytes, Kind | None]]:
    """All names in an open directory, in order, with their kinds where the directory tells them."""
    with os.scandir(descriptor) as found:
        return sorted(((os.fsencode(entry.name), _kind(entry)) for entry in found), key=itemgetter(0))


def _kind(entry: os.DirEntry[str]) -> Kind | None:
    """Without a stat on any usual file system; None for what needs a closer look."""
    if entry.is_file(follow_symlinks=False):
        return Kind.FILE
    if entry.is_dir(follow_symlinks=False):
        return Kind.DIRECTORY
    return Kind.SYMLINK if entry.is_symlink() else None
