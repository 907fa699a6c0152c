"""Tries again what may succeed later."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from random import random
from typing import TypeVar

import trio

from c3fs.core.digest import Buffer, Digest
from c3fs.core.retry import Retry
from c3fs.errors import C3Error, StoreUnavailableError
from c3fs.store.base import Store

T = TypeVar("T")


class Retried:
    """Retries calls that fail with a `retryable` error; the last error of all goes to the caller, at once if
    it is permanent. The policy's patience is for a store that is away, and for no other error."""

    def __init__(self, inner: Store, policy: Retry, *, draw: Callable[[], float] = random) -> None:
        self._inner = inner
        self._policy = policy
        self._draw = draw

    def __repr__(self) -> str:
        return f"Retried({self._inner!r}, {self._policy.tries} tries)"

    async def get(self, digest: Digest) -> Buffer:
        return await self._retry(lambda: self._inner.get(digest))

    async def put(self, digest: Digest, data: Buffer) -> None:
        await self._retry(lambda: self._inner.put(digest, data))

    async def missing(self, blobs: Mapping[Digest, Buffer]) -> set[Digest]:
        return await self._retry(lambda: self._inner.missing(blobs))

    async def _retry(self, call: Callable[[], Awaitable[T]]) -> T:
        failed = 0
        begun = trio.current_time()
        while True:
            try:
                return await call()
            except C3Error as error:
                failed += 1
                seconds = trio.current_time() - begun if isinstance(error, StoreUnavailableError) else math.inf
                if not error.retryable or self._policy.is_over(failed, seconds):
                    raise
            await trio.sleep(self._policy.pause(failed, self._draw))
