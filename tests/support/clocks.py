"""Time that a test owns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import ParamSpec

import trio
from trio.testing import MockClock

P = ParamSpec("P")


def on_mock_clock(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Run the async test on a clock that jumps to the next deadline whenever all tasks wait."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def main() -> None:
            await test(*args, **kwargs)

        trio.run(main, clock=MockClock(autojump_threshold=0))

    return run
