"""The queue of jobs and the leases of those who have taken one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from c3fs.core.access import JobToken
from c3fs.core.job import FINAL, JobState, Reason
from c3fs.errors import IllegalTransitionError, JobNotFoundError, LeaseLostError
from c3fs.registry.control import LEASE_SECONDS, WATCH_SECONDS, ControlDatabase
from tests.support.control import ACCOUNT, OTHER, SetClock, add_accounts, enqueue, open_control, queued
from tests.support.records import EPOCH, job_id, make_job

ONE = "1" * 16
TWO = "2" * 16


async def take(control: ControlDatabase, attempt: str = ONE, agent: str = "a") -> str | None:
    """The id of the job that was taken."""
    taken = await control.queue.take(ACCOUNT, agent, attempt)
    return None if taken is None else taken.job.id


async def watch(control: ControlDatabase, clock: SetClock, seconds: float) -> list[str]:
    """Let time pass under the eyes of who looks for leases that are over; what he ends."""
    lost = await control.queue.expire()
    while seconds > 0:
        step = min(seconds, 5.0)
        clock.advance(step)
        seconds -= step
        lost += await control.queue.expire()
    return lost


async def test_the_oldest_job_is_taken_first(control: ControlDatabase, clock: SetClock) -> None:
    await add_accounts(control)
    assert await take(control) is None
    await enqueue(control, [5, 3, 4])
    await enqueue(control, [1, 2], OTHER)
    clock.advance(60)
    first = await control.queue.take(ACCOUNT, "rack 7", ONE)
    assert first is not None
    assert (first.job.id, first.job.state, first.job.agent) == (job_id(3), JobState.SCHEDULING, "rack 7")
    assert first.seconds == LEASE_SECONDS
    assert await control.registry(ACCOUNT).job(job_id(3)) == first.job
    assert await control.access.authenticate(first.token) == JobToken(ACCOUNT, job_id(3))
    assert [await take(control, str(number) * 16) for number in (2, 3, 4)] == [job_id(4), job_id(5), None]


async def test_what_does_not_wait_for_an_agent_is_not_taken(control: ControlDatabase) -> None:
    await add_accounts(control)
    registry = control.registry(ACCOUNT)
    # Runs where it was deployed.
    await registry.add_job(make_job(1))
    await registry.add_job(replace(queued(2), cancel_requested=EPOCH))
    await enqueue(control, [3, 4])
    assert (await registry.request_cancel(job_id(3))).state is JobState.CANCELED
    await registry.move_job(job_id(4), JobState.FAILED)
    assert await take(control) is None
    assert (await registry.job(job_id(2))).state is JobState.PENDING


async def test_the_same_attempt_gets_the_same_job(control: ControlDatabase, clock: SetClock) -> None:
    await add_accounts(control)
    await enqueue(control, [1, 2])
    assert await take(control) == job_id(1)
    clock.advance(20)
    assert await take(control) == job_id(1)
    await control.registry(ACCOUNT).move_job(job_id(1), JobState.RUNNING)
    assert await take(control) == job_id(1)
    # Also in another life of the control plane.
    assert await take(control, TWO) == job_id(2)
    assert await take(control, ONE) == job_id(1)
    assert await watch(control, clock, LEASE_SECONDS - 1) == []


async def test_an_attempt_is_one_agents(control: ControlDatabase) -> None:
    await add_accounts(control)
    await enqueue(control, [1, 2])
    assert await take(control, ONE, "a") == job_id(1)
    with pytest.raises(LeaseLostError):
        await take(control, ONE, "b")
    await enqueue(control, [11], OTHER)
    taken = await control.queue.take(OTHER, "a", ONE)
    assert taken is not None
    assert taken.job.id == job_id(11)


@pytest.mark.parametrize("end", sorted(FINAL))
async def test_an_attempt_is_spent_when_its_job_has_ended(control: ControlDatabase, end: JobState) -> None:
    await add_accounts(control)
    await enqueue(control, [1, 2])
    assert await take(control) == job_id(1)
    registry = control.registry(ACCOUNT)
    await registry.move_job(job_id(1), JobState.RUNNING)
    await registry.move_job(job_id(1), end)
    with pytest.raises(LeaseLostError, match=job_id(1)):
        await take(control)
    assert (await registry.job(job_id(2))).state is JobState.PENDING
    assert await take(control, TWO) == job_id(2)


async def test_a_lease_that_is_renewed_holds(control: ControlDatabase, clock: SetClock) -> None:
    await add_accounts(control)
    await enqueue(control, [1, 2])
    assert await take(control) == job_id(1)
    assert await take(control, TWO) == job_id(2)
    assert await watch(control, clock, LEASE_SECONDS - 1) == []
    renewed = await control.queue.renew(ACCOUNT, job_id(1), ONE)
    assert (renewed.id, renewed.cancel_requested) == (job_id(1), None)
    assert await watch(control, clock, LEASE_SECONDS - 1) == [job_id(2)]
    await control.registry(ACCOUNT).request_cancel(job_id(1))
    assert (await control.queue.renew(ACCOUNT, job_id(1), ONE)).cancel_requested == clock()


async def test_a_job_whose_agent_is_lost_fails_for_ever(control: ControlDatabase, clock: SetClock) -> None:
    await add_accounts(control)
    await enqueue(control, [1, 2])
    taken = await control.queue.take(ACCOUNT, "a", ONE)
    assert taken is not None
    assert await watch(control, clock, LEASE_SECONDS) == [job_id(1)]
    lost = await control.registry(ACCOUNT).job(job_id(1))
    assert (lost.state, lost.reason, lost.finished) == (JobState.FAILED, Reason.AGENT_LOST, clock())
    assert lost.agent == "a"
    with pytest.raises(LeaseLostError, match=job_id(1)):
        await control.queue.renew(ACCOUNT, job_id(1), ONE)
    with pytest.raises(LeaseLostError, match=job_id(1)):
        await take(control)
    for state in JobState:
        with pytest.raises(IllegalTransitionError):
            await control.registry(ACCOUNT).move_job(job_id(1), state)
    assert await control.access.authenticate(taken.token) is None
    assert await control.registry(ACCOUNT).job(job_id(1)) == lost
    assert await take(control, TWO) == job_id(2)


async def test_a_running_job_is_lost_likewise(control: ControlDatabase, clock: SetClock) -> None:
    await add_accounts(control)
    await enqueue(control, [1])
    await take(control)
    await control.registry(ACCOUNT).move_job(job_id(1), JobState.RUNNING)
    assert await watch(control, clock, LEASE_SECONDS) == [job_id(1)]


async def test_only_leases_are_over(control: ControlDatabase, clock: SetClock) -> None:
    await add_accounts(control)
    registry = control.registry(ACCOUNT)
    await registry.add_job(make_job(1))
    await registry.move_job(job_id(1), JobState.SCHEDULING)
    await enqueue(control, [2, 3])
    assert await take(control) == job_id(2)
    await registry.move_job(job_id(2), JobState.RUNNING)
    ended = await registry.move_job(job_id(2), JobState.SUCCEEDED, exit_code=0)
    assert await watch(control, clock, 10 * LEASE_SECONDS) == []
    assert await registry.job(job_id(2)) == ended
    assert (await registry.job(job_id(1))).state is JobState.SCHEDULING
    assert (await registry.job(job_id(3))).state is JobState.PENDING


async def test_leases_of_all_accounts_are_looked_at(control: ControlDatabase, clock: SetClock) -> None:
    await add_accounts(control)
    await enqueue(control, [1])
    await enqueue(control, [2], OTHER)
    await take(control)
    assert await control.queue.take(OTHER, "b", ONE) is not None
    assert await watch(control, clock, LEASE_SECONDS) == [job_id(1), job_id(2)]


async def test_a_job_is_renewed_by_who_took_it(control: ControlDatabase) -> None:
    await add_accounts(control)
    await enqueue(control, [1, 2])
    await take(control)
    for attempt, job in ((TWO, job_id(1)), (ONE, job_id(2))):
        with pytest.raises(LeaseLostError):
            await control.queue.renew(ACCOUNT, job, attempt)
    for account, job in ((OTHER, job_id(1)), (ACCOUNT, job_id(3))):
        with pytest.raises(JobNotFoundError):
            await control.queue.renew(account, job, ONE)


# --- when nobody could renew -----------------------------------------------------------------------------


async def test_no_agent_is_lost_while_the_control_plane_was_away(
    sql_address: str, control: ControlDatabase, clock: SetClock
) -> None:
    await add_accounts(control)
    await enqueue(control, [1, 2])
    await take(control)
    await take(control, TWO)
    await control.queue.expire()
    clock.advance(10 * LEASE_SECONDS)
    with open_control(sql_address, clock) as restarted:
        assert await restarted.queue.expire() == []
        assert await watch(restarted, clock, LEASE_SECONDS - 5) == []
        await restarted.queue.renew(ACCOUNT, job_id(1), ONE)
        assert await watch(restarted, clock, 5) == [job_id(2)]


async def test_a_gap_in_watching_gives_a_whole_term(control: ControlDatabase, clock: SetClock) -> None:
    await add_accounts(control)
    await enqueue(control, [1])
    await take(control)
    await control.queue.expire()
    clock.advance(LEASE_SECONDS + WATCH_SECONDS)
    assert await control.queue.expire() == []
    assert await watch(control, clock, LEASE_SECONDS - 1) == []
    assert await watch(control, clock, 1) == [job_id(1)]


@pytest.mark.parametrize("seconds", [-3600.0, 3600.0])
async def test_a_clock_that_is_set_ends_no_lease_and_none_lives_for_ever(
    control: ControlDatabase, clock: SetClock, seconds: float
) -> None:
    await add_accounts(control)
    await enqueue(control, [1])
    await take(control)
    assert await watch(control, clock, 10) == []
    clock.moment += timedelta(seconds=seconds)
    assert await watch(control, clock, LEASE_SECONDS - 1) == []
    assert await watch(control, clock, 1) == [job_id(1)]
