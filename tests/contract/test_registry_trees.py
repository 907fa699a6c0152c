"""Versions, lineage and removal: what every registry promises of published trees."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
import trio

from c3fs.core.job import JobState
from c3fs.core.ref import parse_ref
from c3fs.errors import (
    ConflictError,
    IllegalTransitionError,
    InUseError,
    InvalidRefError,
    JobNotFinishedError,
    JobNotFoundError,
    OutdatedError,
    RefNotFoundError,
)
from c3fs.registry.base import Registry, Usage
from tests.contract.test_registry import ROUTES, bring
from tests.support.records import job_id, make_blobs, make_job, make_manifest


def total(*numbers: int) -> int:
    return sum(size for _, size in make_blobs(numbers))


async def publish(registry: Registry, ref: str, content: str = "", blobs: tuple[int, ...] = ()) -> str:
    """The frozen ref that it got."""
    manifest = make_manifest(ref, content)
    return (await registry.register(manifest, make_blobs(blobs), mark=await registry.mark())).manifest.ref


async def finished(
    registry: Registry, number: int, *, name: str = "n", inputs: tuple[str, ...] = (), source: str | None = None
) -> None:
    """A job that SUCCEEDED."""
    job = replace(make_job(number), name=name, inputs=inputs, source=source)
    await registry.add_job(job)
    for step in ROUTES[JobState.SUCCEEDED]:
        await registry.move_job(job.id, step)


# --- versions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", ["/datasets/glove", "/projects/p/data/glove"])
async def test_a_data_set_gets_a_version_when_something_changed(registry: Registry, base: str) -> None:
    got = [await publish(registry, base, content) for content in ("a", "a", "b", "b", "a")]
    assert got == [f"{base}/@v{number}" for number in (1, 1, 2, 2, 3)]
    assert [manifest.ref for manifest in await registry.versions(parse_ref(base))] == [
        f"{base}/@v{number}" for number in (3, 2, 1)
    ]
    assert (await registry.manifest(parse_ref(base + "/x"))).ref == f"{base}/@v3"


async def test_what_is_incomplete_is_not_the_same(registry: Registry) -> None:
    for complete in (True, False, False):
        manifest = make_manifest("/datasets/glove", complete=complete)
        await registry.register(manifest, [], mark=0)
    assert [version.complete for version in await registry.versions(parse_ref("/datasets/glove"))] == [False, True]


async def test_a_source_has_one_version_a_tree(registry: Registry) -> None:
    base = "/projects/p/source"
    got = [await publish(registry, base, content) for content in ("a", "b", "a", "b", "c")]
    assert got == [f"{base}/@v{number}" for number in (1, 2, 1, 2, 3)]
    # Removing one makes room for no other.
    await registry.remove([parse_ref(f"{base}/@v1")])
    assert await publish(registry, base, "a") == f"{base}/@v4"


async def test_a_version_that_was_said_is_taken_as_it_is(registry: Registry) -> None:
    assert await publish(registry, "/datasets/glove/@v7", "a") == "/datasets/glove/@v7"
    assert await publish(registry, "/datasets/glove", "b") == "/datasets/glove/@v8"


async def test_who_made_it_from_an_old_version_is_told(registry: Registry) -> None:
    base = "/datasets/glove"
    for onto, content, fits in ((1, "a", False), (0, "a", True), (0, "b", False), (1, "b", True), (1, "b", False)):
        manifest = make_manifest(base, content)
        if fits:
            assert (await registry.register(manifest, [], mark=0, onto=onto)).created
        else:
            with pytest.raises(OutdatedError):
                await registry.register(manifest, [], mark=0, onto=onto)
    await registry.remove([parse_ref(f"{base}/@v2")])
    assert (await registry.register(make_manifest(base, "c"), [], mark=0, onto=1)).manifest.ref == f"{base}/@v3"


async def test_many_who_publish_at_once_get_one_number_each(registry: Registry) -> None:
    got: list[str] = []

    async def one(content: str) -> None:
        got.append(await publish(registry, "/datasets/glove", content))

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(one, f"content {number}")
    assert sorted(got) == sorted(f"/datasets/glove/@v{number}" for number in range(1, 21))


async def test_what_there_is_can_be_listed(registry: Registry) -> None:
    for ref in ("/datasets/b", "/datasets/a", "/datasets/a", "/projects/p/data/c", "/projects/q/source"):
        await publish(registry, ref, ref)
    await bring(registry, 1, JobState.RUNNING, "r")
    assert await registry.datasets() == ["a", "b"]
    assert await registry.datasets("p") == ["c"]
    assert await registry.datasets("q") == []
    assert await registry.projects() == ["p", "q", "r"]
    await registry.remove([parse_ref("/projects/p/data/c/@v1"), parse_ref("/datasets/a/@v1")])
    assert await registry.datasets() == ["b"]
    assert await registry.projects() == ["q", "r"]
    assert await registry.versions(parse_ref("/datasets/a")) == []


# --- which job is meant ----------------------------------------------------------------------------------


async def test_the_last_job_is_the_newest_that_succeeded(registry: Registry) -> None:
    for number, name in ((1, "train"), (2, "eval"), (3, "train x")):
        await finished(registry, number, name=name)
        await publish(registry, f"/jobs/{job_id(number)}", str(number))
    await bring(registry, 4, JobState.FAILED)
    for spelt, number in (("@last", 3), ("@name:train", 1), ("@name:train x", 3), ("@name:eval/sub", 2)):
        ref = parse_ref(f"/projects/demo/jobs/{spelt}")
        frozen = await registry.resolve(ref)
        assert str(frozen) == "/".join(["/jobs", job_id(number), *spelt.split("/")[1:]])
        assert frozen.frozen
        assert (await registry.manifest(ref)).ref == f"/jobs/{job_id(number)}"
    for nothing in ("/projects/demo/jobs/@name:tra", "/projects/other/jobs/@last"):
        with pytest.raises(RefNotFoundError, match="SUCCEEDED"):
            await registry.resolve(parse_ref(nothing))


async def test_resolving_freezes(registry: Registry) -> None:
    await publish(registry, "/datasets/glove", "a")
    await publish(registry, "/datasets/glove", "b")
    await finished(registry, 1)
    await publish(registry, f"/jobs/{job_id(1)}")
    for spelt, frozen in (
        ("/datasets/glove", "/datasets/glove/@v2"),
        ("/datasets/glove/@latest/x", "/datasets/glove/@v2/x"),
        ("/datasets/glove/@v1/x", "/datasets/glove/@v1/x"),
        (f"/projects/demo/jobs/{job_id(1)}/x", f"/jobs/{job_id(1)}/x"),
    ):
        assert str(await registry.resolve(parse_ref(spelt))) == frozen
    await bring(registry, 2, JobState.RUNNING)
    with pytest.raises(JobNotFinishedError):
        await registry.resolve(parse_ref(f"/jobs/{job_id(2)}"))


async def test_artifacts_are_those_of_ended_jobs(registry: Registry) -> None:
    for number, state, project in ((1, "SUCCEEDED", "p"), (2, "FAILED", "q"), (3, "RUNNING", "p"), (4, "FAILED", "p")):
        await bring(registry, number, JobState(state), project)
        if number != 4:
            await publish(registry, f"/jobs/{job_id(number)}", str(number))
    await publish(registry, f"/jobs/{job_id(5)}", "a job that has no record here")
    await publish(registry, "/datasets/glove")
    assert sorted(await registry.artifacts()) == [job_id(1), job_id(2), job_id(5)]
    found = await registry.artifacts(project="p")
    assert {name: manifest.ref for name, manifest in found.items()} == {job_id(1): f"/jobs/{job_id(1)}"}


# --- lineage ---------------------------------------------------------------------------------------------


async def test_a_job_remembers_what_it_consumed(registry: Registry) -> None:
    await finished(registry, 1)
    first = await publish(registry, f"/jobs/{job_id(1)}")
    glove = await publish(registry, "/datasets/glove")
    source = await publish(registry, "/projects/demo/source")
    inputs = (f"{first}/odd \udcff", glove, f"{first}/b")
    await finished(registry, 2, inputs=inputs, source=source)
    await finished(registry, 3, inputs=(f"/projects/demo{first}",))
    job = await registry.job(job_id(2))
    assert (job.inputs, job.source) == (inputs, source)
    assert [found.id for found in await registry.jobs()] == [job_id(number) for number in (3, 2, 1)]
    for ref, consumers in ((first, (3, 2)), (glove, (2,)), (source, (2,)), (f"/jobs/{job_id(2)}", ())):
        assert [job.id for job in await registry.consumers(parse_ref(ref))] == [job_id(n) for n in consumers]


async def test_a_job_cannot_consume_what_is_not_there(registry: Registry) -> None:
    await publish(registry, "/datasets/glove")
    await registry.remove([parse_ref("/datasets/glove/@v1")])
    await publish(registry, "/datasets/words")
    for refused, error in (
        ("/datasets/glove/@v1", RefNotFoundError),
        (f"/jobs/{job_id(9)}", RefNotFoundError),
        ("/datasets/words", InvalidRefError),
    ):
        with pytest.raises(error):
            await registry.add_job(replace(make_job(1), inputs=(refused,)))
        with pytest.raises(JobNotFoundError):
            await registry.job(job_id(1))


# --- cancel ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", JobState)
async def test_asking_for_a_jobs_end(registry: Registry, state: JobState) -> None:
    await bring(registry, 1, state)
    if state in (JobState.SCHEDULING, JobState.RUNNING):
        first = await registry.request_cancel(job_id(1))
        assert first.state is state
        assert first.cancel_requested is not None
        assert await registry.request_cancel(job_id(1)) == first == await registry.job(job_id(1))
    elif state is JobState.PENDING:
        canceled = await registry.request_cancel(job_id(1))
        assert canceled.state is JobState.CANCELED
        assert canceled.finished == canceled.cancel_requested is not None
    else:
        with pytest.raises(IllegalTransitionError, match=state):
            await registry.request_cancel(job_id(1))
    with pytest.raises(JobNotFoundError):
        await registry.request_cancel(job_id(2))


# --- removal and storage ---------------------------------------------------------------------------------


async def test_removing_returns_what_nothing_else_names(registry: Registry) -> None:
    one = await publish(registry, "/datasets/a", "1", (1, 2, 3))
    two = await publish(registry, "/datasets/a", "2", (3, 4))
    await finished(registry, 1)
    job = await publish(registry, f"/jobs/{job_id(1)}", "3", (4, 5))
    first, second, third = map(parse_ref, (one, two, job))
    assert await registry.usage([first]) == Usage(total(1, 2, 3), total(1, 2))
    assert await registry.usage([second]) == Usage(total(3, 4), 0)
    assert await registry.usage([first, second]) == Usage(total(1, 2, 3, 4), total(1, 2, 3))
    assert await registry.usage([first, second, third, third]) == Usage(total(1, 2, 3, 4, 5), total(1, 2, 3, 4, 5))
    assert await registry.remove([first, second]) == total(1, 2, 3)
    balance = await registry.balance()
    assert balance.stored == total(4, 5)
    assert [(line.ref, line.delta) for line in balance.lines[:2]] == [(two, -total(3)), (one, -total(1, 2))]
    assert await registry.remove([third]) == total(4, 5)
    assert (await registry.balance()).stored == 0


async def test_what_was_removed_never_comes_back_as_another_tree(registry: Registry) -> None:
    await finished(registry, 1)
    job = f"/jobs/{job_id(1)}"
    await publish(registry, job)
    await publish(registry, "/datasets/a", "1")
    for ref in (job, "/datasets/a/@v1"):
        await registry.remove([parse_ref(ref)])
        for asked in (registry.manifest, registry.resolve):
            with pytest.raises(RefNotFoundError, match="was deleted on 20"):
                await asked(parse_ref(ref))
        with pytest.raises(RefNotFoundError):
            await registry.remove([parse_ref(ref)])
        with pytest.raises(ConflictError, match="has been deleted"):
            await publish(registry, ref)
    assert await registry.artifacts() == {}
    assert await publish(registry, "/datasets/a", "1") == "/datasets/a/@v2"
    assert (await registry.job(job_id(1))).state is JobState.SUCCEEDED


async def test_what_a_job_consumes_is_not_removed(registry: Registry) -> None:
    refs = [await publish(registry, ref, "x", (1, 2)) for ref in ("/datasets/a", "/datasets/b", "/projects/p/source")]
    await registry.add_job(replace(make_job(1), inputs=(refs[0] + "/sub",), source=refs[2]))
    before = await registry.balance()
    for state in (None, JobState.SCHEDULING, JobState.RUNNING):
        if state is not None:
            await registry.move_job(job_id(1), state)
        for ref in (refs[0], refs[2]):
            with pytest.raises(InUseError, match=job_id(1)):
                await registry.remove([parse_ref(refs[1]), parse_ref(ref)])
    # All or none: the other is still there.
    assert await registry.balance() == before
    await registry.move_job(job_id(1), JobState.FAILED)
    assert await registry.remove([parse_ref(ref) for ref in refs]) == total(1, 2)


async def test_only_whole_frozen_trees_are_removed(registry: Registry) -> None:
    await publish(registry, "/datasets/a")
    for ref in ("/datasets/a", "/datasets/a/@latest", "/datasets/a/@v1/sub", "/projects/p/jobs/@last"):
        with pytest.raises(InvalidRefError):
            await registry.remove([parse_ref(ref)])
    await bring(registry, 1, JobState.RUNNING)
    await publish(registry, f"/jobs/{job_id(1)}")
    with pytest.raises(JobNotFinishedError):
        await registry.remove([parse_ref(f"/jobs/{job_id(1)}")])


async def test_usage_of_more_trees_than_a_statement_takes_parameters(registry: Registry) -> None:
    refs = [parse_ref(await publish(registry, "/datasets/a", str(number), (number % 5,))) for number in range(300)]
    assert await registry.usage(refs * 200) == Usage(total(*range(5)), total(*range(5)))


async def test_the_quota_is_what_was_set(registry: Registry) -> None:
    await registry.set_quota(12)
    assert (await registry.balance()).quota == 12
    manifest = msgspec.structs.replace(make_manifest("/datasets/a"), complete=True)
    assert (await registry.register(manifest, make_blobs([1]), mark=0)).created
