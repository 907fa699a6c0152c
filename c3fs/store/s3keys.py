"""The keys of blobs in a bucket, relative to the prefix: written and read here only.

    ab/<64 hex digits of the digest>                   a blob that c3fs itself has put: whoever may put is trusted with
                                                       the key, and Verified notices bytes that are others
    ab/<digest>.<64 hex digits of their SHA-256>       a blob put with a presigned URL: the server has compared the
                                                       bytes with the SHA-256, so no late put changes what is there

They begin with the first byte of the digest, so what one shelf holds is one listing, in which the objects of one digest
stand together.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from c3fs.core.digest import Digest

SHA256_SIZE: Final = 32
"""Bytes in a SHA-256."""
_KEY: Final = re.compile(r"([0-9a-f]{2})/(\1[0-9a-f]{62})(?:\.([0-9a-f]{64}))?\Z")


class BlobKey(NamedTuple):
    """`sha256` is None when c3fs itself has put it."""

    digest: Digest
    sha256: bytes | None = None

    def __str__(self) -> str:
        name = f"{self.digest[0]:02x}/{self.digest}"
        return name if self.sha256 is None else f"{name}.{self.sha256.hex()}"


def shelf_prefix(prefix: int) -> str:
    """What the keys of the digests have in common whose first byte is `prefix`."""
    return f"{prefix:02x}/"


def parse_key(text: str) -> BlobKey | None:
    """None if no store writes such a key."""
    matched = _KEY.match(text)
    if matched is None:
        return None
    sha256 = matched[3]
    return BlobKey(Digest.parse(matched[2]), None if sha256 is None else bytes.fromhex(sha256))
