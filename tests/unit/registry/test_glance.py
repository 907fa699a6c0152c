"""A glance at a registry says what the registry itself says."""

from __future__ import annotations

from pathlib import Path

import pytest

from c3fs.core.job import FINAL, JobState, Reason
from c3fs.core.ref import Ref, parse_ref
from c3fs.errors import JobNotFinishedError, RefNotFoundError, StoreUnavailableError
from c3fs.registry import glance as glancing, schema
from c3fs.registry.base import Registry
from c3fs.registry.glance import Glance, open_glance
from tests.support.records import job_id, make_job, make_manifest, open_registry

MANY = 1_000
PROJECTS = (None, "demo", "other", "third", "nobody")
REFS = (
    *(f"/jobs/{job_id(number)}" for number in range(8)),
    *(f"/projects/{project}/jobs/@last" for project in PROJECTS[1:]),
    "/projects/demo/jobs/@name:näme 0",
    "/projects/demo/jobs/@name:nobody",
    *(f"/datasets/glove{version}" for version in ("", "/@latest", "/@v1", "/@v2", "/@v3", "/@v4")),
    "/projects/third/data/set",
    "/projects/demo/source/@v1",
    "/datasets/gone",
)


async def fill(registry: Registry) -> None:
    """Jobs in every state, two projects, data sets with versions that were removed."""
    for number, state in enumerate(JobState):
        await registry.add_job(make_job(number, "other" if number % 3 == 1 else "demo"))
        for step in (JobState.SCHEDULING, JobState.RUNNING, *((state,) if state in FINAL else ())):
            if state is JobState.PENDING or (state is JobState.SCHEDULING and step is JobState.RUNNING):
                break
            await registry.move_job(
                job_id(number), step, reason=Reason.SCRIPT_ERROR if step is JobState.FAILED else None
            )
        if state in FINAL:
            await registry.register(make_manifest(f"/jobs/{job_id(number)}"), [], mark=0)
    await registry.add_job(make_job(7))
    for step in (JobState.SCHEDULING, JobState.RUNNING, JobState.SUCCEEDED):
        await registry.move_job(job_id(7), step)
    for base in ("/datasets/glove", "/datasets/gone", "/projects/third/data/set", "/projects/demo/source"):
        for content in "abc":
            await registry.register(make_manifest(base, content), [], mark=0)
    removed = [f"/datasets/gone/@v{number}" for number in (1, 2, 3)] + ["/datasets/glove/@v3", f"/jobs/{job_id(5)}"]
    await registry.remove([parse_ref(text) for text in removed])


async def test_a_glance_is_right(tmp_path: Path) -> None:
    with open_registry(f"sqlite:///{tmp_path}/registry.db") as registry:
        await fill(registry)
        with open_glance(f"{tmp_path}/registry.db") as glance:
            await compare(registry, glance)


async def compare(registry: Registry, glance: Glance) -> None:
    assert glance.projects() == await registry.projects() == ["demo", "other", "third"]
    assert glance.datasets(None) == ["glove"]
    for project in PROJECTS:
        jobs = await registry.jobs(project=project)
        assert glance.datasets(project) == await registry.datasets(project)
        assert [job.id for job in glance.jobs("", MANY, project=project)] == [job.id for job in jobs]
        with_artifacts = set(await registry.artifacts(project=project))
        found = [job.id for job in glance.artifacts("", MANY, project=project)]
        assert found == [job.id for job in jobs if job.id in with_artifacts]
    running = [job.id for job in await registry.jobs() if job.state not in FINAL]
    assert [job.id for job in glance.jobs("", MANY, running=True)] == running
    assert [job.id for job in glance.jobs("job_3", MANY)] == [job_id(3)]
    assert [job.id for job in glance.jobs("", 2)] == [job_id(7), job_id(6)]
    assert [job.id for job in glance.artifacts("", 1)] == [job_id(6)]
    (brief,) = glance.jobs(job_id(4), 1)
    job = await registry.job(job_id(4))
    assert (brief.project, brief.name, brief.state) == (job.project, job.name, job.state)
    for text in REFS:
        await compare_ref(registry, glance, parse_ref(text))


async def compare_ref(registry: Registry, glance: Glance, ref: Ref) -> None:
    if ref.kind != "job":
        assert glance.versions(ref) == [parse_ref(one.ref).number for one in await registry.versions(ref)]
    try:
        manifest = await registry.manifest(ref)
    except (RefNotFoundError, JobNotFinishedError):
        manifest = None
    assert (ref, glance.manifest(ref)) == (ref, manifest)


def test_the_tables_are_those_that_it_knows() -> None:
    assert (glancing.TABLES, glancing.ACCOUNT) == (schema.VERSION, schema.DEFAULT_ACCOUNT)


def test_nothing_is_made_or_changed(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    with pytest.raises(StoreUnavailableError), open_glance(str(path)):
        pass
    assert list(tmp_path.iterdir()) == []
    with open_registry(f"sqlite:///{path}"):
        pass
    before = path.read_bytes()
    with open_glance(str(path)) as glance:
        assert glance.jobs("", MANY) == []
    assert (list(tmp_path.iterdir()), path.read_bytes()) == ([path], before)
    path.write_bytes(b"something else" * 1000)
    with pytest.raises(StoreUnavailableError), open_glance(str(path)):
        pass
