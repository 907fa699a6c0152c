"""Sizes in bytes as people write them (c3fs.core.sizes has how they read them)."""

from __future__ import annotations

import re
from typing import Final

from c3fs.errors import SettingsError

_BINARY: Final = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}
_DECIMAL: Final = {"k": 3, "m": 6, "g": 9, "t": 12}
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?(?:([kmgt]?)(i?b)?|b)\Z")


def parse_size(text: str, what: str) -> int:
    """Bytes that `text` says ("20GiB", "500 MB", "4096"); raises SettingsError, naming `what`."""
    match = _SIZE.match(text.strip().lower())
    if match is None:
        raise SettingsError(f"{what}: not a size: {text!r}; write it like 20GiB, 500MB or 4096")
    number, prefix, suffix = match.groups(default="")
    factor = 10 ** _DECIMAL[prefix] if prefix and suffix == "b" else 1 << _BINARY[prefix]
    return int(float(number) * factor)
