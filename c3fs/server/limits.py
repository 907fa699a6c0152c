"""How many requests a user, an agent, a job, or an address without a key may make: token buckets.

A bucket holds `burst` tokens at the most and gets `rate` a second; a request takes one, and is refused when there is
none. The buckets of those who have been quiet for long are full, and are forgotten: that changes nothing.

pyrate-limiter and limits count in windows or in leaky buckets behind locks, threads or asyncio; thirty lines without
either say what they do, and say exactly when the next request is welcome, as Retry-After has to.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

from c3fs.errors import RateLimitedError

RATE: Final = 500.0
"""Requests a second for all keys of one user: ten times what a publishing agent or a mount makes."""
BURST: Final = 1000.0
STRANGERS_RATE: Final = 5.0
"""Requests a second without a valid key from one address: health checks, and typing a key wrong."""
STRANGERS_BURST: Final = 100.0
BUCKETS_MAX: Final = 10_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Limit:
    """All calls from one event loop."""

    def __init__(self, rate: float, burst: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[Hashable, _Bucket] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Limit {self._rate:g}/s, burst {self._burst:g}: {len(self._buckets)} buckets>"

    def take(self, who: Hashable) -> None:
        """One token; raises RateLimitedError, with the seconds until there is one."""
        bucket = self._fill(who)
        if bucket.tokens < 1:
            raise RateLimitedError((1 - bucket.tokens) / self._rate)
        bucket.tokens -= 1

    def demand(self, who: Hashable) -> None:
        """Raises RateLimitedError as `take` would, and takes none."""
        bucket = self._fill(who)
        if bucket.tokens < 1:
            raise RateLimitedError((1 - bucket.tokens) / self._rate)

    def _fill(self, who: Hashable) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.setdefault(who, _Bucket(self._burst, now))
        self._buckets.move_to_end(who)
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.at) * self._rate)
        bucket.at = now
        if len(self._buckets) > BUCKETS_MAX:
            self._buckets.popitem(last=False)
        return bucket


class Lately:
    """Who has been here lately: BUCKETS_MAX of them. All calls from one event loop."""

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, None] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Lately {len(self._known)}>"

    def __contains__(self, who: Hashable) -> bool:
        return who in self._known

    def add(self, who: Hashable) -> None:
        self._known[who] = None
        self._known.move_to_end(who)
        if len(self._known) > BUCKETS_MAX:
            self._known.popitem(last=False)

    def discard(self, who: Hashable) -> None:
        self._known.pop(who, None)
