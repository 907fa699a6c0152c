"""Job ids: `job_` + milliseconds since 1970 + `_` + six base-36 characters."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_SUFFIX: Final = 6
JOB_ID: Final = re.compile(r"job_[0-9]{1,15}_[0-9a-z]{6}\Z")


def new_job_id(now_ms: int, randbelow: Callable[[int], int]) -> str:
    """A fresh id; `randbelow(n)` draws from 0..n-1 (secrets.randbelow outside tests).

    Ids of one machine sort by creation; 36**6 (2.2e9) suffixes a millisecond keep machines apart.
    """
    suffix = "".join(_ALPHABET[randbelow(len(_ALPHABET))] for _ in range(_SUFFIX))
    return f"job_{now_ms}_{suffix}"


def is_job_id(text: str) -> bool:
    return JOB_ID.match(text) is not None
