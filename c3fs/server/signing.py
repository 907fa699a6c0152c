"""Where blobs are got and put: presigned URLs of S3, or paths of the control plane where S3 does not compare checksums.

URLs are good for SECONDS, which clients count on a clock of their own, from before they ask. Until S3 has been asked
what it does (`answered`), nobody is told where to put anything: 503, try again.
"""

from __future__ import annotations

from typing import Final

from c3fs.api.messages import VERSION, BlobUrl, Slot
from c3fs.core.digest import Digest
from c3fs.errors import StoreUnavailableError
from c3fs.store.presign import Presigner
from c3fs.store.s3keys import BlobKey

SECONDS: Final = 900
"""A quarter of an hour: a thousand blobs of 4 MiB at 5 MB/s. What takes longer asks again."""
OWN_SECONDS: Final = 3600.0
"""The control plane's own paths are good for ever; after this a client asks again whether they are the best."""


def own_path(digest: Digest) -> str:
    """Where the control plane itself gives and takes a blob."""
    return f"{VERSION}/blobs/{digest}"


def own_slot(digest: Digest) -> Slot:
    return Slot(str(digest), own_path(digest), {}, OWN_SECONDS)


class S3Puts:
    """Whether S3 refuses bytes that have another SHA-256 than was signed."""

    def __init__(self, compared: bool | None = None) -> None:
        self._compared = compared

    def __repr__(self) -> str:
        return f"<S3Puts compared={self._compared}>"

    @property
    def known(self) -> bool:
        return self._compared is not None

    @property
    def compared(self) -> bool:
        """Raises StoreUnavailableError while S3 has not answered."""
        if self._compared is None:
            raise StoreUnavailableError("S3 has not answered yet whether it compares checksums")
        return self._compared

    def answered(self, compared: bool) -> None:
        self._compared = compared


class S3Signer:
    """For one account. `puts` says whether S3 compares checksums, None while that is not known."""

    def __init__(self, presigner: Presigner, puts: S3Puts) -> None:
        self._presigner = presigner
        self._puts = puts

    def __repr__(self) -> str:
        return f"S3Signer({self._presigner!r}, {self._puts!r})"

    def get_url(self, digest: Digest, sha256: bytes) -> BlobUrl:
        url = self._presigner.get_url(BlobKey(digest, sha256), SECONDS)
        return BlobUrl(str(digest), url, SECONDS)

    def put_slot(self, digest: Digest, sha256: bytes, size: int) -> Slot:
        if not self._puts.compared:
            return own_slot(digest)
        url, headers = self._presigner.put_request(BlobKey(digest, sha256), size, sha256, SECONDS)
        return Slot(str(digest), url, headers, SECONDS)
