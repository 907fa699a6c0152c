"""News within a process, for requests that wait: somebody appended to a log, queued a job, ended one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Hashable
from contextlib import contextmanager
from typing import Final, TypeVar

import anyio

T = TypeVar("T")

LOOK_EVERY: Final = 1.0
"""Seconds after which whoever waits looks for itself: another worker's news do not come here."""


class News:
    """Wakes those who wait for a key. All calls from one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, set[anyio.Event]] = {}
        self._ending = False

    def __repr__(self) -> str:
        return f"<News: {sum(map(len, self._waiting.values()))} waiting for {len(self._waiting)} keys>"

    @property
    def ended(self) -> bool:
        return self._ending

    def tell(self, key: Hashable) -> None:
        """Wake those who wait for `key` now."""
        for event in self._waiting.get(key, ()):
            event.set()

    def end(self) -> None:
        """Wake everybody, and let nobody wait any more: the server is about to stop."""
        self._ending = True
        for events in self._waiting.values():
            for event in events:
                event.set()

    async def until(self, key: Hashable, look: Callable[[], Awaitable[T | None]], seconds: float) -> T | None:
        """What `look` finds, asked again whenever there is news of `key`; None when it found nothing in `seconds`.

        Who listens looks afterwards, so nothing that is told in between is lost.
        """
        deadline = anyio.current_time() + seconds
        while True:
            with self._listening(key) as event:
                found = await look()
                left = deadline - anyio.current_time()
                if found is not None or left <= 0 or self._ending:
                    return found
                with anyio.move_on_after(min(left, LOOK_EVERY)):
                    await event.wait()

    @contextmanager
    def _listening(self, key: Hashable) -> Generator[anyio.Event]:
        event = anyio.Event()
        events = self._waiting.setdefault(key, set())
        events.add(event)
        try:
            yield event
        finally:
            events.discard(event)
            if not events:
                self._waiting.pop(key, None)
