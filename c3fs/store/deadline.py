"""Bounds how long one call to a store takes.

A call that has not ended after some seconds is cancelled and raises DeadlineError, which is retryable.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TypeVar

import trio

from c3fs.core.digest import Buffer, Digest
from c3fs.errors import DeadlineError
from c3fs.store.base import Deleted, Shelf, Store, SweepableStore

T = TypeVar("T")


class Deadline:
    """A store whose calls take at most `seconds` each."""

    def __init__(self, inner: Store, seconds: float) -> None:
        self._inner = inner
        self._seconds = seconds

    def __repr__(self) -> str:
        return f"Deadline({self._inner!r}, {self._seconds:g} s)"

    async def get(self, digest: Digest) -> Buffer:
        return await _bounded(self._seconds, f"reading blob {digest}", lambda: self._inner.get(digest))

    async def put(self, digest: Digest, data: Buffer) -> None:
        await _bounded(self._seconds, f"storing blob {digest}", lambda: self._inner.put(digest, data))

    async def missing(self, blobs: Mapping[Digest, Buffer]) -> set[Digest]:
        what = f"asking the store for {len(blobs)} blobs"
        return await _bounded(self._seconds, what, lambda: self._inner.missing(blobs))


class SweepDeadline:
    """The same of a store as gc sees it."""

    def __init__(self, inner: SweepableStore, seconds: float) -> None:
        self._inner = inner
        self._seconds = seconds

    def __repr__(self) -> str:
        return f"SweepDeadline({self._inner!r}, {self._seconds:g} s)"

    async def shelf(self, prefix: int) -> Shelf:
        what = f"listing the store's blobs {prefix:02x}…"
        return await _bounded(self._seconds, what, lambda: self._inner.shelf(prefix))

    async def delete(self, digests: Collection[Digest], allowed: Callable[[], bool]) -> Deleted:
        what = f"deleting {len(digests)} blobs"
        return await _bounded(self._seconds, what, lambda: self._inner.delete(digests, allowed))

    async def sweep_temporary(self, older_than_s: float) -> int:
        what = "removing half-written blobs"
        return await _bounded(self._seconds, what, lambda: self._inner.sweep_temporary(older_than_s))


async def _bounded(seconds: float, what: str, call: Callable[[], Awaitable[T]]) -> T:
    try:
        with trio.fail_after(seconds):
            return await call()
    except trio.TooSlowError:
        raise DeadlineError(what, seconds) from None
