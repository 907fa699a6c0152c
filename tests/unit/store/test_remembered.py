"""What is remembered, and for how long."""

from __future__ import annotations

import trio

from c3fs.store.remembered import Remembered
from tests.support.clocks import on_mock_clock


@on_mock_clock
async def test_until_its_time_is_over() -> None:
    kept: Remembered[str, int] = Remembered(10)
    kept.keep("a", 1, until=trio.current_time() + 5)
    assert kept.get("a") == 1
    await trio.sleep(4.9)
    assert kept.get("a") == 1
    await trio.sleep(0.1)
    assert kept.get("a") is None
    assert len(kept) == 0


@on_mock_clock
async def test_the_oldest_are_forgotten() -> None:
    kept: Remembered[int, str] = Remembered(3)
    for number in (1, 2, 3, 1, 4):
        kept.keep(number, str(number), until=trio.current_time() + 5)
    assert [kept.get(number) for number in (1, 2, 3, 4)] == ["1", None, "3", "4"]
    assert kept.take(1) == "1"
    assert kept.take(1) is None
    kept.forget(9)
    assert repr(kept) == "<Remembered 2 of 3>"
