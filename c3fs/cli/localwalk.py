"""What a copy of a local file or directory is going to read, by a look at the names beforehand."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from c3fs.errors import CollectError


class Local(NamedTuple):
    """A file or symlink; `path` is relative to the source, and b"" for the source itself."""

    path: bytes
    size: int


class Totals(NamedTuple):
    files: int
    bytes: int


def walk(source: bytes) -> Iterator[Local]:
    """Files and symlinks at and below `source`, in order of name, symlinks not followed. What is neither, and what goes
    meanwhile, is left out, as collecting does. Raises CollectError for what cannot be read."""
    waiting = [b""]
    while waiting:
        path = waiting.pop()
        full = os.path.join(source, path) if path else source
        try:
            about = os.lstat(full)
            if stat.S_ISDIR(about.st_mode):
                names = sorted(os.listdir(full), reverse=True)
                waiting.extend(os.path.join(path, name) for name in names)
                continue
        except FileNotFoundError:
            continue
        except OSError as error:
            raise CollectError(full, f"cannot be read: {error.strerror}") from error
        if stat.S_ISREG(about.st_mode):
            yield Local(path, about.st_size)
        elif stat.S_ISLNK(about.st_mode):
            yield Local(path, 0)


def totals(source: bytes) -> Totals:
    files = size = 0
    for local in walk(source):
        files += 1
        size += local.size
    return Totals(files, size)
