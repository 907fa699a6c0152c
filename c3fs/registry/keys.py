"""Secrets: keys of users and agents, tokens of jobs. Pure; where they are kept, only their SHA-256 is.

    c3_key_ + 43 + 6 characters     a key              c3_job_ + 43 + 6 characters     a job's token

The 43 are 256 random bits in base 62: nothing a URL, a shell or a double click stumbles over. The 6 are the CRC-32 of
what stands before them, so a key that was mistyped or cut off is told from a wrong one without asking anybody, and what
finds leaked secrets by their looks finds these. A secret of 256 random bits needs no slow digest: it cannot be guessed.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from collections.abc import Callable
from typing import Final

KEY: Final = "c3_key_"
JOB_TOKEN: Final = "c3_job_"

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BYTES: Final = 32
_LENGTH: Final = 43
_CHECK: Final = 6
_FORM: Final = re.compile(rf"(?:{KEY}|{JOB_TOKEN})[0-9A-Za-z]{{{_LENGTH + _CHECK}}}\Z")
_ID_LENGTH: Final = 12


def make_secret(prefix: str, draw: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """A fresh secret of a kind, KEY or JOB_TOKEN; `draw(n)` gives n random bytes."""
    text = prefix + _base62(int.from_bytes(draw(_BYTES), "big"), _LENGTH)
    return text + _check(text)


def make_key_id(draw: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """What a key is called: no secret, and no part of one."""
    return _base62(int.from_bytes(draw(_ID_LENGTH), "big"), 2 * _ID_LENGTH)[-_ID_LENGTH:]


def is_secret(text: str) -> bool:
    """Whether `text` has the form of a secret, with nothing mistyped; not whether it is good for anything."""
    return _FORM.match(text) is not None and _check(text[:-_CHECK]) == text[-_CHECK:]


def sha256_of(secret: str) -> bytes:
    """What is kept of a secret, and what it is looked for by."""
    return hashlib.sha256(secret.encode()).digest()


def _check(text: str) -> str:
    return _base62(zlib.crc32(text.encode()), _CHECK)


def _base62(number: int, length: int) -> str:
    """The last `length` digits."""
    digits: list[str] = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
