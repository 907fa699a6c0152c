"""A store in an S3 bucket: one object a blob, and nothing but plain S3.

    s3settings  which place, as whom        s3keys      what objects are called      s3client  obstore, opened
    s3bucket    one request at a time       s3listing   what is on a shelf           s3errors  answers to errors

Nothing here depends on one server: plain puts, gets, HEADs, listings and deletions of many, signed in the header. Two
engines pass the contract suite, SeaweedFS and Ceph RGW.

Put. The request's signature covers the SHA-256 of the body, so bytes that were damaged on their way are refused. A
checksum to be kept with the object adds nothing to that: Verified recomputes the digest of what is got. No condition
("if none match"): identical blobs may be put at the same time by anybody, and racing conditional puts stall SeaweedFS
for seconds. An object is there whole or not at all, for whoever asks, when the put was answered.

Threads. Each call is a request in a worker thread, during which obstore lets go of the GIL. A call that is cancelled
leaves its thread behind until the request's time is over: what it gets is dropped, what it puts is the same blob
whenever it arrives. One that deletes is waited for, because it is not.

Deleting, and what is not known. A publisher who finds a blob counts on it, so no deletion may happen after gc has said
that it is over (c3fs.gc). A local disk has locks for that, S3 has none, nor a condition that tells a blob from itself,
put again: a request which was sent and not answered can be carried out as long as it lies in a buffer, or in a process
that was stopped. So:
- objects are listed, then `allowed` is asked for each, then one request for at most DELETED_AT_ONCE of them is sent;
- a call that is cancelled waits for the answer, for s3bucket.DELETE_WITHIN seconds at most, and sends no other;
- when there is none, or one that something between us and the server may have made up (5xx), the call raises
  DeletionUnansweredError with the seconds after which S3 refuses the request for its age (s3bucket.LATE). gc keeps the
  blobs condemned for as long, and publishers who need them are refused and not deceived. A connection that was refused
  has sent nothing, and a request that was answered with 2xx, 3xx or 4xx is over.
- A gc that is killed says nothing: its sweep must itself last for SWEEP_SECONDS, in the first half of which it deletes.

Measured (2 cores with SeaweedFS, client and much other work on them; 256 blobs of 4 MiB, 8 at a time, medians of 5,
beside `curl -Z --parallel-max 8` with presigned URLs in turn with it; two runs, at a load of 3 to 8 and of 7 to 13, so
absolutes say little)
- get 0.45 and 0.42 GB/s, 83 and 109 % of curl's; put 0.08 and 0.04 GB/s, which is what the server takes, 89 and 98 %.
  With the server's data in memory get is at 82 and 88 % of curl's. A GiB costs the client 0.8 s of processor time to
  get and 2.4 s to put, 0.6 s of that SHA-256.
- Threads under trio and obstore's async calls, which run under asyncio only, cost the same (512 MiB: 1.02 and 1.13 s,
  0.35 and 0.38 s of processor time); plain threads take 0.98 s. More than 8 at a time help nothing on one machine.
- A HEAD each: 1,900 to 3,000 a second with 8 to 32 at a time. A listing: 19,000 keys a second.

Tried and rejected
- Reading a body in pieces into one buffer: 20 % slower than letting obstore gather them.
- A range of the whole blob instead of a get: no faster.
- Deletions by presigned URLs that expire soon, against late ones: they are as sure as the clocks of two machines.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from itertools import groupby, takewhile
from threading import Event
from typing import Final, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

from c3fs.core.digest import Buffer, Digest
from c3fs.errors import C3Error
from c3fs.store.base import Deleted, Shelf
from c3fs.store.s3bucket import LATE, Bucket
from c3fs.store.s3keys import BlobKey
from c3fs.store.s3listing import WORTH, Objects, batches, find_missing, find_objects, list_shelf
from c3fs.store.s3settings import S3Settings

CALLS_MAX: Final = 16
"""Requests at once."""
CALL_WITHIN: Final = 30.0
"""Seconds one request may take: a blob of 4 MiB at 140 kB/s."""
SWEEP_SECONDS: Final = 2 * LATE
"""For which gc must condemn what it deletes here: see above."""
DELETED_AT_ONCE: Final = 100
"""Objects one request deletes: S3 takes 1,000, and a cancelled delete waits for the request under way."""

T = TypeVar("T")
Work = Callable[[], None]


class S3Store:
    """Behind c3fs.store.base.Store and SweepableStore, on anyio."""

    def __init__(self, settings: S3Settings, *, calls: int = CALLS_MAX, within: float = CALL_WITHIN) -> None:
        """At most `calls` requests at once, each of `within` seconds at most."""
        self._settings = settings
        self._bucket = Bucket(settings, within)
        self._threads = anyio.CapacityLimiter(calls)
        self._deleting = anyio.CapacityLimiter(calls)

    def __repr__(self) -> str:
        return f"<S3Store {self._settings.place}: {self._threads.borrowed_tokens:g} calls>"

    async def get(self, digest: Digest) -> Buffer:
        """See c3fs.store.base: what `put` has kept, not what came by a presigned URL."""
        return await self._in_thread(lambda: self._bucket.get(BlobKey(digest)))

    async def put(self, digest: Digest, data: Buffer) -> None:
        """See c3fs.store.base. A put that is cancelled may succeed until its request's time is over, and reads `data`
        until then: a buffer that somebody could change is copied first."""
        await self._put(BlobKey(digest), data)

    async def missing(self, blobs: Mapping[Digest, Buffer]) -> set[Digest]:
        """See c3fs.store.base. A request for each, or for each 1,000 objects where many of one shelf are asked for."""
        return await self.absent(blobs.keys())

    async def absent(self, digests: Collection[Digest]) -> set[Digest]:
        """As `missing`, for who has no bytes: the control plane, which is asked for others."""
        missing: set[Digest] = set()
        left = Event()

        def look(shelf: list[Digest]) -> None:
            missing.update(find_missing(self._bucket, shelf, left.is_set))

        def look_for(digest: Digest) -> None:
            if self._bucket.size(BlobKey(digest)) is None:
                missing.add(digest)

        works: list[Work] = []
        for _, group in groupby(sorted(set(digests)), key=lambda digest: digest[0]):
            shelf = list(group)
            if len(shelf) >= WORTH:
                works.append(partial(look, shelf))
            else:
                works += (partial(look_for, digest) for digest in shelf)
        await self._spread(works, left)
        return missing

    async def shelf(self, prefix: int) -> Shelf:
        """See c3fs.store.base. Blobs of both kinds: one that is there several times has the bytes of all and the time
        of the last, which S3 tells in whole seconds."""
        return await self._in_thread(lambda: list_shelf(self._bucket, prefix))

    async def delete(self, digests: Collection[Digest], allowed: Callable[[], bool]) -> Deleted:
        """See c3fs.store.base. All objects of these digests go, of both kinds.

        When it is cancelled it waits for the answer to the request under way, s3bucket.DELETE_WITHIN at most. Raises
        DeletionUnansweredError, also when it is cancelled, if there is none: see the notes above.
        """
        blobs = size = 0
        for _, group in groupby(sorted(set(digests)), key=lambda digest: digest[0]):
            shelf = set(group)
            found = await self._in_thread(lambda shelf=shelf: find_objects(self._bucket, shelf))
            for batch in batches(found, DELETED_AT_ONCE):
                gone = await self._delete(batch, allowed)
                blobs, size = blobs + len(gone), size + sum(objects.size for objects in gone)
                if len(gone) < len(batch):
                    return Deleted(blobs, size)
        return Deleted(blobs, size)

    async def sweep_temporary(self, older_than_s: float) -> int:
        """See c3fs.store.base. An object is there whole or not at all, and blobs are put in one piece: there are no
        parts that somebody could leave behind."""
        await anyio.lowlevel.checkpoint()
        return 0

    # --- blobs that were put with presigned URLs

    async def size_of(self, digest: Digest, sha256: bytes) -> int | None:
        """Bytes in the blob that was put with this SHA-256; None if none was."""
        return await self._in_thread(lambda: self._bucket.size(BlobKey(digest, sha256)))

    async def sizes_of(self, claims: Sequence[tuple[Digest, bytes]]) -> list[int | None]:
        """Likewise of several, in their order; several requests at once."""
        sizes: list[int | None] = [None] * len(claims)

        def look(at: int) -> None:
            sizes[at] = self._bucket.size(BlobKey(*claims[at]))

        await self._spread([partial(look, at) for at in range(len(claims))], Event())
        return sizes

    async def read(self, digest: Digest, sha256: bytes) -> Buffer:
        """The blob that was put with this SHA-256, not verified; raises BlobMissingError."""
        return await self._in_thread(lambda: self._bucket.get(BlobKey(digest, sha256)))

    async def remove(self, digest: Digest, sha256: bytes) -> None:
        """Delete the blob that was put with this SHA-256, if it is there. Raises DeletionUnansweredError; cancelled, it
        waits as `delete` does."""
        await anyio.lowlevel.checkpoint()
        await self._shielded(lambda: self._bucket.delete([str(BlobKey(digest, sha256))]))

    async def _put(self, key: BlobKey, data: Buffer) -> None:
        body = data if memoryview(data).readonly else bytes(data)
        await self._in_thread(lambda: self._bucket.put(key, body))

    async def _delete(self, batch: list[Objects], allowed: Callable[[], bool]) -> list[Objects]:
        """Those that were deleted: all, or as many as it was allowed to."""

        def delete() -> list[Objects]:
            # Asked for each, and none waits for another: the request is sent a moment later.
            granted = list(takewhile(lambda _: allowed(), batch))
            if granted:
                self._bucket.delete([key for objects in granted for key in objects.keys])
            return granted

        return await self._shielded(delete)

    async def _spread(self, works: Sequence[Work], left: Event) -> None:
        """Do all of it in as many threads as there may be calls, each of which does every n-th. Raises the first error.
        `left` is set when nothing of it matters any more."""
        failed: list[C3Error] = []

        def do(first: int) -> None:
            for at in range(first, len(works), self._calls):
                if left.is_set():
                    return
                works[at]()

        async def do_in_thread(first: int) -> None:
            try:
                await self._in_thread(lambda: do(first))
            except C3Error as error:
                failed.append(error)
                tasks.cancel_scope.cancel()

        try:
            async with anyio.create_task_group() as tasks:
                for first in range(min(self._calls, len(works))):
                    tasks.start_soon(do_in_thread, first)
        finally:
            left.set()
        if failed:
            raise failed[0]

    @property
    def _calls(self) -> int:
        return int(self._threads.total_tokens)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """When it is cancelled the thread is left behind, until its request's time is over."""
        return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._threads)

    async def _shielded(self, work: Callable[[], T]) -> T:
        """When it is cancelled it ends first. Its own limiter: nobody waits, shielded, for requests of others."""
        # Not abandoned, the thread shields itself; but not the wait for a place, which is why there is one for each.
        return await anyio.to_thread.run_sync(work, limiter=self._deleting)
