"""What a principal sees of a registry. What it does not see answers exactly as what is not there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

import pytest

from c3fs.core.access import EVERY, Agent, JobToken, Principal, Role, User
from c3fs.core.job import JobState
from c3fs.core.ref import parse_ref
from c3fs.errors import C3Error, RefNotFoundError
from c3fs.registry.base import Job, Registry
from c3fs.registry.control import ControlDatabase
from tests.support.control import ACCOUNT, OTHER, add_accounts, digests, publish, queued
from tests.support.records import job_id, make_blobs, make_manifest

SUCCESS: Final = (JobState.SCHEDULING, JobState.RUNNING, JobState.SUCCEEDED)
ADMIN: Final = User(ACCOUNT, "ada", {EVERY: Role.ADMIN})
READER: Final = User(ACCOUNT, "eve", {EVERY: Role.READ})
BLUE: Final = User(ACCOUNT, "bob", {"blue": Role.WRITE})
BOTH: Final = User(ACCOUNT, "ann", {"blue": Role.READ, "red": Role.READ, "none": Role.ADMIN})
NEW: Final = User(ACCOUNT, "new", {})
AGENT: Final = Agent(ACCOUNT, "abc")
TOKEN: Final = JobToken(ACCOUNT, job_id(4))
STRANGER: Final = User(OTHER, "ada", {EVERY: Role.ADMIN, "blue": Role.ADMIN})
RED_JOBS: Final = [2]
Question = Callable[[Registry], Awaitable[object]]


async def finish(registry: Registry, job: Job) -> None:
    await registry.add_job(job)
    for state in SUCCESS:
        await registry.move_job(job.id, state)


async def fill(control: ControlDatabase) -> None:
    """Jobs 1 (blue) and 2 (red) have artifacts of the blobs 1 and 2. Artifacts 3 have no record. Job 4 (blue) has
    succeeded, and has consumed the artifacts of 1, version 1 of a data set of the account (blob 5), and its source (7).
    Version 2 of the data set has blob 6; red has a data set (8), a source (9). The other account has job 11 (1, 11)."""
    await add_accounts(control)
    registry = control.registry(ACCOUNT)
    await finish(registry, queued(1, "blue"))
    await finish(registry, queued(2, "red"))
    for number in (1, 2, 3):
        await publish(control, f"/jobs/{job_id(number)}", [number])
    await publish(control, "/datasets/glove", [5])
    await registry.register(make_manifest("/datasets/glove", "second"), make_blobs([6]), mark=0)
    await publish(control, "/projects/blue/source", [7])
    await publish(control, "/projects/red/data/secret", [8])
    await publish(control, "/projects/red/source", [9])
    inputs = (f"/jobs/{job_id(1)}/checkpoints", "/datasets/glove/@v1")
    await finish(registry, replace(queued(4, "blue"), inputs=inputs, source="/projects/blue/source/@v1"))
    await publish(control, f"/jobs/{job_id(4)}", [4])
    await finish(control.registry(OTHER), queued(11, "blue"))
    await publish(control, f"/jobs/{job_id(11)}", [1, 11], OTHER)


def numbers(jobs: list[Job]) -> list[int]:
    return sorted(int(job.id.split("_")[1]) for job in jobs)


@pytest.mark.parametrize(
    ("principal", "jobs", "artifacts"),
    [
        (ADMIN, [1, 2, 4], [1, 2, 3, 4]),
        (READER, [1, 2, 4], [1, 2, 3, 4]),
        (BLUE, [1, 4], [1, 4]),
        (BOTH, [1, 2, 4], [1, 2, 4]),
        (NEW, [], []),
        (AGENT, [], []),
        (TOKEN, [4], [1, 4]),
        (STRANGER, [11], [11]),
    ],
    ids=str,
)
async def test_jobs_and_artifacts(
    control: ControlDatabase, principal: Principal, jobs: list[int], artifacts: list[int]
) -> None:
    await fill(control)
    seen = control.registry_of(principal)
    assert numbers(await seen.jobs()) == jobs
    assert numbers(await seen.jobs(state=JobState.SUCCEEDED)) == jobs
    assert numbers(await seen.jobs(project="red")) == [number for number in jobs if number in RED_JOBS]
    assert sorted(await seen.artifacts()) == [job_id(number) for number in artifacts]
    for number in (1, 2, 3, 4, 11):
        ref = parse_ref(f"/jobs/{job_id(number)}")
        if number in artifacts:
            assert (await seen.manifest(ref)).ref == str(ref)
        else:
            with pytest.raises(RefNotFoundError, match=f"^{ref}: no such ref$"):
                await seen.manifest(ref)


@pytest.mark.parametrize(
    ("principal", "projects", "own", "red", "glove", "sources"),
    [
        (ADMIN, ["blue", "red"], ["glove"], ["secret"], 2, ["blue", "red"]),
        (READER, ["blue", "red"], ["glove"], ["secret"], 2, ["blue", "red"]),
        (BLUE, ["blue"], ["glove"], [], 2, ["blue"]),
        (BOTH, ["blue", "red"], ["glove"], ["secret"], 2, ["blue", "red"]),
        (NEW, [], ["glove"], [], 2, []),
        (AGENT, [], [], [], 0, []),
        (TOKEN, ["blue"], ["glove"], [], 1, ["blue"]),
        (STRANGER, ["blue"], [], [], 0, []),
    ],
    ids=str,
)
async def test_projects_data_sets_and_versions(
    control: ControlDatabase,
    principal: Principal,
    projects: list[str],
    own: list[str],
    red: list[str],
    glove: int,
    sources: list[str],
) -> None:
    await fill(control)
    seen = control.registry_of(principal)
    assert await seen.projects() == projects
    assert await seen.datasets() == own
    assert await seen.datasets("red") == red
    assert len(await seen.versions(parse_ref("/datasets/glove"))) == glove
    found = [name for name in ("blue", "red") if await seen.versions(parse_ref(f"/projects/{name}/source"))]
    assert found == sources


@pytest.mark.parametrize(
    ("principal", "consumers"), [(ADMIN, [4]), (BLUE, [4]), (NEW, []), (TOKEN, [4]), (STRANGER, [])], ids=str
)
async def test_consumers(control: ControlDatabase, principal: Principal, consumers: list[int]) -> None:
    await fill(control)
    seen = control.registry_of(principal)
    for ref in (f"/jobs/{job_id(1)}", "/datasets/glove/@v1", "/projects/blue/source/@v1"):
        assert numbers(await seen.consumers(parse_ref(ref))) == consumers


async def outcome(call: Callable[[], Awaitable[object]]) -> tuple[type, str]:
    with pytest.raises(C3Error) as caught:
        await call()
    return type(caught.value), str(caught.value)


@pytest.mark.parametrize("principal", [BLUE, NEW, AGENT, TOKEN, STRANGER], ids=str)
async def test_what_is_not_seen_answers_as_what_is_not_there(control: ControlDatabase, principal: Principal) -> None:
    """Red's, asked for by others; compared with an account in which nothing is."""
    await fill(control)
    await control.access.add_account("empty")
    seen = control.registry_of(principal)
    empty = control.registry("empty")
    refs = [
        f"/jobs/{job_id(2)}",
        f"/jobs/{job_id(3)}",
        f"/projects/red/jobs/{job_id(2)}",
        "/projects/red/jobs/@last",
        f"/projects/red/jobs/@name:{queued(2).name}",
        "/projects/red/data/secret",
        "/projects/red/data/secret/@v1/sub",
        "/projects/red/data/secret/@v2",
        "/projects/red/source/@latest",
    ]
    for text in refs:
        for ask in questions(text):
            assert await outcome(lambda ask=ask: ask(seen)) == await outcome(lambda ask=ask: ask(empty)), text


