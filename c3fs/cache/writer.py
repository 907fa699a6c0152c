"""Commits what was gathered: runs in a worker thread, and touches nothing but its batch and its transactions."""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import lmdb

from c3fs.cache.environment import Environment
from c3fs.cache.records import Records, budget, missing_of, pages
from c3fs.core.digest import Buffer, Digest
from c3fs.errors import InvalidDigestError

MAP_FULL_TRIES: Final = 4
"""Times more is evicted when LMDB finds no run of pages: a quarter of the budget each."""
DISK_FULL: Final = 4 << 20
"""Bytes free below which a failed write is put down to a full disk: less than a batch may need."""


@dataclass(slots=True)
class Batch:
    """What to write, at `now` (seconds)."""

    now: int
    puts: dict[Digest, Buffer] = field(default_factory=dict[Digest, Buffer])
    touched: set[Digest] = field(default_factory=set[Digest])
    corrupt: set[Digest] = field(default_factory=set[Digest])

    def __bool__(self) -> bool:
        return bool(self.puts or self.touched or self.corrupt)


@dataclass(slots=True)
class Outcome:
    """What came of a batch. Its puts were forgotten when there is an `error`, or was no `room` in the file: other
    processes' read transactions can pin what was evicted for a second."""

    evicted: int = 0
    error: str | None = None
    broken: bool = False
    room: bool = True


def commit(environment: Environment, batch: Batch) -> Outcome:
    """Write the batch, evicting before it what must go. Never raises an lmdb.Error."""
    outcome = Outcome()
    try:
        _commit(environment, batch, outcome)
    except lmdb.MapFullError:
        outcome.room = False
    except (lmdb.CorruptedError, lmdb.PageNotFoundError, lmdb.PanicError, lmdb.InvalidError,
            lmdb.VersionMismatchError, lmdb.BadTxnError, lmdb.MapResizedError) as error:  # fmt: skip
        outcome.error, outcome.broken = str(error), True
    except (struct.error, InvalidDigestError) as error:
        outcome.error, outcome.broken = f"a record of the wrong form: {error}", True
    except (lmdb.Error, OSError) as error:
        outcome.error = _explained(environment, error)
    return outcome


def _commit(environment: Environment, batch: Batch, outcome: Outcome) -> None:
    if batch.touched or batch.corrupt:
        with environment.handle.begin(write=True) as txn:
            records = Records(environment, txn)
            for digest in batch.corrupt:
                records.drop(digest)
            for digest in batch.touched:
                records.touch(digest, batch.now)
            records.save()
    new = missing_of(environment, batch.puts)
    room = sum(pages(len(batch.puts[digest])) for digest in new)
    if not room:
        return
    limit = budget(environment.cap)
    for attempt in range(MAP_FULL_TRIES + 1):
        # In a transaction of its own: pages freed by one can be used by the next, not by itself.
        outcome.evicted += _evict(environment, room, limit - attempt * limit // MAP_FULL_TRIES)
        try:
            with environment.handle.begin(write=True) as txn:
                records = Records(environment, txn)
                for digest in new:
                    records.put(digest, batch.puts[digest], batch.now)
                records.save()
        except lmdb.MapFullError:
            if attempt == MAP_FULL_TRIES:
                raise
        else:
            return


def _evict(environment: Environment, room: int, limit: int) -> int:
    with environment.handle.begin() as txn:
        if Records(environment, txn).totals.bytes + room <= limit:
            return 0
    with environment.handle.begin(write=True) as txn:
        records = Records(environment, txn)
        dropped = records.evict(room, limit)
        records.save()
    return dropped


def _explained(environment: Environment, error: lmdb.Error | OSError) -> str:
    """LMDB calls a write that the disk took half of an input/output error."""
    with suppress(OSError):
        free = os.statvfs(environment.path)
        if free.f_bavail * free.f_frsize < DISK_FULL:
            return "the disk is full"
    return str(error)
