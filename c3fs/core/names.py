"""What one entry's name may be, and the limits Linux puts on names and depth."""

from __future__ import annotations

from typing import Final

from c3fs.errors import InvalidNameError

NAME_MAX: Final = 255
"""Bytes in a name (NAME_MAX of limits.h)."""

DEPTH_MAX: Final = 256
"""Directories below each other that a published tree may have. Linux refuses no depth, but whoever walks a tree holds
a descriptor open per level, of which a process has 1,024 by default."""

TARGET_MAX: Final = 4095
"""Bytes in the target of a symlink (PATH_MAX less its NUL)."""


def check_name(name: bytes) -> bytes:
    """`name` itself if Linux would accept it in a directory; raises InvalidNameError otherwise."""
    if not name:
        raise InvalidNameError(name, "is empty")
    if len(name) > NAME_MAX:
        raise InvalidNameError(name[:40], f"is longer than {NAME_MAX} bytes")
    if b"/" in name or b"\0" in name:
        raise InvalidNameError(name, "holds a slash or a NUL")
    if name in (b".", b".."):
        raise InvalidNameError(name, "is reserved")
    return name
