"""Sizes in bytes as people read them: binary units, one decimal."""

from __future__ import annotations

from typing import Final

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def format_size(size: int) -> str:
    """At most ten characters below a thousand PiB: "812 B", "3.4 MiB"."""
    if size < 1024:
        return f"{size} B"
    value, unit = size / 1024, 1
    while value >= 1023.95 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.1f} {_UNITS[unit]}"
