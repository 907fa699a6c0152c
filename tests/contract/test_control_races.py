"""Many agents, threads and processes at one queue; the same attempt at the same moment."""

from __future__ import annotations

import trio

from c3fs.core.job import JobState
from c3fs.errors import C3Error, IllegalTransitionError, LeaseLostError
from c3fs.registry.control import LEASE_SECONDS, ControlDatabase, Taken
from tests.support.control import ACCOUNT, SetClock, add_accounts, enqueue
from tests.support.records import job_id
from tests.support.taker import drain, take_all

AGENTS = 8
JOBS = 200


async def prepare(control: ControlDatabase, jobs: int = JOBS) -> None:
    await add_accounts(control)
    await enqueue(control, range(jobs))


async def check_taken_once(control: ControlDatabase, taken: list[list[str]], jobs: int = JOBS) -> None:
    """Every job by one agent, and by each the older before the younger."""
    assert sorted(job for of in taken for job in of) == sorted(map(job_id, range(jobs)))
    for of in taken:
        numbers = [int(job.split("_")[1]) for job in of]
        assert numbers == sorted(numbers)
    for job in await control.registry(ACCOUNT).jobs():
        assert job.state is JobState.SUCCEEDED
        assert job.agent is not None
        assert job.id in taken[int(job.agent)]


def test_processes_never_get_the_same_job(control: ControlDatabase, sql_address: str) -> None:
    trio.run(prepare, control)
    taken = take_all(sql_address, AGENTS)
    trio.run(check_taken_once, control, taken)


async def test_threads_never_get_the_same_job(control: ControlDatabase) -> None:
    jobs = 60
    await prepare(control, jobs)
    taken: list[list[str]] = [[] for _ in range(AGENTS)]

    async def run(agent: int) -> None:
        taken[agent] = await drain(control, str(agent))

    async with trio.open_nursery() as nursery:
        for agent in range(AGENTS):
            nursery.start_soon(run, agent)
    await check_taken_once(control, taken, jobs)


async def test_requests_of_one_attempt_at_once_get_one_job(control: ControlDatabase) -> None:
    attempts = [f"{number:016}" for number in range(10)]
    await prepare(control, 20)
    taken: list[tuple[str, str | None]] = []

    async def run(attempt: str) -> None:
        answer = await control.queue.take(ACCOUNT, "a", attempt)
        taken.append((attempt, None if answer is None else answer.job.id))

    async with trio.open_nursery() as nursery:
        for attempt in attempts * 4:
            nursery.start_soon(run, attempt)
    assert len(taken) == 40
    assert len(set(taken)) == len({job for _, job in taken}) == 10
    jobs = await control.registry(ACCOUNT).jobs(state=JobState.SCHEDULING)
    assert {job.id for job in jobs} == {job for _, job in taken}


async def test_of_a_renewal_a_move_and_the_end_of_the_lease_one_comes_first(
    control: ControlDatabase, clock: SetClock
) -> None:
    jobs = 30
    await prepare(control, jobs)
    taken = [await control.queue.take(ACCOUNT, "a", f"{number:016}") for number in range(jobs)]
    await control.queue.expire()
    for _ in range(2):
        clock.advance(LEASE_SECONDS / 3)
        assert await control.queue.expire() == []
    clock.advance(LEASE_SECONDS / 3)
    renewed: set[str] = set()
    moved: set[str] = set()
    lost: list[str] = []

    async def renew(number: int) -> None:
        try:
            renewed.add((await control.queue.renew(ACCOUNT, job_id(number), f"{number:016}")).id)
        except LeaseLostError:
            pass

    async def move(number: int) -> None:
        try:
            moved.add((await control.registry(ACCOUNT).move_job(job_id(number), JobState.CANCELED)).id)
        except IllegalTransitionError:
            pass

    async def expire() -> None:
        lost.extend(await control.queue.expire())

    async with trio.open_nursery() as nursery:
        for number in range(jobs):
            nursery.start_soon(renew if number % 2 else move, number)
            if number == jobs // 3:
                nursery.start_soon(expire)
    assert all(isinstance(job, Taken) for job in taken)
    assert renewed.isdisjoint(lost)
    assert moved.isdisjoint(lost)
    assert renewed | moved | set(lost) == set(map(job_id, range(jobs)))
    for job in await control.registry(ACCOUNT).jobs():
        wanted = JobState.FAILED if job.id in lost else JobState.CANCELED if job.id in moved else JobState.SCHEDULING
        assert job.state is wanted


async def test_a_cancel_and_a_take_at_once(control: ControlDatabase) -> None:
    jobs = 20
    await prepare(control, jobs)
    taken: list[str] = []
    errors: list[C3Error] = []

    async def take(number: int) -> None:
        answer = await control.queue.take(ACCOUNT, "a", f"{number:016}")
        if answer is not None:
            assert answer.job.cancel_requested is None
            taken.append(answer.job.id)

    async def cancel(number: int) -> None:
        try:
            await control.registry(ACCOUNT).request_cancel(job_id(number))
        except C3Error as error:
            errors.append(error)

    async with trio.open_nursery() as nursery:
        for number in range(jobs):
            nursery.start_soon(cancel, number)
            nursery.start_soon(take, number)
    assert errors == []
    for job in await control.registry(ACCOUNT).jobs():
        assert job.cancel_requested is not None
        assert job.state is (JobState.SCHEDULING if job.id in taken else JobState.CANCELED)
