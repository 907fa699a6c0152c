"""Lays small things end to end into packs of 2 to 4 MiB.

A pack ends after something whose digest says so, once it has PACK_MIN bytes; the odds grow with the thing's size, so
that the end comes within another half MiB on the average, whatever the sizes are. That depends on contents alone: one
changed file changes its own pack, and those after it begin where they began before. (With odds that do not grow with
the size, packs of few larger files would nearly always end at PACK_MAX, and shift one another for ever.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from c3fs.core.digest import Buffer, Digest
from c3fs.core.span import BLOB_MAX

PACK_MIN: Final = 2 << 20
PACK_MAX: Final = BLOB_MAX
CUT_WITHIN: Final = 512 << 10
"""Bytes after PACK_MIN within which a pack ends on the average; four times that reach PACK_MAX: one in fifty does."""
_ODDS: Final = 1 << 64


class Pack:
    """One pack, open until `digest` is known."""

    __slots__ = ("digest", "size")

    def __init__(self) -> None:
        self.digest: Digest | None = None
        self.size = 0


class Packer:
    """Gives every closed pack to `emit` with its bytes."""

    def __init__(self, emit: Callable[[Digest, bytes], None]) -> None:
        self._emit = emit
        self._parts: list[Buffer] = []
        self.open = Pack()

    def __repr__(self) -> str:
        return f"<Packer {len(self._parts)} parts, {self.open.size} bytes>"

    def fits(self, size: int) -> bool:
        """Whether `size` more bytes go into the open pack; otherwise `add` closes it first."""
        return self.open.size + size <= PACK_MAX

    def add(self, digest: Digest, data: Buffer) -> tuple[Pack, int]:
        """The pack that `data`, whose digest this is, was laid into, and where. `data` is kept until that closes."""
        if not self.fits(len(data)):
            self.close()
        pack, offset = self.open, self.open.size
        self._parts.append(data)
        pack.size += len(data)
        if pack.size >= PACK_MIN and _ends_after(digest, len(data)):
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


def _ends_after(digest: Digest, size: int) -> bool:
    return int.from_bytes(digest[:8]) * CUT_WITHIN < size * _ODDS
