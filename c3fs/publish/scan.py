"""Walks the outputs of a job: by descriptor, in order of name, never through a symlink."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from c3fs.core.names import DEPTH_MAX
from c3fs.errors import CollectError

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_KINDS: Final = {stat.S_IFSOCK: "socket", stat.S_IFIFO: "fifo", stat.S_IFBLK: "device", stat.S_IFCHR: "device"}


@dataclass(slots=True)
class Wanted:
    """Which names below a directory are collected: all of them, or those of the outputs below it."""

    whole: bool = False
    below: dict[bytes, Wanted] = field(default_factory=dict[bytes, "Wanted"])

    def add(self, parts: Sequence[bytes]) -> None:
        here = self
        for part in parts:
            here = here.below.setdefault(part, Wanted())
        here.whole = True


def wanted(outputs: Sequence[bytes]) -> Wanted:
    """The outputs as a tree; one inside another is in it once. b"." stands for everything."""
    top = Wanted()
    for output in outputs:
        parts = [part for part in output.split(b"/") if part not in (b"", b".")]
        if b".." in parts or output.startswith(b"/"):
            raise CollectError(output, "an output is a path below the working directory")
        top.add(parts)
    return top


def kinds(output: bytes, top: int) -> list[int]:
    """The modes of the output and of every directory on the way to it, symlinks not followed."""
    parts = [part for part in output.split(b"/") if part not in (b"", b".")]
    paths = [b"/".join(parts[: end + 1]) for end in range(len(parts))] or [b"."]
    return [os.stat(path, dir_fd=top, follow_symlinks=False).st_mode for path in paths]


def open_directory(path: bytes, parent: int | None = None) -> int:
    """A descriptor of the directory; raises OSError for a symlink or anything else."""
    return os.open(path, _DIRECTORY, dir_fd=parent)


def names(descriptor: int, want: Wanted) -> list[bytes]:
    """What to collect in an open directory, in order."""
    if want.whole:
        return sorted(os.fsencode(name) for name in os.listdir(descriptor))
    return sorted(want.below)


def special(mode: int) -> str | None:
    """What kind of file it is that cannot be published, or None."""
    return _KINDS.get(stat.S_IFMT(mode))


def check_depth(path: bytes) -> None:
    if path.count(b"/") >= DEPTH_MAX:
        raise CollectError(path, f"deeper than {DEPTH_MAX} directories")


@contextmanager
def closing(descriptor: int) -> Generator[int, None, None]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def unreadable(path: bytes, report: Callable[[CollectError], None]) -> Generator[None, None, None]:
    """Hands an OSError to `report`, which raises it or notes it."""
    try:
        yield
    except OSError as error:
        report(CollectError(path, f"cannot be read: {error.strerror}"))
