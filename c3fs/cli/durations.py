"""Durations as people write them: a number and its unit."""

from __future__ import annotations

import re
from typing import Final

from c3fs.cli.exits import UsageError

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([smhd])\Z")


def parse_duration(text: str, what: str) -> float:
    """Seconds that `text` says ("90s", "30m", "24h", "7d", "1.5h", "0"); raises UsageError, naming `what`."""
    if text.strip() == "0":
        return 0.0
    match = _DURATION.match(text.strip().lower())
    if match is None:
        raise UsageError(f"{what}: not a duration: {text!r}; write it like 90s, 30m, 24h, 7d or 0")
    number, unit = match.groups()
    return float(number) * _UNITS[unit]
