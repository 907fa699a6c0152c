"""What is good for a time: a bounded number of values, the oldest of which are forgotten first."""

from __future__ import annotations

from typing import Generic, TypeVar

import trio

K = TypeVar("K")
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """Times are those of trio's clock, which is monotonic."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[K, tuple[V, float]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def __repr__(self) -> str:
        return f"<Remembered {len(self._kept)} of {self._most}>"

    def keep(self, key: K, value: V, *, until: float) -> None:
        self._kept.pop(key, None)
        self._kept[key] = (value, until)
        if len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]

    def get(self, key: K) -> V | None:
        """None also when its time is over."""
        value, until = self._kept.get(key, (None, 0.0))
        if value is not None and trio.current_time() >= until:
            self.forget(key)
            return None
        return value

    def take(self, key: K) -> V | None:
        """The same, and forget it."""
        value = self.get(key)
        self.forget(key)
        return value

    def forget(self, key: K) -> None:
        self._kept.pop(key, None)
