"""How often something is tried, and how long to wait between two tries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Retry:
    """`tries` in all. Before try n+1 a pause drawn evenly from 0 to min(longest, first * 2**(n-1)) seconds
    ("full jitter": clients that failed together do not come back together). `patience` is for what is away and will
    come back: so many seconds it is tried, however often that is."""

    tries: int = 5
    first: float = 0.1
    longest: float = 5.0
    patience: float = 0.0

    def __post_init__(self) -> None:
        assert self.tries >= 1
        assert 0 <= self.first <= self.longest

    def is_over(self, failed: int, seconds: float) -> bool:
        """Whether `failed` tries in that many seconds are enough."""
        return failed >= self.tries and seconds >= self.patience

    def pause(self, failed: int, draw: Callable[[], float]) -> float:
        """Seconds to wait after `failed` tries (1 or more); `draw` gives 0 <= x < 1."""
        # The exponent is bounded because 2.0 ** 1024 overflows.
        return draw() * min(self.longest, self.first * 2.0 ** min(failed - 1, 60))
