"""Many questions, few requests; nobody waits for what was cancelled, or fails with somebody else's request."""

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from c3fs.errors import StoreUnavailableError
from c3fs.store.gathered import Gathered


class Asker:
    """Answers 10 times each number, but for 0, which has no answer. Waits for `open`; raises the next in `faults`."""

    def __init__(self, *faults: StoreUnavailableError) -> None:
        self.open = trio.Event()
        self.asked: list[list[int]] = []
        self.faults = list(faults)

    async def __call__(self, keys: list[int]) -> dict[int, int]:
        self.asked.append(keys)
        await self.open.wait()
        if self.faults:
            raise self.faults.pop(0)
        return {key: 10 * key for key in keys if key}


async def collect(gathered: Gathered[int, int], keys: list[int], into: dict[int, int | None]) -> None:
    async def one(key: int) -> None:
        into[key] = await gathered.get(key)

    async with trio.open_nursery() as nursery:
        for key in keys:
            nursery.start_soon(one, key)


async def test_alone_it_waits_for_nobody() -> None:
    asker = Asker()
    asker.open.set()
    gathered = Gathered(asker, 100)
    assert await gathered.get(3) == 30
    assert await gathered.get(0) is None
    assert asker.asked == [[3], [0]]
    assert repr(gathered) == "<Gathered 0 wishes>"


async def test_what_is_asked_meanwhile_is_the_next_request() -> None:
    asker = Asker()
    gathered = Gathered(asker, 100)
    found: dict[int, int | None] = {}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(collect, gathered, [1], found)
        await wait_all_tasks_blocked()
        nursery.start_soon(collect, gathered, list(range(40)), found)
        await wait_all_tasks_blocked()
        asker.open.set()
    assert found == {key: 10 * key or None for key in range(40)}
    assert [sorted(keys) for keys in asker.asked] == [[1], [0, *range(2, 40)]]


async def test_no_request_is_larger_than_it_may_be() -> None:
    asker = Asker()
    asker.open.set()
    found: dict[int, int | None] = {}
    await collect(Gathered(asker, 10), list(range(1, 36)), found)
    assert len(found) == 35
    assert max(map(len, asker.asked)) == 10
    assert sorted(key for keys in asker.asked for key in keys) == list(range(1, 36))


async def test_a_request_that_fails_fails_once_for_all_in_it() -> None:
    asker = Asker(StoreUnavailableError("one"), StoreUnavailableError("two"))
    gathered = Gathered(asker, 100)
    failed: list[str] = []

    async def one(key: int) -> None:
        with pytest.raises(StoreUnavailableError) as caught:
            await gathered.get(key)
        failed.append(str(caught.value))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one, 0)
        await wait_all_tasks_blocked()
        for key in range(1, 5):
            nursery.start_soon(one, key)
        await wait_all_tasks_blocked()
        asker.open.set()
    assert sorted(failed) == ["one", "two", "two", "two", "two"]
    assert len(asker.asked) == 2
    assert await gathered.get(7) == 70


async def test_when_who_carries_a_request_is_cancelled_the_next_one_does() -> None:
    asker = Asker()
    gathered = Gathered(asker, 100)
    found: dict[int, int | None] = {}
    scope = trio.CancelScope()

    async def carrier() -> None:
        with scope:
            await gathered.get(1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(carrier)
        await wait_all_tasks_blocked()
        nursery.start_soon(collect, gathered, [1, 2, 3], found)
        await wait_all_tasks_blocked()
        scope.cancel()
        await wait_all_tasks_blocked()
        asker.open.set()
    assert found == {1: 10, 2: 20, 3: 30}
    assert [sorted(keys) for keys in asker.asked] == [[1], [1, 2, 3]]


async def test_what_nobody_waits_for_is_not_asked() -> None:
    asker = Asker()
    gathered = Gathered(asker, 100)
    found: dict[int, int | None] = {}
    scope = trio.CancelScope()

    async def waiting() -> None:
        with scope:
            await gathered.get(2)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(collect, gathered, [1], found)
        await wait_all_tasks_blocked()
        nursery.start_soon(waiting)
        nursery.start_soon(collect, gathered, [3], found)
        await wait_all_tasks_blocked()
        scope.cancel()
        await wait_all_tasks_blocked()
        asker.open.set()
    assert asker.asked == [[1], [3]]
    assert repr(gathered) == "<Gathered 0 wishes>"
