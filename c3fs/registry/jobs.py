"""Jobs and what they consumed in SQL. Each function is part of a transaction that its caller makes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, insert, select, update
from sqlalchemy.exc import IntegrityError

from c3fs.core.job import FINAL, TRANSITIONS, JobState, Reason
from c3fs.errors import ConflictError, IllegalTransitionError, JobNotFoundError
from c3fs.registry.base import Job
from c3fs.registry.schema import SOURCE, consumed, jobs
from c3fs.registry.views import View

BATCH: Final = 500
"""Values in one IN list: databases bound them, and none is faster with more."""


def insert_job(connection: Connection, account: str, job: Job) -> None:
    """The record alone, without what the job consumes. Raises ConflictError."""
    values = {
        "id": job.id,
        "account": account,
        "project": job.project,
        "name": job.name,
        "state": job.state.value,
        "reason": None if job.reason is None else job.reason.value,
        "exit_code": job.exit_code,
        "spec": job.spec,
        "directory": job.directory,
        "agent": job.agent,
        "created": job.created,
        "started": job.started,
        "finished": job.finished,
        "cancel_requested": job.cancel_requested,
    }
    try:
        connection.execute(insert(jobs), values)
    except IntegrityError as error:
        raise ConflictError(f"{job.id}: there is a job of that id already") from error


def find_job(connection: Connection, view: View, job_id: str) -> Job | None:
    found = read_jobs(connection, select(jobs).where(jobs.c.id == job_id, *view.jobs()))
    return found[0] if found else None


def get_job(connection: Connection, view: View, job_id: str) -> Job:
    """Raises JobNotFoundError."""
    job = find_job(connection, view, job_id)
    if job is None:
        raise JobNotFoundError(job_id)
    return job


def list_jobs(
    connection: Connection, view: View, project: str | None, state: JobState | None, limit: int | None
) -> list[Job]:
    """The newest first; of those of one moment, the one whose id sorts last."""
    query = select(jobs).where(*view.jobs())
    if project is not None:
        query = query.where(jobs.c.project == project)
    if state is not None:
        query = query.where(jobs.c.state == state.value)
    return read_jobs(connection, newest_first(query).limit(limit))


def newest_first(query: Select[Any]) -> Select[Any]:
    return query.order_by(jobs.c.created.desc(), jobs.c.id.desc())


def read_jobs(connection: Connection, query: Select[Any]) -> list[Job]:
    """The jobs that a selection of whole rows finds, with what they consumed."""
    rows = connection.execute(query).all()
    refs = _consumed(connection, [row.id for row in rows])
    return [_job(row, refs.get(row.id, {})) for row in rows]


def move_job(
    connection: Connection,
    view: View,
    job_id: str,
    state: JobState,
    reason: Reason | None,
    exit_code: int | None,
    now: datetime,
) -> Job:
    """See c3fs.registry.base. The UPDATE itself asks for a state that may become the wanted one: of two racing
    transactions the second finds the first one's state, and no row."""
    values: dict[str, object] = {
        "state": state.value,
        "reason": None if reason is None else reason.value,
        "exit_code": exit_code,
    }
    if state is JobState.RUNNING:
        values["started"] = now
    if state in FINAL:
        values |= {"finished": now, "lease_until": None}
    origins = [origin for origin, allowed in TRANSITIONS.items() if state in allowed]
    if not _update(connection, view, job_id, origins, values):
        raise IllegalTransitionError(job_id, get_job(connection, view, job_id).state.value, state.value)
    return get_job(connection, view, job_id)


def request_cancel(connection: Connection, view: View, job_id: str, now: datetime) -> Job:
    """See c3fs.registry.base. The second request keeps the first one's time. The job is locked, so that it is asked
    for in the state that it is in."""
    mine = (jobs.c.id == job_id, *view.jobs())
    connection.execute(select(jobs.c.id).where(*mine).with_for_update(key_share=True))
    if _update(
        connection,
        view,
        job_id,
        [JobState.PENDING],
        {"state": JobState.CANCELED.value, "finished": now, "cancel_requested": now},
    ):
        return get_job(connection, view, job_id)
    job = get_job(connection, view, job_id)
    if job.state in FINAL:
        raise IllegalTransitionError(job_id, job.state.value, JobState.CANCELED.value)
    if job.cancel_requested is None:
        _update(connection, view, job_id, [job.state], {"cancel_requested": now})
    return get_job(connection, view, job_id)


def _update(
    connection: Connection, view: View, job_id: str, origins: Iterable[JobState], values: dict[str, object]
) -> bool:
    """Change the job if it is in one of the states `origins`; whether it was."""
    states = [origin.value for origin in origins]
    statement = update(jobs).where(jobs.c.id == job_id, *view.jobs(), jobs.c.state.in_(states))
    return connection.execute(statement.values(values)).rowcount == 1


def _consumed(connection: Connection, ids: Sequence[str]) -> dict[str, dict[int, str]]:
    """By job, and position in its spec."""
    found: dict[str, dict[int, str]] = {}
    for at in range(0, len(ids), BATCH):
        query = select(consumed.c.job, consumed.c.position, consumed.c.ref)
        for job, position, ref in connection.execute(query.where(consumed.c.job.in_(ids[at : at + BATCH]))):
            found.setdefault(job, {})[position] = ref
    return found


def _job(row: Row[Any], refs: dict[int, str]) -> Job:
    return Job(
        id=row.id,
        project=row.project,
        name=row.name,
        state=JobState(row.state),
        reason=None if row.reason is None else Reason(row.reason),
        exit_code=row.exit_code,
        spec=row.spec,
        directory=row.directory,
        created=row.created,
        started=row.started,
        finished=row.finished,
        inputs=tuple(ref for position, ref in sorted(refs.items()) if position != SOURCE),
        source=refs.get(SOURCE),
        cancel_requested=row.cancel_requested,
        agent=row.agent,
    )
