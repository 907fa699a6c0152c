"""Jobs: their records and the queue's end of them that is not the agent's."""

from __future__ import annotations

from typing import Annotated

import msgspec

from c3fs.api.messages import JobId, JobRecord, Move, Name, NewJob, Renew, Renewed
from c3fs.core.access import Role
from c3fs.core.job import FINAL, JobState
from c3fs.core.ref import is_job_name, is_project
from c3fs.errors import InvalidRequestError
from c3fs.registry.base import Job
from c3fs.registry.control import LEASE_SECONDS
from c3fs.server.routes import READERS, USERS, Call, NoBody, OneRef, Parameters, Route
from c3fs.server.visible import demand_role, own_job, read_ref


class OneJob(Parameters, frozen=True, kw_only=True):
    id: JobId


class Listed(Parameters, frozen=True, kw_only=True):
    project: Name | None = None
    state: JobState | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=100_000)] | None = None


def record_of(job: Job) -> JobRecord:
    return JobRecord(
        id=job.id,
        project=job.project,
        name=job.name,
        state=job.state,
        reason=job.reason,
        exit_code=job.exit_code,
        spec=job.spec,
        created=job.created,
        started=job.started,
        finished=job.finished,
        inputs=job.inputs,
        source=job.source,
        cancel_requested=job.cancel_requested,
        agent=job.agent,
    )


async def add_job(call: Call[Parameters, NewJob]) -> JobRecord:
    """Queue a job. It may consume what its owner may read, as it is at this moment."""
    new = call.body
    _check(new)
    demand_role(call, new.project, Role.WRITE, f"deploy to {new.project}")
    for text in [*new.inputs, *([] if new.source is None else [new.source])]:
        await call.seen.resolve(read_ref(text))
    now = call.plane.database.now()
    job = Job(
        id=new.id,
        project=new.project,
        name=new.name,
        state=JobState.PENDING,
        reason=None,
        exit_code=None,
        spec=new.spec,
        directory="",
        created=now,
        started=None,
        finished=None,
        inputs=new.inputs,
        source=new.source,
    )
    await call.everything.add_job(job)
    call.plane.tell_queue(call.account)
    return record_of(job)


def _check(new: NewJob) -> None:
    if not is_project(new.project):
        raise InvalidRequestError(f"not a project: {new.project!r}")
    if not is_job_name(new.name):
        raise InvalidRequestError("not a job's name")
    if "\0" in new.spec:
        raise InvalidRequestError("a job's spec holds no NUL")


async def list_jobs(call: Call[Listed, NoBody]) -> list[JobRecord]:
    """The jobs of the projects that the key may read, the newest first."""
    wanted = call.parameters
    found = await call.seen.jobs(project=wanted.project, state=wanted.state, limit=wanted.limit)
    return [record_of(job) for job in found]


async def get_job(call: Call[OneJob, NoBody]) -> JobRecord:
    """A job's record."""
    return record_of(await call.seen.job(call.parameters.id))


async def move_job(call: Call[OneJob, Move]) -> JobRecord:
    """Move a job to its next state. For the token of the job."""
    await own_job(call, call.parameters.id, "move this job")
    move = call.body
    job_id = call.parameters.id
    job = await call.everything.move_job(job_id, move.state, reason=move.reason, exit_code=move.exit_code)
    if job.state in FINAL:
        call.plane.tell_job(job)
    return record_of(job)


async def cancel_job(call: Call[OneJob, NoBody]) -> JobRecord:
    """Ask for a job's end."""
    job = await call.seen.job(call.parameters.id)
    demand_role(call, job.project, Role.WRITE, f"cancel jobs of {job.project}")
    job = await call.everything.request_cancel(job.id)
    call.plane.tell_job(job)
    return record_of(job)


async def renew(call: Call[OneJob, Renew]) -> Renewed:
    """Say that the agent lives, and hear whether the job is to be canceled. For the token of the job."""
    await own_job(call, call.parameters.id, "renew this job's lease")
    queue = call.plane.database.queue
    job = await queue.renew(call.account, call.parameters.id, call.body.attempt)
    return Renewed(record_of(job), LEASE_SECONDS)


async def list_consumers(call: Call[OneRef, NoBody]) -> list[JobRecord]:
    """The jobs that consumed a published tree, the newest first; those that the key may see."""
    return [record_of(job) for job in await call.seen.consumers(read_ref(call.parameters.ref))]


ROUTES = (
    Route("POST", "jobs", add_job, Parameters, NewJob, JobRecord, USERS, 201, (404, 409), 4 << 20),
    Route("GET", "jobs", list_jobs, Listed, NoBody, list[JobRecord], USERS),
    Route("GET", "jobs/{id}", get_job, OneJob, NoBody, JobRecord, READERS, may=(404,)),
    Route("POST", "jobs/{id}/state", move_job, OneJob, Move, JobRecord, READERS, may=(404, 409)),
    Route("POST", "jobs/{id}/cancel", cancel_job, OneJob, NoBody, JobRecord, USERS, may=(404, 409)),
    Route("POST", "jobs/{id}/lease", renew, OneJob, Renew, Renewed, READERS, may=(404, 409)),
    Route("GET", "consumers", list_consumers, OneRef, NoBody, list[JobRecord], READERS),
)
