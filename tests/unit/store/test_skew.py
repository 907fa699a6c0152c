"""What a Date says about the time, and how long that is believed."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest
import trio
import trio.testing

from c3fs.errors import TransferUnavailableError
from c3fs.store import skew
from c3fs.store.skew import Reading, ServerClock
from tests.support.rawserver import Answering, Talk, serving

NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
DATE = "Sun, 01 Mar 2026 12:00:00 GMT"
BOUND = 20.0


def test_a_date_is_right_in_the_middle_of_what_it_may_mean() -> None:
    reading = Reading.of(DATE, 100.0, 101.0)
    assert reading is not None
    assert reading.at(100.5) == NOON + timedelta(seconds=0.5)
    assert reading.at(700.5) == NOON + timedelta(seconds=600.5)
    assert reading.error == 1.0


@pytest.mark.parametrize(
    "date", [None, "", "now", "Sun, 01 Mar 2026", "Sun, 99 Mar 2026 12:00:00 GMT", "Sun, 01 Mar 2026 12:00:00 -0000"]
)
def test_what_is_no_date(date: str | None) -> None:
    assert Reading.of(date, 0, 0) is None


def telling(*dates: str | None) -> Answering:
    """One after the other; the last one again and again. Nothing is told with None."""
    left = list(dates)

    async def answering(talk: Talk) -> None:
        heard = await talk.request()
        assert (heard.method, heard.asked) == ("HEAD", "/")
        date = left.pop(0) if len(left) > 1 else left[0]
        if date is not None:
            await talk.say(403, date=date)

    return answering


class Clocks:
    """Those of a machine."""

    def __init__(self, wrong: float) -> None:
        self.local = NOON + timedelta(seconds=wrong)
        self.tick = 1000.0

    def clock(self, url: str, every: float = 600.0) -> ServerClock:
        return ServerClock(url, local=lambda: self.local, tick=lambda: self.tick, every=every)

    def go_on(self, seconds: float) -> None:
        self.local += timedelta(seconds=seconds)
        self.tick += seconds


@pytest.mark.parametrize("wrong", [-3600.0, 0.0, 3600.0, 1e8])
async def test_the_server_s_time_counts(wrong: float, caplog: pytest.LogCaptureFixture) -> None:
    clocks = Clocks(wrong)
    with trio.fail_after(BOUND):
        async with serving(telling(DATE)) as server:
            clock = clocks.clock(server.url)
            assert clock.now() == clocks.local
            with caplog.at_level(logging.WARNING):
                await clock.learn()
                assert bool(caplog.records) == bool(wrong)
            assert clock.now() == NOON + timedelta(seconds=0.5)
            assert clock.offset == 0.5 - wrong
            clocks.go_on(60)
            assert clock.now() == NOON + timedelta(seconds=60.5)
            clocks.local += timedelta(days=1)  # somebody has set it
            assert clock.now() == NOON + timedelta(seconds=60.5)
            caplog.clear()
            clocks.local -= timedelta(days=1)
            await clock.learn()
            assert clock.now() == NOON + timedelta(seconds=0.5)


@pytest.mark.parametrize("told", [None, "soon"])
async def test_a_server_that_does_not_tell(told: str | None, caplog: pytest.LogCaptureFixture) -> None:
    clocks = Clocks(77)
    with trio.fail_after(BOUND):
        async with serving(telling(DATE, told)) as server:
            clock = clocks.clock(server.url)
            await clock.learn()
            with pytest.raises(TransferUnavailableError):
                await clock.learn()
            assert clock.now() == NOON + timedelta(seconds=0.5)
            caplog.clear()
            await clock.refresh()
            assert "going on with the time known" in caplog.text


async def test_an_answer_that_took_long_says_nothing() -> None:
    async def answering(talk: Talk) -> None:
        await talk.request()
        clocks.go_on(2 * skew.WITHIN)
        await talk.say(403, date=DATE)

    clocks = Clocks(77)
    with trio.fail_after(BOUND):
        async with serving(answering) as server:
            clock = clocks.clock(server.url)
            with pytest.raises(TransferUnavailableError, match="does not tell its time"):
                await clock.learn()
            assert clock.now() == clocks.local


async def test_nobody_answers() -> None:
    clock = ServerClock("http://127.0.0.1:1")
    with pytest.raises(TransferUnavailableError, match="Connection refused"):
        await clock.learn()


async def test_it_is_asked_again_when_it_is_time_and_when_there_is_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answering(talk: Talk) -> None:
        await talk.request()
        await talk.say(403, date=DATE)
        asked.set()

    monkeypatch.setattr(skew, "DOUBTED_EVERY", 0.0)
    clocks = Clocks(0)
    with trio.fail_after(BOUND):
        async with serving(answering) as server:
            for every in (0.01, 1e6):
                asked = trio.Event()
                clock = clocks.clock(server.url, every)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(clock.keep)
                    await trio.testing.wait_all_tasks_blocked()
                    if every > 1:
                        assert not asked.is_set()
                        clock.doubt()
                    await asked.wait()
                    nursery.cancel_scope.cancel()
