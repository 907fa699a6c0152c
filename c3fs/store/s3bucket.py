"""One place in an S3 bucket, asked synchronously: for worker threads. Every call is one request and bounded, but for a
listing, which is one request for each 1,000 objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import obstore
from obstore.exceptions import BaseError

from c3fs.core.digest import Buffer
from c3fs.core.span import BLOB_MAX
from c3fs.errors import BlobMissingError, DeletionUnansweredError, StoreRefusedError
from c3fs.store.s3client import open_client
from c3fs.store.s3errors import Answer, answer_of, mapped, store_error
from c3fs.store.s3keys import BlobKey, shelf_prefix
from c3fs.store.s3settings import S3Settings

DELETE_WITHIN: Final = 5.0
"""Seconds one request to delete may take."""
LATE: Final = 1800.0
"""Seconds for which S3 may carry out a request that was sent: until 15 minutes after the time at which it was signed,
by a clock that may be 15 minutes ahead of the server's. SeaweedFS 4.48 and Ceph RGW 16.2 refuse it after that."""
PAGE: Final = 1_000
"""Objects that one request lists."""
_TAKEN: Final = frozenset({409, 412, 429})
"""Answers to a put that may mean that somebody else is putting the same blob, or has."""


class Stored(NamedTuple):
    """One object; `modified` in seconds since 1970, whole ones."""

    key: str
    size: int
    modified: float


class Bucket:
    """Raises StoreUnavailableError and StoreRefusedError, as c3fs.store.s3errors tells; any thread may call it."""

    def __init__(self, settings: S3Settings, within: float) -> None:
        self._settings = settings
        self._client = open_client(settings, within)
        self._deleting = open_client(settings, min(within, DELETE_WITHIN))

    def __repr__(self) -> str:
        return f"<Bucket {self._settings.place}>"

    def get(self, key: BlobKey) -> memoryview:
        """The bytes, where the client has gathered them; raises BlobMissingError. What is larger than a blob can be is
        refused, and not read."""
        with mapped(self._settings, key.digest):
            found = obstore.get(self._client, str(key))
            if found.meta["size"] > BLOB_MAX:
                raise StoreRefusedError(f"{self._settings.place}: {key} has {found.meta['size']} bytes; it is no blob")
            return memoryview(found.bytes())

    def size(self, key: BlobKey) -> int | None:
        """Bytes in it; None if it is not there."""
        try:
            with mapped(self._settings, key.digest):
                return obstore.head(self._client, str(key))["size"]
        except BlobMissingError:
            return None

    def put(self, key: BlobKey, data: Buffer) -> None:
        """`data` is hashed and sent from where it is: it must not change before this returns.

        That somebody else has put the same, or the server will not have it put again so soon, is success.
        """
        try:
            obstore.put(self._client, str(key), data, use_multipart=False)
        except (BaseError, OSError) as error:
            answer = answer_of(error)
        else:
            return
        if answer.status in _TAKEN and self.size(key) == len(data):
            return
        raise store_error(answer, self._settings)

    def list(self, prefix: int, after: str | None = None) -> Iterator[Sequence[Stored]]:
        """The objects on a shelf in the order of their keys, PAGE at a time but for the last; only those greater
        than `after`."""
        with mapped(self._settings):
            # One of its overloads, which is not used here, returns types of a package that is not installed.
            listed = self._client.list(shelf_prefix(prefix), offset=after, chunk_size=PAGE)  # pyright: ignore[reportUnknownMemberType]
            for page in listed:
                yield [Stored(found["path"], found["size"], found["last_modified"].timestamp()) for found in page]

    def delete(self, keys: Sequence[str]) -> None:
        """Delete those that are there, 1,000 at most. Raises DeletionUnansweredError when it was sent and is not known
        to have ended."""
        try:
            obstore.delete(self._deleting, keys)
        except (BaseError, OSError) as error:
            answer: Answer = answer_of(error)
        else:
            return
        if not answer.settled:
            raise DeletionUnansweredError(self._settings.place, LATE)
        raise store_error(answer, self._settings)
