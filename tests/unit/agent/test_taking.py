"""The loop that takes jobs: places, answers that fail, and the ways it ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

import pytest
import trio

from c3fs.agent.taking import PAUSE_MAX, Taken, take_jobs
from c3fs.errors import C3Error, ForbiddenError, LeaseLostError, StoreUnavailableError, UnauthorizedError
from c3fs.registry.base import Job
from tests.support.clocks import on_mock_clock
from tests.support.records import job_id, make_job

WORK_S = 10.0


@dataclass
class Line:
    """A queue of jobs, some of whose answers fail. The same attempt gets the same job, as the protocol says."""

    waiting: list[Job]
    faults: list[C3Error | None] = field(default_factory=list[C3Error | None])
    lose_answers: bool = False
    given: dict[str, Job] = field(default_factory=dict[str, Job])
    asked: list[float] = field(default_factory=list[float])

    async def take(self, attempt: str, wait: float) -> Taken | None:
        self.asked.append(trio.current_time())
        if attempt not in self.given and self.waiting:
            self.given[attempt] = self.waiting.pop(0)
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault
        if attempt not in self.given:
            await trio.sleep(wait)
            return None
        return Taken(self.given[attempt], "c3_job_secret", attempt, 30)


@dataclass
class Runs:
    """What was run, and how many at once."""

    begun: list[str] = field(default_factory=list[str])
    ended: list[str] = field(default_factory=list[str])
    now: int = 0
    most: int = 0

    async def run(self, taken: Taken) -> None:
        self.begun.append(taken.job.id)
        self.now += 1
        self.most = max(self.most, self.now)
        await trio.sleep(WORK_S)
        self.now -= 1
        self.ended.append(taken.job.id)


def attempts() -> Callable[[], str]:
    numbers = count()
    return lambda: f"attempt{next(numbers):016d}"


def made(number: int) -> list[Job]:
    return [make_job(n) for n in range(number)]


def ids(number: int) -> list[str]:
    return [job_id(n) for n in range(number)]


@pytest.mark.parametrize(("jobs", "places"), [(0, 1), (1, 1), (7, 1), (7, 3), (2, 5)])
def test_all_jobs_run_once_in_order_and_no_more_at_a_time_than_there_are_places(jobs: int, places: int) -> None:
    @on_mock_clock
    async def run() -> None:
        line, runs = Line(made(jobs)), Runs()
        await take_jobs(line, runs.run, places=places, new_attempt=attempts(), stop=trio.Event(), until_empty=True)
        assert sorted(runs.begun) == ids(jobs)
        assert sorted(runs.ended) == ids(jobs)
        assert runs.most == min(jobs, places)

    run()


@pytest.mark.parametrize("faults", [1, 2, 20])
def test_a_lost_answer_is_asked_for_again_and_no_job_is_forgotten(faults: int) -> None:
    @on_mock_clock
    async def run() -> None:
        line, runs = Line(made(2), [StoreUnavailableError("gone")] * faults), Runs()
        await take_jobs(line, runs.run, places=1, new_attempt=attempts(), stop=trio.Event(), until_empty=True)
        assert runs.ended == ids(2)
        gaps = [after - before for before, after in zip(line.asked, line.asked[1:], strict=False)]
        assert max(gaps) <= max(PAUSE_MAX, WORK_S) + 0.1

    run()


@pytest.mark.parametrize("error", [UnauthorizedError(), ForbiddenError("take jobs")])
def test_a_refused_key_ends_it_when_the_jobs_under_way_have_ended(error: C3Error) -> None:
    @on_mock_clock
    async def run() -> None:
        line, runs = Line(made(1), [None, error, error, error]), Runs()
        with pytest.raises(type(error)):
            await take_jobs(line, runs.run, places=2, new_attempt=attempts(), stop=trio.Event())
        assert runs.ended == ids(1)

    run()


def test_one_refusal_may_be_a_mistake() -> None:
    @on_mock_clock
    async def run() -> None:
        line, runs = Line(made(1), [UnauthorizedError(), UnauthorizedError()]), Runs()
        await take_jobs(line, runs.run, places=1, new_attempt=attempts(), stop=trio.Event(), until_empty=True)
        assert runs.ended == ids(1)

    run()


def test_an_attempt_whose_job_was_lost_before_it_was_heard_of_is_given_up() -> None:
    @on_mock_clock
    async def run() -> None:
        line, runs = Line(made(2), [StoreUnavailableError("answer lost"), LeaseLostError(job_id(0))]), Runs()
        await take_jobs(line, runs.run, places=1, new_attempt=attempts(), stop=trio.Event(), until_empty=True)
        assert runs.ended == [job_id(1)]

    run()


async def stop_after(seconds: float, stop: trio.Event) -> None:
    await trio.sleep(seconds)
    stop.set()


async def took(call: Callable[[], Awaitable[None]]) -> float:
    begun = trio.current_time()
    await call()
    return trio.current_time() - begun


@pytest.mark.parametrize(("places", "jobs", "seconds"), [(1, 3, 10.0), (3, 3, 10.0), (2, 0, 5.0)])
def test_told_to_stop_it_takes_no_more_and_waits_for_those_that_run(places: int, jobs: int, seconds: float) -> None:
    @on_mock_clock
    async def run() -> None:
        line, runs, stop = Line(made(jobs)), Runs(), trio.Event()

        async def both() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stop_after, 1, stop)
                await take_jobs(line, runs.run, places=places, new_attempt=attempts(), stop=stop)

        assert await took(both) == pytest.approx(seconds)
        assert sorted(runs.ended) == sorted(runs.begun) == ids(min(places, jobs))

    run()


def test_the_job_of_a_request_that_was_under_way_when_it_was_told_to_stop_is_run() -> None:
    class Slow(Line):
        async def take(self, attempt: str, wait: float) -> Taken | None:
            await trio.sleep(3)
            return await super().take(attempt, wait)

    @on_mock_clock
    async def run() -> None:
        line, runs, stop = Slow(made(2)), Runs(), trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stop_after, 1, stop)
            await take_jobs(line, runs.run, places=1, new_attempt=attempts(), stop=stop)
        assert runs.ended == ids(1)

    run()


def test_no_repr_shows_a_token() -> None:
    taken = Taken(make_job(1), "c3_job_secret", "a" * 16, 30)
    shown: Sequence[str] = (repr(taken), str(taken), f"{[taken]}")
    assert not any("secret" in text for text in shown)