def questions(text: str) -> list[Question]:
    """All that is asked about a ref, and about the job if it names one."""
    ref = parse_ref(text)
    asked: list[Question] = [lambda seen: seen.resolve(ref), lambda seen: seen.manifest(ref)]
    of_frozen: list[Question] = [
        lambda seen: seen.usage([ref]),
        lambda seen: seen.remove([ref]),
        lambda seen: seen.add_job(replace(queued(20, "blue"), inputs=(text,))),
    ]
    of_job: list[Question] = [
        lambda seen: seen.job(ref.name),
        lambda seen: seen.request_cancel(ref.name),
        lambda seen: seen.move_job(ref.name, JobState.FAILED),
    ]
    if ref.frozen and not ref.sub:
        asked += of_frozen
    if ref.frozen and ref.kind == "job":
        asked += of_job
    return asked


async def test_a_token_sees_its_own_versions_alone(control: ControlDatabase) -> None:
    await fill(control)
    seen = control.registry_of(TOKEN)
    assert str(await seen.resolve(parse_ref("/datasets/glove/@v1/x"))) == "/datasets/glove/@v1/x"
    assert str(await seen.resolve(parse_ref("/datasets/glove"))) == "/datasets/glove/@v1"
    with pytest.raises(RefNotFoundError):
        await seen.resolve(parse_ref("/datasets/glove/@v2"))
    assert (await seen.job(job_id(4))).id == job_id(4)


async def test_what_a_ref_belongs_to(control: ControlDatabase) -> None:
    await fill(control)
    for text, project in (
        (f"/jobs/{job_id(1)}", "blue"),
        (f"/jobs/{job_id(2)}/sub", "red"),
        (f"/projects/red/jobs/{job_id(2)}", "red"),
        ("/projects/red/jobs/@last", "red"),
        ("/projects/none/data/x", "none"),
        ("/projects/red/source", "red"),
        ("/datasets/glove", None),
        ("/datasets/none", None),
    ):
        assert await control.access.project_of(ACCOUNT, parse_ref(text)) == project
    for text in (f"/jobs/{job_id(3)}", f"/jobs/{job_id(11)}", f"/projects/red/jobs/{job_id(1)}"):
        with pytest.raises(RefNotFoundError, match=r": no such ref$"):
            await control.access.project_of(ACCOUNT, parse_ref(text))


@pytest.mark.parametrize(
    ("principal", "blobs"),
    [
        (ADMIN, [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (READER, [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (BLUE, [1, 4, 5, 6, 7]),
        (BOTH, [1, 2, 4, 5, 6, 7, 8, 9]),
        (NEW, [5, 6]),
        (AGENT, []),
        (TOKEN, [1, 4, 5, 7]),
        (STRANGER, [1, 11]),
    ],
    ids=str,
)
async def test_blobs(control: ControlDatabase, principal: Principal, blobs: list[int]) -> None:
    await fill(control)
    asked = digests(range(20))
    assert await control.access.readable(principal, sorted(asked)) == digests(blobs)
    assert await control.access.readable(principal, []) == set()
    many = sorted(digests(range(1200)))
    assert await control.access.readable(principal, many) == digests(blobs)


async def test_a_blob_of_a_removed_tree_is_not_readable(control: ControlDatabase) -> None:
    await fill(control)
    registry = control.registry(ACCOUNT)
    await registry.remove([parse_ref("/projects/red/data/secret/@v1"), parse_ref(f"/jobs/{job_id(2)}")])
    assert await control.access.readable(ADMIN, sorted(digests([1, 2, 8]))) == digests([1])
