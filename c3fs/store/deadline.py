"""Bounds how long one call to a store takes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar

import trio

from c3fs.core.digest import Buffer, Digest
from c3fs.errors import DeadlineError
from c3fs.store.base import Store

T = TypeVar("T")


class Deadline:
    """A call that has not ended after `seconds` is cancelled and raises DeadlineError, which is retryable."""

    def __init__(self, inner: Store, seconds: float) -> None:
        self._inner = inner
        self._seconds = seconds

    def __repr__(self) -> str:
        return f"Deadline({self._inner!r}, {self._seconds:g} s)"

    async def get(self, digest: Digest) -> Buffer:
        return await self._bounded(f"reading blob {digest}", lambda: self._inner.get(digest))

    async def put(self, digest: Digest, data: Buffer) -> None:
        await self._bounded(f"storing blob {digest}", lambda: self._inner.put(digest, data))

    async def missing(self, digests: Collection[Digest]) -> set[Digest]:
        return await self._bounded(f"asking the store for {len(digests)} blobs", lambda: self._inner.missing(digests))

    async def _bounded(self, what: str, call: Callable[[], Awaitable[T]]) -> T:
        try:
            with trio.fail_after(self._seconds):
                return await call()
        except trio.TooSlowError:
            raise DeadlineError(what, self._seconds) from None
