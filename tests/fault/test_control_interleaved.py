"""Deposits, sweeps, takes and leases that meet on PostgreSQL; as test_postgres_interleaved for the registry."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from c3fs.core.access import Role
from c3fs.core.job import JobState, Reason
from c3fs.registry import deposits, joblogs, jobs, manifests, queue, sweeps, users
from c3fs.registry.access import Access
from c3fs.registry.deposits import Deposits
from c3fs.registry.queue import LEASE_SECONDS, Queue
from c3fs.registry.users import UserFacts
from c3fs.registry.views import View
from tests.support.control import SetClock, digests, make_claim, make_claims, queued
from tests.support.meeting import ACCOUNT, Stage, Work
from tests.support.records import EPOCH, job_id, make_blobs, make_manifest

pytestmark = pytest.mark.postgres
ONE = "1" * 16
TWO = "2" * 16


def condemning(numbers: list[int]) -> Work:
    return lambda connection: sweeps.condemn(connection, ACCOUNT, digests(numbers), 60, EPOCH)


def confirming(numbers: list[int], content: str = "") -> Work:
    return lambda connection: deposits.confirm(connection, ACCOUNT, make_claims(numbers, content), 0)


def taking(attempt: str) -> Work:
    return lambda connection: queue.take(connection, ACCOUNT, "a", attempt, EPOCH)


# --- deposits and sweeps ---------------------------------------------------------------------------------


async def test_what_is_condemned_is_not_confirmed(stage: Stage, commits: bool) -> None:
    of = Deposits(stage.database, ACCOUNT, lambda: EPOCH)
    answer = await stage.meet(condemning([1]), lambda: of.confirm(make_claims([1]), mark=0), commits=commits)
    assert answer == ("SweptError" if commits else digests([1]))
    assert await of.present(make_claims([1])) == (set() if commits else digests([1]))


async def test_what_is_confirmed_meanwhile_is_forgotten(stage: Stage, commits: bool) -> None:
    of = Deposits(stage.database, ACCOUNT, lambda: EPOCH)

    async def second() -> object:
        return (await stage.registry.condemn(digests([1]), 60)).condemned

    assert await stage.meet(confirming([1]), second, commits=commits) == digests([1])
    assert await of.present(make_claims([1])) == set()


async def test_two_confirm_the_same_blobs(stage: Stage, commits: bool) -> None:
    of = Deposits(stage.database, ACCOUNT, lambda: EPOCH)
    both = await stage.meet(confirming([1, 2]), lambda: of.confirm(make_claims([2, 3]), mark=0), commits=commits)
    assert both == digests([2, 3])
    assert await of.present(make_claims([1, 2, 3])) == digests([1, 2, 3] if commits else [2, 3])


async def test_two_confirm_other_bytes_of_one_digest(stage: Stage, commits: bool) -> None:
    of = Deposits(stage.database, ACCOUNT, lambda: EPOCH)
    answer = await stage.meet(confirming([1], "a lie"), lambda: of.confirm(make_claims([1]), mark=0), commits=commits)
    assert answer == (set() if commits else digests([1]))
    wanted = make_claim(1, "a lie" if commits else "")
    assert await of.sha256_of(digests([1])) == {wanted[0]: wanted[2]}


async def test_a_registration_and_the_sweep_of_what_was_confirmed(stage: Stage, commits: bool) -> None:
    """Confirmed, then condemned while it is registered: the row stays exactly when the manifest does."""
    of = Deposits(stage.database, ACCOUNT, lambda: EPOCH)
    await of.confirm(make_claims([1]), mark=0)
    entry = manifests.make_entry(make_manifest("/datasets/a"), make_blobs([1]), 0, None)

    def registering(connection: Connection) -> object:
        return manifests.register(connection, ACCOUNT, entry, EPOCH)

    async def second() -> object:
        return (await stage.registry.condemn(digests([1]), 60)).condemned

    assert await stage.meet(registering, second, commits=commits) == (set() if commits else digests([1]))
    assert await of.unconfirmed(dict(make_blobs([1]))) == (set() if commits else digests([1]))


async def test_a_sweep_and_the_registration_of_what_was_confirmed(stage: Stage, commits: bool) -> None:
    of = Deposits(stage.database, ACCOUNT, lambda: EPOCH)
    await of.confirm(make_claims([1]), mark=0)

    async def second() -> object:
        return (await stage.registry.register(make_manifest("/datasets/a"), make_blobs([1]), mark=0)).created

    assert await stage.meet(condemning([1]), second, commits=commits) == ("SweptError" if commits else True)
    assert await of.unconfirmed(dict(make_blobs([1]))) == (digests([1]) if commits else set())


# --- the queue -------------------------------------------------------------------------------------------


class Waiting:
    """Two jobs in the queue, the first of them taken if it `is_taken`."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.clock = SetClock()
        self.queue = Queue(stage.database, self.clock)

    async def begin(self, *, is_taken: bool) -> None:
        for number in (1, 2):
            await self.stage.registry.add_job(queued(number))
        if is_taken:
            assert await self.take(ONE) == job_id(1)
            await self.queue.expire()
            for _ in range(2):
                self.clock.advance(LEASE_SECONDS / 3)
                await self.queue.expire()
            self.clock.advance(LEASE_SECONDS / 3)

    async def take(self, attempt: str) -> object:
        taken = await self.queue.take(ACCOUNT, "a", attempt)
        return None if taken is None else taken.job.id

    async def state(self) -> tuple[JobState, Reason | None]:
        job = await self.stage.registry.job(job_id(1))
        return job.state, job.reason


