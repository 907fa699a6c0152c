"""What every registry promises, one process at a time; see test_registry_races for several."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import Final

import msgspec
import pytest
import trio

from c3fs.core.job import FINAL, TRANSITIONS, JobState, Reason
from c3fs.core.ref import parse_ref
from c3fs.errors import (
    ConflictError,
    IllegalTransitionError,
    InvalidFormatError,
    InvalidRefError,
    JobNotFinishedError,
    JobNotFoundError,
    RefNotFoundError,
)
from c3fs.registry.base import Registration, Registry
from tests.support.records import job_id, make_blob, make_blobs, make_job, make_manifest, open_registry

ROUTES: Final = {
    JobState.PENDING: [],
    JobState.SCHEDULING: [JobState.SCHEDULING],
    JobState.RUNNING: [JobState.SCHEDULING, JobState.RUNNING],
    JobState.SUCCEEDED: [JobState.SCHEDULING, JobState.RUNNING, JobState.SUCCEEDED],
    JobState.FAILED: [JobState.FAILED],
    JobState.CANCELED: [JobState.CANCELED],
    JobState.TIMED_OUT: [JobState.SCHEDULING, JobState.RUNNING, JobState.TIMED_OUT],
}
"""How a pending job comes to each state."""


async def bring(registry: Registry, number: int, state: JobState, project: str = "demo") -> None:
    """A new job in that state."""
    await registry.add_job(make_job(number, project))
    for step in ROUTES[state]:
        await registry.move_job(job_id(number), step)


# --- jobs ------------------------------------------------------------------------------------------------


async def test_a_job_is_kept_as_it_is(sql_registry: Registry, sql_address: str) -> None:
    job = replace(
        make_job(1),
        state=JobState.FAILED,
        reason=Reason.AGENT_LOST,
        exit_code=-9,
        started=datetime(2026, 5, 6, 7, 8, 9, 1, tzinfo=UTC),
        finished=datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    )
    await sql_registry.add_job(job)
    await sql_registry.add_job(make_job(2))
    with open_registry(sql_address) as other:
        assert await other.job(job.id) == job
        assert await other.job(job_id(2)) == make_job(2)


async def test_a_job_that_is_not_there(registry: Registry) -> None:
    with pytest.raises(JobNotFoundError, match=job_id(1)):
        await registry.job(job_id(1))
    with pytest.raises(JobNotFoundError):
        await registry.move_job(job_id(1), JobState.RUNNING)


async def test_a_jobs_id_is_unique(registry: Registry) -> None:
    await registry.add_job(make_job(1))
    with pytest.raises(ConflictError, match=job_id(1)):
        await registry.add_job(make_job(1, "other"))
    assert (await registry.job(job_id(1))).project == "demo"


async def test_of_jobs_that_came_late_the_newest_is_the_one_made_last(sql_registry: Registry) -> None:
    for number in (3, 1, 2):
        await sql_registry.add_job(make_job(number))
    assert [job.id for job in await sql_registry.jobs()] == [job_id(number) for number in (3, 2, 1)]


async def test_jobs_are_listed_the_newest_first(registry: Registry) -> None:
    for number in (1, 2, 3, 4, 5):
        await bring(registry, number, JobState.RUNNING if number % 2 else JobState.PENDING, f"p{number % 3}")

    async def numbers(project: str | None = None, state: JobState | None = None, limit: int | None = None) -> list[int]:
        return [int(job.id[4]) for job in await registry.jobs(project=project, state=state, limit=limit)]

    assert await numbers() == [5, 4, 3, 2, 1]
    assert await numbers(limit=2) == [5, 4]
    assert await numbers(limit=0) == []
    assert await numbers(project="p2") == [5, 2]
    assert await numbers(state=JobState.RUNNING) == [5, 3, 1]
    assert await numbers(project="p1", state=JobState.RUNNING, limit=1) == [1]
    assert await numbers(project="none") == []


@pytest.mark.parametrize(("state", "wanted"), list(product(JobState, JobState)), ids=str)
async def test_only_transitions_of_the_table_happen(registry: Registry, state: JobState, wanted: JobState) -> None:
    await bring(registry, 1, state)
    before = await registry.job(job_id(1))
    if wanted in TRANSITIONS[state]:
        after = await registry.move_job(job_id(1), wanted, reason=Reason.SCRIPT_ERROR, exit_code=3)
        assert (after.state, after.reason, after.exit_code) == (wanted, Reason.SCRIPT_ERROR, 3)
        assert (after.started != before.started) == (wanted is JobState.RUNNING)
        assert (after.finished is not None) == (wanted in FINAL)
        assert await registry.job(job_id(1)) == after
    else:
        with pytest.raises(IllegalTransitionError) as caught:
            await registry.move_job(job_id(1), wanted, reason=Reason.SCRIPT_ERROR, exit_code=3)
        assert (caught.value.job_id, caught.value.state, caught.value.wanted) == (job_id(1), state, wanted)
        assert await registry.job(job_id(1)) == before


# --- manifests -------------------------------------------------------------------------------------------


async def test_a_registered_manifest_is_found_under_its_ref(registry: Registry, address: str) -> None:
    manifest = make_manifest("/datasets/glove/@v1", complete=False)
    assert await registry.register(manifest, make_blobs(range(3)), mark=0) == Registration(
        sum(size for _, size in make_blobs(range(3))), True, manifest
    )
    with open_registry(address) as other:
        assert await other.manifest(parse_ref("/datasets/glove/@v1/some/sub-path")) == manifest


async def test_registering_again_does_nothing(registry: Registry) -> None:
    manifest = make_manifest("/datasets/glove/@v1")
    await registry.register(manifest, make_blobs(range(3)), mark=0)
    before = await registry.balance()
    assert await registry.register(manifest, make_blobs(range(3)), mark=0) == Registration(0, False, manifest)
    assert await registry.balance() == before


async def test_registering_again_at_another_time_keeps_the_first(registry: Registry) -> None:
    first = make_manifest("/datasets/glove/@v1")
    await registry.register(first, make_blobs(range(3)), mark=0)
    again = msgspec.structs.replace(first, created="2031-01-01T00:00:00Z")
    assert await registry.register(again, make_blobs(range(3)), mark=0) == Registration(0, False, first)
    assert await registry.manifest(parse_ref("/datasets/glove/@v1")) == first


async def test_another_tree_under_the_same_ref_is_refused(registry: Registry) -> None:
    await registry.register(make_manifest("/jobs/" + job_id(1), "one"), make_blobs(range(3)), mark=0)
    before = await registry.balance()
    for other in (
        make_manifest("/jobs/" + job_id(1), "another"),
        make_manifest("/jobs/" + job_id(1), "one", complete=False),
        make_manifest("/projects/demo/jobs/" + job_id(1), "another"),
    ):
        with pytest.raises(ConflictError, match=r"/jobs/job_1_abc123: another tree"):
            await registry.register(other, make_blobs(range(9)), mark=0)
    assert await registry.balance() == before
    assert await registry.manifest(parse_ref("/jobs/" + job_id(1))) == make_manifest("/jobs/" + job_id(1), "one")


@pytest.mark.parametrize(
    "ref",
    ["/datasets/glove/@latest", "/datasets/glove/@v1/sub", "/datasets/glove/sub", "/projects/demo/jobs/@last"],
)
async def test_refs_that_name_no_tree_are_refused(registry: Registry, ref: str) -> None:
    with pytest.raises(InvalidRefError):
        await registry.register(make_manifest(ref), [], mark=0)


async def test_manifests_that_break_the_format_are_refused(registry: Registry) -> None:
    good = make_manifest("/datasets/glove/@v1")
    for bad in (
        msgspec.structs.replace(good, format=2),
        msgspec.structs.replace(good, created="yesterday"),
        msgspec.structs.replace(good, ref="/datasets/../@v1"),
    ):
        with pytest.raises(InvalidFormatError):
            await registry.register(bad, [], mark=0)
    digest, size = make_blob(1)
    with pytest.raises(InvalidFormatError, match="bytes"):
        await registry.register(good, [(digest, size), (digest, size + 1)], mark=0)
    with pytest.raises(RefNotFoundError):
        await registry.manifest(parse_ref("/datasets/glove"))


async def test_versions_of_a_data_set(registry: Registry) -> None:
    for base in ("/datasets/glove", "/projects/p/data/glove"):
        for version in (2, 10, 9):
            await registry.register(make_manifest(f"{base}/@v{version}"), [], mark=0)
        for spelt, found in (("", 10), ("/@latest", 10), ("/@v2", 2), ("/@v9/sub", 9)):
            assert (await registry.manifest(parse_ref(base + spelt))).ref == f"{base}/@v{found}"
    for ref in ("/datasets/glove/@v3", "/datasets/other", "/projects/q/data/glove", "/projects/p/data/glove/@v1"):
        with pytest.raises(RefNotFoundError, match=ref):
            await registry.manifest(parse_ref(ref))


async def test_a_jobs_artifacts_exist_when_it_has_ended(registry: Registry) -> None:
    ref = f"/jobs/{job_id(1)}"
    with pytest.raises(RefNotFoundError, match="no such ref"):
        await registry.manifest(parse_ref(ref))
    await bring(registry, 1, JobState.RUNNING)
    await registry.register(make_manifest(ref), [], mark=0)
    with pytest.raises(JobNotFinishedError, match="is RUNNING"):
        await registry.manifest(parse_ref(ref))
    await registry.move_job(job_id(1), JobState.SUCCEEDED)
    assert (await registry.manifest(parse_ref(ref))).ref == ref


@pytest.mark.parametrize("state", JobState)
async def test_a_job_without_artifacts(registry: Registry, state: JobState) -> None:
    await bring(registry, 1, state)
    for ref in (f"/jobs/{job_id(1)}", f"/projects/demo/jobs/{job_id(1)}/sub"):
        if state in FINAL:
            with pytest.raises(RefNotFoundError, match="has no artifacts"):
                await registry.manifest(parse_ref(ref))
        else:
            with pytest.raises(JobNotFinishedError, match=f"is {state}"):
                await registry.manifest(parse_ref(ref))


@pytest.mark.parametrize("registered", [f"/jobs/{job_id(1)}", f"/projects/demo/jobs/{job_id(1)}"])
async def test_a_jobs_ref_with_and_without_its_project_is_one(registry: Registry, registered: str) -> None:
    await bring(registry, 1, JobState.SUCCEEDED)
    manifest = make_manifest(registered)
    await registry.register(manifest, make_blobs([1]), mark=0)
    for ref in (f"/jobs/{job_id(1)}", f"/projects/demo/jobs/{job_id(1)}"):
        assert await registry.manifest(parse_ref(ref)) == manifest
    assert (await registry.balance()).lines[0].ref == f"/jobs/{job_id(1)}"


async def test_a_job_is_not_found_in_another_project(registry: Registry) -> None:
    await bring(registry, 1, JobState.SUCCEEDED)
    for number in (1, 2):
        await registry.register(make_manifest(f"/jobs/{job_id(number)}"), [], mark=0)
    for number, project in ((1, "other"), (2, "demo")):
        with pytest.raises(RefNotFoundError):
            await registry.manifest(parse_ref(f"/projects/{project}/jobs/{job_id(number)}"))
    # Nobody has said of what project the second is, or that it has not ended.
    assert await registry.manifest(parse_ref(f"/jobs/{job_id(2)}"))


# --- ledger ----------------------------------------------------------------------------------------------


async def test_an_account_is_charged_for_what_is_new(registry: Registry) -> None:
    empty = await registry.balance()
    assert (empty.stored, empty.lines) == (0, ())
    assert empty.quota == 100 << 30
    sizes = [size for _, size in make_blobs(range(10))]
    first = await registry.register(
        make_manifest("/datasets/a/@v1"), make_blobs(range(6)) + make_blobs(range(2)), mark=0
    )
    second = await registry.register(make_manifest("/datasets/a/@v2"), make_blobs(range(4, 10)), mark=0)
    third = await registry.register(make_manifest("/datasets/b/@v1"), make_blobs(range(2, 8)), mark=0)
    assert [first.charged, second.charged, third.charged] == [sum(sizes[:6]), sum(sizes[6:]), 0]
    balance = await registry.balance()
    assert balance.stored == sum(sizes)
    assert [(line.ref, line.delta, line.balance) for line in balance.lines] == [
        ("/datasets/b/@v1", 0, sum(sizes)),
        ("/datasets/a/@v2", sum(sizes[6:]), sum(sizes)),
        ("/datasets/a/@v1", sum(sizes[:6]), sum(sizes[:6])),
    ]
    assert all(line.at.tzinfo is UTC for line in balance.lines)
    assert (await registry.balance(lines=1)).lines == balance.lines[:1]


async def test_passing_the_quota_rejects_nothing(registry: Registry) -> None:
    huge = [(digest, 4 << 20) for digest, _ in make_blobs(range(26_000))]
    await registry.register(make_manifest("/datasets/huge/@v1"), huge, mark=0)
    balance = await registry.balance()
    assert balance.stored == 26_000 * (4 << 20) > balance.quota


async def test_many_tasks_at_once(registry: Registry) -> None:
    async def live(number: int) -> None:
        await bring(registry, number, JobState.RUNNING)
        await registry.register(make_manifest(f"/jobs/{job_id(number)}"), make_blobs(range(number, number + 3)), mark=0)
        await registry.move_job(job_id(number), JobState.SUCCEEDED)
        await registry.manifest(parse_ref(f"/projects/demo/jobs/{job_id(number)}"))

    async with trio.open_nursery() as nursery:
        for number in range(30):
            nursery.start_soon(live, number)
    assert (await registry.balance()).stored == sum(size for _, size in make_blobs(range(32)))


async def test_cancelling_a_call_does_no_harm(registry: Registry) -> None:
    await registry.add_job(make_job(1))
    with trio.move_on_after(0):
        await registry.job(job_id(1))
    with trio.move_on_after(0):
        await registry.add_job(make_job(2))
    assert (await registry.job(job_id(1))).id == job_id(1)
    await registry.register(make_manifest("/datasets/a/@v1"), make_blobs([1]), mark=0)
