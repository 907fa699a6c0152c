"""A store in a directory: `ab/abcd…`, one file per blob, and `tmp/` for those being written.

A put writes `tmp/<digest>.<random>`, syncs it, renames it to its place and syncs the directory it came to. So a
name in `ab/` always stands for a whole blob that is on the disk; a process that is killed leaves at most files
in `tmp/`, which nothing reads and `sweep_temporary` removes.

A blob that is found is as good as one that was put: the directory of its name is synced before the answer,
for another process may have renamed it there a moment ago and not have come to its own fsync. While it is looked for,
or renamed to its place, nobody can delete it (c3fs.store.shelf).

Work is done in worker threads, one hop a call, at most THREADS at once. A call that is cancelled leaves its
thread behind. A get's result is dropped. A put's thread looks, after it has read all of its data and before it
renames, whether its caller is still there: if not, the caller may have changed the data already, and the file
goes. If it is canceled after that look, the blob is stored whole: as the protocol allows. A delete's thread looks
before each file.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from itertools import groupby
from threading import Event
from typing import Final, TypeVar

import anyio
import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread

from c3fs.core.digest import Buffer, Digest
from c3fs.core.span import BLOB_MAX
from c3fs.store.base import SHELVES, Deleted, Shelf
from c3fs.store.blobfile import FileWriter, read_file, sync_directory
from c3fs.store.oserrors import mapped
from c3fs.store.shelf import delete_files, shelf_held

THREADS: Final = 8
"""Calls at once. Four fill the disk (c3fs.store.blobfile); twice that for disks with a longer way."""

CLEARING_UP: Final = 1.0
"""Seconds in which a put that is cancelled takes its half-written file away, as it can unless the disk hangs: a process
that is interrupted ends soon after, and its threads with it."""

T = TypeVar("T")
_TMP: Final = "tmp"
_FAN_OUT: Final = tuple(f"{number:02x}" for number in range(SHELVES))


class DirectoryStore:
    """Behind c3fs.store.base.Store and SweepableStore. The directory is made by the first put, if it may `create`.

    Whoever knows that there is a store lets nobody create another: a disk that is no longer mounted leaves an empty
    directory behind, and what was found in the old one is not in the new one.
    """

    def __init__(self, path: str, *, create: bool = True, threads: int = THREADS) -> None:
        self._path = path
        self._create = create
        self._writer = FileWriter()
        self._threads = anyio.CapacityLimiter(threads)

    def __repr__(self) -> str:
        return f"<DirectoryStore {self._path}: {self._threads.borrowed_tokens:g} calls, {self._writer!r}>"

    async def get(self, digest: Digest) -> Buffer:
        """See c3fs.store.base."""
        return await self._in_thread(lambda: self._get(digest))

    async def put(self, digest: Digest, data: Buffer) -> None:
        """See c3fs.store.base. A file of the wrong size under that name is replaced.

        When the call is cancelled, it waits CLEARING_UP at most for its file to be gone; after that `data` may be read
        for a moment longer, and changing it then does no harm.
        """
        left = Event()
        ended = _Ended(left)
        try:
            await self._in_thread(ended.told_by(lambda: self._put(digest, data, left.is_set)))
        except anyio.get_cancelled_exc_class():
            left.set()
            await ended.wait(CLEARING_UP)
            raise
        finally:
            left.set()

    async def missing(self, blobs: Mapping[Digest, Buffer]) -> set[Digest]:
        """See c3fs.store.base. Costs a stat a digest, 5 us, and an fsync of each directory they are found in. No blob
        is empty: an empty file is what a power cut has left of one, and counts as missing."""
        return blobs.keys() - (await self.sizes(blobs.keys())).keys()

    async def sizes(self, digests: Collection[Digest]) -> dict[Digest, int]:
        """Bytes in those of `digests` that are not missing. For who has no bytes of his own: the control plane, which
        is asked for others."""
        asked = sorted(set(digests))
        return await self._in_thread(lambda: self._sizes(asked))

    async def remove_corrupt(self, digest: Digest) -> bool:
        """Delete the blob if its bytes are not those that the digest names, and return whether it did. Nobody can put
        it between the look and the deletion. For whoever was told that it is corrupt, as c3fs.server is."""
        return await self._in_thread(lambda: self._remove_corrupt(digest))

    async def shelf(self, prefix: int) -> Shelf:
        """See c3fs.store.base. Costs a stat a file."""
        return await self._in_thread(lambda: self._shelf(prefix))

    async def delete(self, digests: Collection[Digest], allowed: Callable[[], bool]) -> Deleted:
        """See c3fs.store.base. Refused on a file system that has no locks."""
        asked = sorted(digests)
        left = Event()
        try:
            return await self._in_thread(lambda: self._delete(asked, lambda: not left.is_set() and allowed()))
        finally:
            left.set()

    async def sweep_temporary(self, older_than_s: float) -> int:
        """See c3fs.store.base."""
        return await self._in_thread(lambda: self._sweep(time.time() - older_than_s))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._threads)

    def _directory(self, first: int) -> str:
        return f"{self._path}/{_FAN_OUT[first]}"

    def _file(self, digest: Digest) -> str:
        return f"{self._directory(digest[0])}/{digest}"

    def _get(self, digest: Digest) -> bytes:
        path = self._file(digest)
        with mapped(path, digest):
            return read_file(path)

    def _put(self, digest: Digest, data: Buffer, left: Callable[[], bool]) -> None:
        assert len(data) <= BLOB_MAX, f"a blob of {len(data)} bytes"
        with mapped(self._file(digest)):
            try:
                self._keep(digest, data, left)
            except FileNotFoundError:
                # The first put of all, or somebody has removed a directory.
                if not self._create:
                    raise
                self._prepare()
                self._keep(digest, data, left)

    def _keep(self, digest: Digest, data: Buffer, left: Callable[[], bool]) -> None:
        with shelf_held(self._directory(digest[0])) as shelf:
            if shelf.size(digest) == len(data):
                shelf.sync()
                return
        temporary = f"{self._path}/{_TMP}/{digest}.{secrets.token_hex(4)}"
        try:
            self._writer.write(temporary, data)
            with shelf_held(self._directory(digest[0])) as shelf:
                if not left():
                    os.rename(temporary, self._file(digest))
                    shelf.sync()
        finally:
            # Gone when it was renamed, and never made when the directory is missing.
            _remove(temporary)

    def _prepare(self) -> None:
        """Make the directories. `tmp` comes last: where it is, the others are, and on the disk."""
        os.makedirs(self._path, exist_ok=True)
        for name in _FAN_OUT:
            os.makedirs(f"{self._path}/{name}", exist_ok=True)
        sync_directory(self._path)
        sync_directory(os.path.dirname(os.path.abspath(self._path)))
        os.makedirs(f"{self._path}/{_TMP}", exist_ok=True)

    def _sizes(self, digests: list[Digest]) -> dict[Digest, int]:
        found: dict[Digest, int] = {}
        with mapped(self._path):
            for first, group in groupby(digests, key=lambda digest: digest[0]):
                found |= self._sizes_on(first, list(group))
        return found

    def _sizes_on(self, first: int, digests: list[Digest]) -> dict[Digest, int]:
        try:
            with shelf_held(self._directory(first)) as shelf:
                found = {digest: size for digest in digests if (size := shelf.size(digest))}
                if found:
                    shelf.sync()
                return found
        except FileNotFoundError:
            return {}

    def _shelf(self, prefix: int) -> Shelf:
        with mapped(self._path):
            try:
                with shelf_held(self._directory(prefix)) as shelf:
                    return shelf.list(_FAN_OUT[prefix])
            except FileNotFoundError:
                return Shelf([])

    def _delete(self, digests: list[Digest], allowed: Callable[[], bool]) -> Deleted:
        blobs = size = 0
        with mapped(self._path):
            for first, group in groupby(digests, key=lambda digest: digest[0]):
                try:
                    deleted = delete_files(self._directory(first), list(group), allowed)
                except FileNotFoundError:
                    continue
                blobs, size = blobs + deleted.blobs, size + deleted.bytes
        return Deleted(blobs, size)

    def _remove_corrupt(self, digest: Digest) -> bool:
        with mapped(self._path):
            try:
                with shelf_held(self._directory(digest[0]), alone=True) as shelf:
                    if Digest.of(read_file(self._file(digest))) == digest:
                        return False
                    return shelf.delete(digest) is not None
            except FileNotFoundError:
                return False

    def _sweep(self, before: float) -> int:
        removed = 0
        with mapped(self._path):
            try:
                names = os.listdir(f"{self._path}/{_TMP}")
            except FileNotFoundError:
                return 0
            for name in names:
                path = f"{self._path}/{_TMP}/{name}"
                if _modified(path) < before:
                    removed += _remove(path)
        return removed


class _Ended:
    """Tells a task which has `left`, for it was cancelled, when the work that it gave to a thread has ended."""

    def __init__(self, left: Event) -> None:
        self._begun = False
        self._done = False
        self._left = left
        self._event = anyio.Event()
        self._loop = anyio.lowlevel.current_token()

    def told_by(self, work: Callable[[], T]) -> Callable[[], T]:
        def run() -> T:
            self._begun = True
            try:
                return work()
            finally:
                # The task says that it has left, then looks; this says that it is done, then looks. So either the task
                # does not wait, or it is told: a put that nobody cancels costs no hop back.
                self._done = True
                if self._left.is_set():
                    with suppress(anyio.RunFinishedError):  # nobody waits any more
                        anyio.from_thread.run_sync(self._event.set, token=self._loop)

        return run

    async def wait(self, seconds: float) -> None:
        """Also when cancelled; at once if the work never began."""
        if self._begun and not self._done:
            with anyio.move_on_after(seconds, shield=True):
                await self._event.wait()


def _modified(path: str) -> float:
    """When the file was last written to; in the future if it is gone."""
    try:
        return os.stat(path, follow_symlinks=False).st_mtime
    except FileNotFoundError:
        return float("inf")


def _remove(path: str) -> bool:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True
