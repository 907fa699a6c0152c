"""What is on one shelf of a bucket, by digest. Synchronous: for worker threads.

A page of 1,000 keys costs as much as 100 to 150 requests about one object each (SeaweedFS: 19,000 keys a second, 1,900
to 3,000 HEADs). So who asks for many blobs of one shelf is answered from pages, as long as a page tells of WORTH of
them: how much else is on the shelf is not known before.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from c3fs.core.digest import Digest
from c3fs.store.base import Shelf, StoredBlob
from c3fs.store.s3bucket import PAGE, Bucket
from c3fs.store.s3keys import BlobKey, parse_key

WORTH: Final = 100
"""Blobs that a page must tell of."""
_DIGITS: Final = len("ab/") + 64
"""Of a key, without the SHA-256."""


class Objects(NamedTuple):
    """Those of one digest, one at least: their keys, and the bytes in all of them."""

    keys: list[str]
    size: int


@dataclass(slots=True)
class _Found:
    keys: list[str] = field(default_factory=list[str])
    size: int = 0
    modified: float = 0.0


def list_shelf(bucket: Bucket, prefix: int) -> Shelf:
    """Blobs of both kinds: one that is there several times has the bytes of all and the time of the last."""
    found: dict[Digest, _Found] = {}
    foreign = 0
    for page in bucket.list(prefix):
        for stored in page:
            key = parse_key(stored.key)
            if key is None:
                foreign += 1
                continue
            blob = found.setdefault(key.digest, _Found())
            blob.size += stored.size
            blob.modified = max(blob.modified, stored.modified)
    return Shelf([StoredBlob(digest, blob.size, blob.modified) for digest, blob in found.items()], foreign)


def find_objects(bucket: Bucket, digests: Collection[Digest]) -> list[Objects]:
    """The objects of those of `digests` that are there; all are of one shelf. Costs a listing from the first to the
    last: a request for each 1,000 objects between them."""
    found: dict[Digest, _Found] = {}
    first, last = min(digests), max(digests)
    # Greater than this, which is the first's key but for its last digit, are the first's keys and all that follow.
    for page in bucket.list(first[0], str(BlobKey(first))[:-1]):
        for stored in page:
            key = parse_key(stored.key)
            if key is not None and key.digest in digests:
                objects = found.setdefault(key.digest, _Found())
                objects.keys.append(stored.key)
                objects.size += stored.size
        if page[-1].key[:_DIGITS] > str(BlobKey(last)):
            break
    return [Objects(blob.keys, blob.size) for blob in found.values()]


def find_missing(bucket: Bucket, digests: Sequence[Digest], left: Callable[[], bool]) -> set[Digest]:
    """Those of `digests`, which are of one shelf and in order, that c3fs itself has put no blob for. Stops with a part
    of them when the caller has `left`."""
    keys = [str(BlobKey(digest)) for digest in digests]
    missing: set[Digest] = set()
    told = 0
    for page in bucket.list(digests[0][0], keys[0][:-1]):
        before, told = told, bisect_right(keys, page[-1].key)
        there = {stored.key for stored in page}
        missing.update(digests[at] for at in range(before, told) if keys[at] not in there)
        if left() or (len(page) == PAGE and told - before < WORTH):
            break
    else:
        missing.update(digests[told:])
        told = len(digests)
    for digest in digests[told:]:
        if left():
            break
        if bucket.size(BlobKey(digest)) is None:
            missing.add(digest)
    return missing


def batches(objects: list[Objects], count: int) -> Iterator[list[Objects]]:
    """Of `count` keys at most, unless one digest has more."""
    batch: list[Objects] = []
    keys = 0
    for blob in objects:
        if batch and keys + len(blob.keys) > count:
            yield batch
            batch, keys = [], 0
        batch.append(blob)
        keys += len(blob.keys)
    if batch:
        yield batch
