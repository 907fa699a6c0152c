"""Sizes as people read them."""

from __future__ import annotations

import pytest

from c3fs.core.sizes import format_size


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1024 * 1024 - 1, "1.0 MiB"),
        (3_565_158, "3.4 MiB"),
        (5 << 40, "5.0 TiB"),
        (2000 << 50, "2000.0 PiB"),
    ],
)
def test_format_size(size: int, text: str) -> None:
    assert format_size(size) == text
