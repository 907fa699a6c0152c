"""How long a sweep's blobs may be deleted."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

Clock = Callable[[], float]


def time_with_sleep() -> float:
    """Seconds since the machine started, also those that it slept through."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


CLOCKS: Final[Sequence[Clock]] = (time.time, time_with_sleep)
"""The registry's, which may be set while we run, and one that may not."""
SHARE: Final = 0.5
"""Of the seconds that are used; the rest is how far the clocks of two machines may be apart."""


class Lease:
    """Runs from when it is made; any thread may ask whether it still holds."""

    def __init__(self, seconds: float, clocks: Sequence[Clock] = CLOCKS) -> None:
        self._ends = [(clock, clock() + seconds * SHARE) for clock in clocks]

    def __repr__(self) -> str:
        return f"<Lease, {min(end - clock() for clock, end in self._ends):.1f} s left>"

    def holds(self) -> bool:
        return all(clock() < end for clock, end in self._ends)