@pytest.fixture
def waiting(stage: Stage) -> Waiting:
    return Waiting(stage)


async def test_a_take_passes_over_what_another_is_taking(waiting: Waiting, commits: bool) -> None:
    """It does not wait; also if the other gives up then."""
    await waiting.begin(is_taken=False)
    async with waiting.stage.holding(taking(ONE), commits=commits):
        assert await waiting.take(TWO) == job_id(2)
        assert await waiting.take("3" * 16) is None
    assert await waiting.take("4" * 16) == (None if commits else job_id(1))


async def test_one_attempt_twice(waiting: Waiting, commits: bool) -> None:
    await waiting.begin(is_taken=False)
    taken = await waiting.stage.meet(taking(ONE), lambda: waiting.take(ONE), commits=commits)
    assert taken == (job_id(1) if commits else job_id(2))
    scheduled = await waiting.stage.registry.jobs(state=JobState.SCHEDULING)
    assert [job.id for job in scheduled] == [taken]


async def test_a_take_passes_over_what_is_being_canceled(waiting: Waiting, commits: bool) -> None:
    await waiting.begin(is_taken=False)

    def canceling(connection: Connection) -> object:
        return jobs.request_cancel(connection, View(ACCOUNT), job_id(1), EPOCH)

    async with waiting.stage.holding(canceling, commits=commits):
        assert await waiting.take(ONE) == job_id(2)


async def test_a_cancel_of_what_is_being_taken(waiting: Waiting, commits: bool) -> None:
    await waiting.begin(is_taken=False)

    async def cancel() -> object:
        return (await waiting.stage.registry.request_cancel(job_id(1))).state

    answer = await waiting.stage.meet(taking(ONE), cancel, commits=commits)
    assert answer == (JobState.SCHEDULING if commits else JobState.CANCELED)


@pytest.mark.parametrize("what", ["renew", "move", "take"])
async def test_whatever_meets_the_end_of_a_lease(waiting: Waiting, commits: bool, what: str) -> None:
    await waiting.begin(is_taken=True)

    async def second() -> object:
        match what:
            case "renew":
                return (await waiting.queue.renew(ACCOUNT, job_id(1), ONE)).id
            case "move":
                return (await waiting.stage.registry.move_job(job_id(1), JobState.RUNNING)).id
            case _:
                return await waiting.take(ONE)

    answer = await waiting.stage.meet(
        lambda connection: queue.expire(connection, waiting.clock()), second, commits=commits
    )
    error = "IllegalTransitionError" if what == "move" else "LeaseLostError"
    assert answer == (error if commits else job_id(1))
    active = JobState.RUNNING if what == "move" else JobState.SCHEDULING
    assert await waiting.state() == ((JobState.FAILED, Reason.AGENT_LOST) if commits else (active, None))


async def test_the_end_of_a_lease_that_is_being_renewed_or_moved(waiting: Waiting, commits: bool) -> None:
    """Left alone, and looked at the next time."""
    await waiting.begin(is_taken=True)

    def renewing(connection: Connection) -> object:
        return queue.renew(connection, ACCOUNT, job_id(1), ONE, waiting.clock())

    async with waiting.stage.holding(renewing, commits=commits):
        assert await waiting.queue.expire() == []
    assert await waiting.queue.expire() == ([] if commits else [job_id(1)])


# --- logs and users --------------------------------------------------------------------------------------


async def test_one_piece_of_a_log_twice(waiting: Waiting, commits: bool) -> None:
    await waiting.begin(is_taken=False)
    logs = joblogs.JobLogs(waiting.stage.database, ACCOUNT)

    def appending(connection: Connection) -> object:
        return joblogs.append(connection, ACCOUNT, job_id(1), 0, b"one\n")

    assert await waiting.stage.meet(appending, lambda: logs.append(job_id(1), 0, b"one\n"), commits=commits) == 4
    assert await logs.read(job_id(1), 0, 100) == b"one\n"


async def test_two_grants(stage: Stage, commits: bool) -> None:
    access = Access(stage.database, lambda: EPOCH)
    await access.add_user(ACCOUNT, "ann")

    def granting(connection: Connection) -> object:
        return users.grant(connection, ACCOUNT, "ann", "demo", Role.READ)

    await stage.meet(granting, lambda: access.grant(ACCOUNT, "ann", "demo", Role.WRITE), commits=commits)
    assert await access.users(ACCOUNT) == [UserFacts("ann", EPOCH, {"demo": Role.WRITE})]
