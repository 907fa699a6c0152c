"""Two transactions on PostgreSQL that meet: the first has done its work and not committed when the second begins.

Whatever the first then does, commit or roll back, the second answers as if it had come after it. On SQLite the second
could not even begin.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Connection

from c3fs.core.job import JobState
from c3fs.core.ref import parse_ref
from c3fs.registry import consumed, jobs, manifests, sweeps
from c3fs.registry.views import View
from tests.support.meeting import ACCOUNT, Stage, Work
from tests.support.records import EPOCH, job_id, make_blob, make_blobs, make_job, make_manifest

pytestmark = pytest.mark.postgres


def registering(ref: str, content: str, numbers: list[int]) -> Work:
    entry = manifests.make_entry(make_manifest(ref, content), make_blobs(numbers), 0, None)
    return lambda connection: manifests.register(connection, ACCOUNT, entry, EPOCH)


def moving(state: JobState) -> Work:
    return lambda connection: jobs.move_job(connection, View(ACCOUNT), job_id(1), state, None, None, EPOCH)


async def test_the_numbers_of_versions(stage: Stage, commits: bool) -> None:
    async def second() -> str:
        done = await stage.registry.register(make_manifest("/datasets/a", "y"), make_blobs([2]), mark=0)
        return done.manifest.ref

    number = await stage.meet(registering("/datasets/a", "x", [1]), second, commits=commits)
    assert number == ("/datasets/a/@v2" if commits else "/datasets/a/@v1")


async def test_the_same_tree(stage: Stage, commits: bool) -> None:
    async def second() -> tuple[str, bool]:
        done = await stage.registry.register(make_manifest("/datasets/a", "x"), make_blobs([1]), mark=0)
        return done.manifest.ref, done.created

    answer = await stage.meet(registering("/datasets/a", "x", [1]), second, commits=commits)
    assert answer == ("/datasets/a/@v1", not commits)


async def test_another_tree_under_the_same_ref(stage: Stage, commits: bool) -> None:
    async def second() -> str:
        await stage.registry.register(make_manifest("/jobs/" + job_id(1), "y"), make_blobs([1]), mark=0)
        return "done"

    answer = await stage.meet(registering("/jobs/" + job_id(1), "x", [1]), second, commits=commits)
    assert answer == ("ConflictError" if commits else "done")


async def test_shared_blobs_are_charged_once(stage: Stage, commits: bool) -> None:
    async def second() -> int:
        done = await stage.registry.register(make_manifest("/datasets/b"), make_blobs([2, 3]), mark=0)
        return done.charged

    charged = await stage.meet(registering("/datasets/a", "x", [1, 2]), second, commits=commits)
    assert charged == sum(size for _, size in make_blobs([3] if commits else [2, 3]))
    stored = sum(size for _, size in make_blobs([1, 2, 3] if commits else [2, 3]))
    balance = await stage.registry.balance()
    assert (balance.stored, balance.lines[0].balance) == (stored, stored)


async def test_what_is_registered_is_not_condemned(stage: Stage, commits: bool) -> None:
    async def second() -> object:
        return (await stage.registry.condemn([make_blob(1)[0]], 60)).condemned

    condemned = await stage.meet(registering("/datasets/a", "x", [1]), second, commits=commits)
    assert condemned == (frozenset() if commits else {make_blob(1)[0]})


async def test_what_is_condemned_is_not_registered(stage: Stage, commits: bool) -> None:
    async def second() -> str:
        await stage.registry.register(make_manifest("/datasets/a"), make_blobs([1]), mark=0)
        return "done"

    def first(connection: Connection) -> object:
        return sweeps.condemn(connection, ACCOUNT, [make_blob(1)[0]], 60, EPOCH)

    assert await stage.meet(first, second, commits=commits) == ("SweptError" if commits else "done")


async def test_a_job_of_what_is_removed(stage: Stage, commits: bool) -> None:
    await stage.registry.register(make_manifest("/datasets/a"), make_blobs([1]), mark=0)

    async def second() -> str:
        await stage.registry.add_job(replace(make_job(1), inputs=("/datasets/a/@v1",)))
        return "done"

    def first(connection: Connection) -> object:
        return manifests.remove(connection, View(ACCOUNT), [parse_ref("/datasets/a/@v1")], EPOCH)

    assert await stage.meet(first, second, commits=commits) == ("RefNotFoundError" if commits else "done")


async def test_removing_what_a_job_consumes(stage: Stage, commits: bool) -> None:
    await stage.registry.register(make_manifest("/datasets/a"), make_blobs([1]), mark=0)

    async def second() -> int:
        return await stage.registry.remove([parse_ref("/datasets/a/@v1")])

    def first(connection: Connection) -> None:
        consumed.add_job(connection, View(ACCOUNT), replace(make_job(1), inputs=("/datasets/a/@v1",)))

    assert await stage.meet(first, second, commits=commits) == ("InUseError" if commits else make_blob(1)[1])


async def test_two_jobs_of_one_id(stage: Stage, commits: bool) -> None:
    async def second() -> str:
        await stage.registry.add_job(make_job(1))
        return "done"

    def first(connection: Connection) -> None:
        consumed.add_job(connection, View(ACCOUNT), make_job(1))

    assert await stage.meet(first, second, commits=commits) == ("ConflictError" if commits else "done")


async def test_two_moves(stage: Stage, commits: bool) -> None:
    await stage.registry.add_job(make_job(1))

    async def second() -> str:
        return (await stage.registry.move_job(job_id(1), JobState.SCHEDULING)).state

    answer = await stage.meet(moving(JobState.SCHEDULING), second, commits=commits)
    assert answer == ("IllegalTransitionError" if commits else "SCHEDULING")


@pytest.mark.parametrize("wanted", [JobState.SCHEDULING, JobState.RUNNING])
async def test_a_cancel_misses_no_move(stage: Stage, commits: bool, wanted: JobState) -> None:
    await stage.registry.add_job(make_job(1))
    before = JobState.PENDING
    if wanted is JobState.RUNNING:
        before = (await stage.registry.move_job(job_id(1), JobState.SCHEDULING)).state

    async def second() -> object:
        job = await stage.registry.request_cancel(job_id(1))
        return job.state, job.cancel_requested

    after = wanted if commits else JobState.CANCELED if before is JobState.PENDING else before
    assert await stage.meet(moving(wanted), second, commits=commits) == (after, EPOCH)
