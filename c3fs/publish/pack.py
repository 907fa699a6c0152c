"""Lays small things end to end into packs of 2 to 4 MiB.

Once a pack has PACK_MIN bytes it ends after a thing whose *label* says so: the digest of the last two names of its
path. The odds grow with the thing's size, so the end comes within another CUT_WITHIN bytes on the average, whatever
the sizes are. (With odds that do not grow, packs of few larger files would nearly always end at PACK_MAX, and shift
one another for ever.) So a file that is changed changes its own pack and no other; one that is added or removed
changes its pack, and those after it begin where they began before.

The label, not the contents: a cut that contents decide moves when just that file changes, and takes the next packs
along until a cut falls where one was. With 4 KiB files that is one change in 300, with 400 KiB files one in five.
Two names of the path, not all: a directory that is moved or published alone keeps most of its packs. Labels that are
few and repeat (a tree of `*/data/index.json`) may say so never: from PACK_LATE on contents may end the pack too.

A changed size moves the ends of what follows in the pack, and with it the first label that may end it: the odds of
that are the difference over CUT_WITHIN, 1 in 10,000 for 50 bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from c3fs.core.digest import Buffer, Digest
from c3fs.core.span import BLOB_MAX

PACK_MIN: Final = 2 << 20
PACK_LATE: Final = PACK_MIN + (3 << 19)
PACK_MAX: Final = BLOB_MAX
CUT_WITHIN: Final = 512 << 10
"""One pack in 20 has none of its labels say so before PACK_LATE (1.5 MiB, e**-3)."""
CUT_LATE_WITHIN: Final = 128 << 10
"""And of those one in 50 gets to PACK_MAX."""
_ODDS: Final = 1 << 64


class Pack:
    """One pack, open until `digest` is known."""

    __slots__ = ("digest", "size")

    def __init__(self) -> None:
        self.digest: Digest | None = None
        self.size = 0

    def __repr__(self) -> str:
        return f"<Pack {self.size} bytes, {'open' if self.digest is None else repr(self.digest)}>"


class Packer:
    """Gives every closed pack to `emit` with its bytes."""

    def __init__(self, emit: Callable[[Digest, Buffer], None]) -> None:
        self._emit = emit
        self._parts: list[Buffer] = []
        self.open = Pack()

    def __repr__(self) -> str:
        return f"<Packer {len(self._parts)} parts in {self.open!r}>"

    def fits(self, size: int) -> bool:
        """Whether `size` more bytes go into the open pack; otherwise `add` closes it first."""
        return self.open.size + size <= PACK_MAX

    def add(self, label: bytes, data: Buffer, digest: Digest) -> tuple[Pack, int]:
        """The pack that `data`, whose digest this is, was laid into, and where. `data` is kept until that closes."""
        if not self.fits(len(data)):
            self.close()
        pack, offset = self.open, self.open.size
        self._parts.append(data)
        pack.size += len(data)
        if pack.size >= PACK_MIN and _ends_after(label, digest, len(data), pack.size):
            self.close()
        return pack, offset

    def close(self) -> None:
        """End the open pack, if anything is in it."""
        if not self._parts:
            return
        data = b"".join(self._parts)
        self.open.digest = Digest.of(data)
        self._emit(self.open.digest, data)
        self._parts = []
        self.open = Pack()


def label(directory: bytes, name: bytes) -> bytes:
    """That of `name` in a directory whose own name is `directory`."""
    return directory + b"/" + name


def _ends_after(label: bytes, digest: Digest, size: int, total: int) -> bool:
    if _says_so(Digest.of(label), size, CUT_WITHIN):
        return True
    return total >= PACK_LATE and _says_so(digest, size, CUT_LATE_WITHIN)


def _says_so(digest: Digest, size: int, within: int) -> bool:
    return int.from_bytes(digest[:8]) * within < size * _ODDS
