"""A span: the bytes of one file or directory, or of a piece of it, inside a blob."""

from __future__ import annotations

from typing import Final, NamedTuple

from c3fs.core.digest import Digest

BLOB_MAX: Final = 4 << 20
"""Bytes a blob may have: 4 MiB. SeaweedFS and others split what is larger."""

FILE_MAX: Final = (1 << 63) - 1
"""Bytes a file may have (off_t)."""


class Span(NamedTuple):
    """`size` bytes at `offset` of `blob`; with `blob` None a hole of `size` zero bytes."""

    blob: Digest | None
    offset: int
    size: int


EMPTY_SPAN: Final = Span(None, 0, 0)
"""What an empty directory is stored as: nothing."""
