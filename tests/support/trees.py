"""Source trees on disk, given as nested dicts, and what is on disk as facts that can be compared.

    {b"dir": {b"file": b"content"}, b"tool": File(b"#!", mode=0o755), b"link": Link(b"dir"), b"big": Sparse(1 << 33)}

`facts` says the same of a directory as tests.support.decoded does of a published tree.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from c3fs.core.digest import Hasher
from tests.support.blobs import seeded
from tests.support.encoded import MTIME, Link

ODD_NAMES: Final = (
    b" ", b"-rf", b"...", b"..x", b"*", b"a\nb", b"\x01\x7f", b"\xff\xfe\x80", b"caf\xc3\xa9", b"cafe\xcc\x81",
    b"\\", b"'\"", b"a", b"a.", b"a-", b"a0", b"A", b"\xf0\x9f\x90\x98", b"con", b"n" * 255, b"\xff" * 255,
)  # fmt: skip
"""Names that Linux allows; a, a., a- and a0 sort otherwise as paths than as names."""


@dataclass(frozen=True)
class File:
    """A file with mode and time of its own; plain bytes stand for File(bytes)."""

    data: bytes
    mode: int = 0o644
    mtime_ns: int = MTIME


@dataclass(frozen=True)
class Sparse:
    """A file of `size` bytes, all hole but for the data at some offsets."""

    size: int
    data: Mapping[int, bytes] = field(default_factory=dict[int, bytes])


Source = Mapping[bytes, "bytes | File | Link | Sparse | Source"]


class Fact(NamedTuple):
    """What a tree says of one path. `content` is the digest of a file, the target of a symlink, b"" of a directory."""

    kind: str
    mode: int
    mtime_ns: int
    size: int
    content: bytes


def build(top: Path, source: Source) -> Path:
    """Make the directory `top` hold `source`, every time MTIME unless it says otherwise; `top`."""
    top.mkdir(parents=True, exist_ok=True)
    with _opened(os.fsencode(top), None) as descriptor:
        os.fchmod(descriptor, 0o755)
        _fill(descriptor, source)
    return top


def _fill(directory: int, source: Source) -> None:
    for name, what in source.items():
        match what:
            case bytes():
                _write(directory, name, File(what))
            case File():
                _write(directory, name, what)
            case Link(target):
                os.symlink(target, name, dir_fd=directory)
                os.utime(name, ns=(MTIME, MTIME), dir_fd=directory, follow_symlinks=False)
            case Sparse():
                _write_sparse(directory, name, what)
            case _:
                os.mkdir(name, dir_fd=directory)
                with _opened(name, directory) as below:
                    os.fchmod(below, 0o755)
                    _fill(below, what)
    os.utime(directory, ns=(MTIME, MTIME))


def _write(directory: int, name: bytes, file: File) -> None:
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=directory)
    try:
        written = 0
        while written < len(file.data):
            written += os.write(descriptor, file.data[written:])
        os.fchmod(descriptor, file.mode)
        os.utime(descriptor, ns=(file.mtime_ns, file.mtime_ns))
    finally:
        os.close(descriptor)


def _write_sparse(directory: int, name: bytes, file: Sparse) -> None:
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=directory)
    try:
        os.fchmod(descriptor, 0o644)
        os.ftruncate(descriptor, file.size)
        for offset, data in file.data.items():
            os.pwrite(descriptor, data, offset)
        os.utime(descriptor, ns=(MTIME, MTIME))
    finally:
        os.close(descriptor)


@contextmanager
def _opened(name: bytes, directory: int | None) -> Generator[int]:
    descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def facts(top: Path) -> dict[bytes, Fact]:
    """Of everything below `top`, by path; symlinks are not followed, and `top` is b""."""
    found: dict[bytes, Fact] = {}
    with _opened(os.fsencode(top), None) as descriptor:
        _note(found, b"", descriptor)
    return found


def _note(found: dict[bytes, Fact], path: bytes, directory: int) -> None:
    found[path] = _fact(os.fstat(directory), "directory", b"", size=0)
    for listed in sorted(map(os.fsencode, os.listdir(directory))):
        here = path + b"/" + listed if path else listed
        about = os.stat(listed, dir_fd=directory, follow_symlinks=False)
        if stat.S_ISDIR(about.st_mode):
            with _opened(listed, directory) as below:
                _note(found, here, below)
        elif stat.S_ISLNK(about.st_mode):
            found[here] = _fact(about, "symlink", os.readlink(listed, dir_fd=directory))
        else:
            found[here] = _fact(about, "file", _digest(directory, listed))


def _fact(about: os.stat_result, kind: str, content: bytes, size: int | None = None) -> Fact:
    return Fact(kind, stat.S_IMODE(about.st_mode), about.st_mtime_ns, about.st_size if size is None else size, content)


def _digest(directory: int, name: bytes) -> bytes:
    hasher = Hasher()
    descriptor = os.open(name, os.O_RDONLY, dir_fd=directory)
    try:
        while data := os.read(descriptor, 4 << 20):
            hasher.update(data)
    finally:
        os.close(descriptor)
    return bytes(hasher.digest())


# --- ready-made trees ------------------------------------------------------------


def many(files: int, size: int, per_directory: int, seed: int = 0) -> Source:
    """`files` different files of `size` bytes, spread over directories d0000, d0001, …"""
    contents = seeded(seed, files * size)
    tree: dict[bytes, dict[bytes, bytes]] = {}
    for number in range(files):
        folder = tree.setdefault(b"d%04d" % (number // per_directory), {})
        folder[b"f%06d" % number] = contents[number * size : (number + 1) * size]
    return tree


def deep(levels: int, bottom: Source) -> Source:
    """`bottom` below `levels` directories."""
    tree = bottom
    for level in reversed(range(levels)):
        tree = {b"level%03d" % level: tree}
    return tree


def odd() -> Source:
    """One of everything that a published tree keeps."""
    return {
        b"names": dict.fromkeys(ODD_NAMES, b"odd"),
        b"names-of-directories": {name: {b"in": name} for name in ODD_NAMES},
        b"modes": {b"%04o" % mode: File(b"x", mode) for mode in (0o000, 0o400, 0o755, 0o777, 0o2755, 0o4711, 0o1644)},
        b"times": {b"%d" % time: File(b"t", mtime_ns=time) for time in (0, 1, -(10**18), 4 * 10**18)},
        b"empty": {b"file": b"", b"directory": {}},
        b"links": {
            b"in": Link(b"../empty/file"), b"out": Link(b"/etc/passwd"), b"loop": Link(b"loop"), b"up": Link(b".."),
            b"dangling": Link(b"\xff/nothing"), b"long": Link(b"l" * 4095),
        },
        b"sizes": {
            b"%d" % size: seeded(size, size)
            for size in (1, 4095, 4097, (512 << 10) - 1, 512 << 10, (4 << 20) + 1, (17 << 20) + 5)
        },
        b"sparse": {
            b"all": Sparse(8 << 20), b"small": Sparse(4096), b"tail": Sparse(5 << 20, {0: b"begin"}),
            b"far": Sparse((1 << 28) + 9, {1 << 28: b"end"}),
            b"between": Sparse(6 << 20, {1 << 20: seeded(1, 700_000), 5 << 20: seeded(2, 600_000)}),
        },
        b"deep": deep(40, {b"bottom": b"found"}),
    }  # fmt: skip
