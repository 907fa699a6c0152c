"""The Range header of RFC 9110, as far as blobs need it: one range of bytes."""

from __future__ import annotations

import re
from typing import Final

from c3fs.errors import C3Error

_RANGE: Final = re.compile(r"bytes=([0-9]{0,19})-([0-9]{0,19})\Z")


class RangeError(C3Error):
    """A range that none of the `size` bytes are in."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the range is beyond the {size} bytes that there are")
        self.size = size


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First byte and the one after the last; None when all is wanted, also by a header that means nothing to us: it
    may be ignored. Raises RangeError."""
    match = None if header is None else _RANGE.match(header.strip())
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        length = min(int(match[2]), size)
        if not length:
            raise RangeError(size)
        return size - length, size
    first, last = int(match[1]), int(match[2]) if match[2] else size - 1
    if match[2] and last < first:
        return None
    if first >= size:
        raise RangeError(size)
    return first, min(last + 1, size)
