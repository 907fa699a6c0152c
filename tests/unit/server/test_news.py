"""Waking requests that wait."""

from __future__ import annotations

import anyio
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from c3fs.server.news import LOOK_EVERY, News


class Look:
    """Finds something when it is there, and counts how often it was asked."""

    def __init__(self) -> None:
        self.there: str | None = None
        self.asked = 0

    async def __call__(self) -> str | None:
        self.asked += 1
        await anyio.lowlevel.checkpoint()
        return self.there


async def test_what_is_there_is_found_at_once() -> None:
    news, look = News(), Look()
    look.there = "it"
    assert await news.until("key", look, 0) == "it"
    assert look.asked == 1
    assert repr(news) == "<News: 0 waiting for 0 keys>"


async def test_news_of_the_key_alone_wake() -> None:
    news, look = News(), Look()
    async with trio.open_nursery() as nursery:

        async def wait() -> None:
            assert await news.until("key", look, 60) == "it"

        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        news.tell("other")
        await wait_all_tasks_blocked()
        assert look.asked == 1
        news.tell("key")  # of something else
        await wait_all_tasks_blocked()
        assert look.asked == 2
        look.there = "it"
        news.tell("key")
    assert look.asked == 3


def test_without_news_it_looks_once_in_a_while_and_gives_up_in_time() -> None:
    async def main() -> None:
        news, look = News(), Look()
        begun = trio.current_time()
        assert await news.until("key", look, 3.5 * LOOK_EVERY) is None
        assert trio.current_time() - begun == 3.5 * LOOK_EVERY
        assert look.asked == 5

    trio.run(main, clock=MockClock(autojump_threshold=0))


async def test_the_end_wakes_everybody_and_lets_nobody_wait() -> None:
    news, look = News(), Look()
    async with trio.open_nursery() as nursery:
        for key in ("one", "two", "two"):
            nursery.start_soon(news.until, key, look, 60)
        await wait_all_tasks_blocked()
        assert repr(news) == "<News: 3 waiting for 2 keys>"
        news.end()
    assert await news.until("key", look, 60) is None
