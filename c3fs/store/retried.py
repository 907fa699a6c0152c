"""Tries again what may succeed later."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from random import random
from typing import TypeVar

import trio

from c3fs.core.digest import Buffer, Digest
from c3fs.errors import C3Error
from c3fs.store.base import Store

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Retry:
    """`tries` in all. Before try n+1 a pause drawn evenly from 0 to min(longest, first * 2**(n-1)) seconds
    ("full jitter": clients that failed together do not come back together)."""

    tries: int = 5
    first: float = 0.1
    longest: float = 5.0

    def __post_init__(self) -> None:
        assert self.tries >= 1
        assert 0 <= self.first <= self.longest

    def pause(self, failed: int, draw: Callable[[], float]) -> float:
        """Seconds to wait after `failed` tries (1 or more); `draw` gives 0 <= x < 1."""
        # The exponent is bounded because 2.0 ** 1024 overflows.
        return draw() * min(self.longest, self.first * 2.0 ** min(failed - 1, 60))


class Retried:
    """Retries calls that fail with a `retryable` error; the last error of all goes to the caller, at once if
    it is permanent."""

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
        while True:
            try:
                return await call()
            except C3Error as error:
                failed += 1
                if not error.retryable or failed >= self._policy.tries:
                    raise
            await trio.sleep(self._policy.pause(failed, self._draw))
