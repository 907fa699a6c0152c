"""The cache as the layers above see it."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import lmdb
import trio

from c3fs.cache.environment import Environment, open_environment
from c3fs.cache.records import MINUTE, read_stats
from c3fs.cache.residency import Residency, will_need
from c3fs.cache.writer import Batch, Outcome, commit
from c3fs.core.digest import Buffer, Digest
from c3fs.errors import CacheError

log = logging.getLogger(__name__)

PENDING_MAX: Final = 16 << 20
"""Bytes that may wait to be committed; the disk is then slower than the store, and caching would only add memory."""
RENEW: Final = 0.05
"""Seconds a read transaction is used: pages that were freed since it began cannot be used again while it is open."""
IDLE: Final = 1.0
"""Seconds without a read after which the read transaction ends."""
PAUSE: Final = 30.0
"""Seconds without another try after a commit failed (full disk)."""
COMMIT_TIMEOUT: Final = 20.0
"""Seconds a commit may take, most of it waiting for another process to let go of LMDB's lock: 16 MiB take 0.1 s. After
that this process goes on without the cache."""
VERIFIED_MAX: Final = 200_000
"""Digests remembered as verified: 20 MB. Then they are forgotten, and verified again when touched."""


@dataclass(frozen=True, slots=True)
class CacheStats:
    """Of this process: hits, misses, puts dropped, records evicted. Of the environment: blobs, bytes, cap."""

    hits: int
    misses: int
    dropped: int
    evicted: int
    blobs: int
    bytes: int
    cap: int
    broken: bool


class Cache:
    """Of one process; all methods belong to trio's thread. See the package."""

    def __init__(self, environment: Environment | None, clock: Callable[[], float] = time.time) -> None:
        self._environment = environment
        self._residency = None if environment is None else Residency(f"{environment.path}/data.mdb")
        self._clock = clock
        self._txn: lmdb.Transaction[memoryview] | None = None
        self._views: dict[Digest, memoryview] = {}
        self._renew = 0.0
        self._read_since = False
        self._verified: set[Digest] = set()
        self._next = Batch(0)
        self._writing = Batch(0)
        self._pending = 0
        self._last: Digest | None = None
        self._resume = self._touched = -math.inf
        self._wanted = trio.Event()
        self._settled = trio.Event()
        self._settled.set()
        self._hits = self._misses = self._dropped = self._evicted = 0

    @classmethod
    def open(cls, directory: str, cap: int | None = None) -> Cache:
        """The cache in `directory`, of `cap` bytes (None: what it has, or a default). Where there can be none, one that
        forgets everything, with a warning: a mount works without."""
        try:
            return cls(open_environment(directory, cap))
        except CacheError as error:
            log.warning("%s; going on without", error)
            return cls(None)

    def __repr__(self) -> str:
        if self._environment is None:
            return f"<Cache: none, {self._misses} misses>"
        waiting = len(self._next.puts) + len(self._writing.puts)
        return f"<Cache {self._environment.path}, {self._hits} hits, {self._misses} misses, {waiting} blobs waiting>"

    def get(self, digest: Digest) -> memoryview | None:
        """The blob, valid until the next `get` and until the caller suspends; None if it is not cached."""
        waiting = self._next.puts.get(digest)
        if waiting is None:
            waiting = self._writing.puts.get(digest)
        if waiting is not None:
            self._hits += 1
            return memoryview(waiting)
        view = self._view(digest)
        if view is None:
            self._misses += 1
            return None
        if digest not in self._verified and not self._verify(digest, view):
            return None
        if digest != self._last and self._residency is not None:
            self._last = digest
            self._residency.served(len(view))
        self._hits += 1
        self._next.touched.add(digest)
        return view

    def contains(self, digest: Digest) -> bool:
        """Whether `get` would probably find it. Who asks means to read it soon: the kernel begins to fetch its pages
        from disk. Verifies nothing."""
        if digest in self._next.puts or digest in self._writing.puts:
            return True
        view = self._view(digest)
        if view is not None:
            will_need(view)
        return view is not None

    def put(self, digest: Digest, data: Buffer) -> None:
        """Keep `data`, verified by the caller and never changed after; later, or not at all."""
        if self._environment is None or trio.current_time() < self._resume or not len(data):
            return
        if self._pending + len(data) > PENDING_MAX:
            self._dropped += 1
            return
        if digest not in self._next.puts:
            self._next.puts[digest] = data
            self._pending += len(data)
            self._wake()

    async def keep(self, digest: Digest, data: Buffer) -> None:
        """As `put`, and waits for room instead of dropping it; while `run` runs, and not when there is no cache."""
        while self._environment is not None and self._pending + len(data) > PENDING_MAX:
            await self.flush()
        self.put(digest, data)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Commit what is put, and end idle transactions, until cancelled; then commit what is left, within a bound."""
        task_status.started()
        try:
            while True:
                with trio.move_on_after(IDLE):
                    await self._wanted.wait()
                await self._turn()
        finally:
            with trio.CancelScope(shield=True):
                await self._write()
            self._end_transaction()

    async def flush(self) -> None:
        """Until everything put so far is committed, or given up; while `run` runs."""
        if self._environment is None:
            return
        self._wake()
        await self._settled.wait()

    def stats(self) -> CacheStats:
        blobs = size = cap = 0
        if self._environment is not None:
            cap = self._environment.cap
            blobs, size = read_stats(self._environment)
        broken = self._environment is None
        return CacheStats(self._hits, self._misses, self._dropped, self._evicted, blobs, size, cap, broken)

    def close(self) -> None:
        """After `run` has ended. Views must be gone."""
        self._end_transaction()
        if self._environment is not None:
            environment, self._environment = self._environment, None
            environment.close()

    # --- reading ---------------------------------------------------------------------------------------------------

    def _view(self, digest: Digest) -> memoryview | None:
        """The record's bytes. A view that was looked up in the same transaction is at hand: the binding touches every
        page of a value it looks up."""
        environment = self._environment
        if environment is None:
            return None
        self._read_since = True
        old = time.monotonic() > self._renew
        if not old:
            view = self._views.get(digest)
            if view is not None:
                return view
        try:
            if old or self._txn is None:
                self._begin(environment)
            assert self._txn is not None
            view = self._txn.get(digest, db=environment.blobs)
        except lmdb.ReadersFullError:
            return self._without_slot(environment, digest)
        except lmdb.Error as error:
            environment.mark_broken()
            self._leave(str(error))
            return None
        if view is not None:
            self._views[digest] = view
        return view

    def _begin(self, environment: Environment) -> None:
        """A new read transaction; the views of the one before end here."""
        self._end_transaction()
        self._txn = environment.handle.begin(buffers=True)
        self._renew = time.monotonic() + RENEW

    def _without_slot(self, environment: Environment, digest: Digest) -> memoryview | None:
        """Take the slots of dead processes; if there are none, serve without the cache this time."""
        if environment.handle.reader_check() == 0:
            return None
        try:
            self._begin(environment)
            assert self._txn is not None
            return self._txn.get(digest, db=environment.blobs)
        except lmdb.Error:
            return None

    def _verify(self, digest: Digest, view: memoryview) -> bool:
        if Digest.of(view) != digest:
            log.warning("the cache had wrong bytes for %s; dropped, and fetched again", digest)
            self._misses += 1
            self._next.corrupt.add(digest)
            self._wake()
            return False
        if len(self._verified) >= VERIFIED_MAX:
            self._verified.clear()
        self._verified.add(digest)
        return True

    def _end_transaction(self) -> None:
        self._views.clear()
        self._renew = 0.0
        if self._txn is not None:
            self._txn.abort()
            self._txn = None

    # --- writing ---------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        if self._settled.is_set():
            self._settled = trio.Event()
        self._wanted.set()

    async def _turn(self) -> None:
        if self._wanted.is_set():
            self._wanted = trio.Event()
            await self._write()
            if not self._next.puts:
                self._settled.set()
            else:
                self._wanted.set()
        else:
            if not self._read_since:
                self._end_transaction()
            if self._next.touched and (not self._read_since or trio.current_time() > self._touched + MINUTE):
                await self._write()
        self._read_since = False

    async def _write(self) -> None:
        """One batch, in a thread; not cancelled, but bounded. What is put meanwhile goes into the next."""
        environment = self._environment
        if environment is None or not self._next:
            return
        self._writing, self._next = self._next, Batch(0)
        self._touched = trio.current_time()
        self._writing.now = int(self._clock()) // MINUTE * MINUTE
        outcome: Outcome | None = None
        with trio.CancelScope(deadline=trio.current_time() + COMMIT_TIMEOUT, shield=True):
            outcome = await trio.to_thread.run_sync(commit, environment, self._writing, abandon_on_cancel=True)
        self._pending -= sum(map(len, self._writing.puts.values()))
        self._verified -= self._writing.corrupt
        forgotten = len(self._writing.puts)
        self._writing = Batch(0)
        self._end_transaction()  # which does not see what was committed
        if outcome is None:
            self._leave(f"another process has kept its lock for {COMMIT_TIMEOUT:g} s")
            return
        self._evicted += outcome.evicted
        if outcome.error is not None or not outcome.room:
            self._dropped += forgotten
        if outcome.error is not None:
            if outcome.broken:
                environment.mark_broken()
                self._leave(outcome.error)
            else:
                log.warning("the cache keeps nothing for %g s: %s", PAUSE, outcome.error)
                self._resume = trio.current_time() + PAUSE

    def _leave(self, why: str) -> None:
        """Go on without the environment. It is not closed: a thread, or a view, may still be in it."""
        log.error("going on without the cache: %s", why)
        self._views.clear()
        self._txn = None
        self._next, self._pending = Batch(0), 0
        self._environment = None
        self._settled.set()
