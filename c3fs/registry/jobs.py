"""Jobs in SQL. Each function is part of a transaction that its caller makes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from c3fs.core.job import FINAL, TRANSITIONS, JobState, Reason
from c3fs.errors import ConflictError, IllegalTransitionError, JobNotFoundError
from c3fs.registry.base import Job
from c3fs.registry.schema import jobs


def add_job(connection: Connection, account: str, job: Job) -> None:
    """See c3fs.registry.base."""
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
        "created": job.created,
        "started": job.started,
        "finished": job.finished,
    }
    try:
        connection.execute(insert(jobs), values)
    except IntegrityError as error:
        raise ConflictError(f"{job.id}: there is a job of that id already") from error


def find_job(connection: Connection, account: str, job_id: str) -> Job | None:
    row = connection.execute(select(jobs).where(jobs.c.id == job_id, jobs.c.account == account)).one_or_none()
    return None if row is None else _job(row)


def get_job(connection: Connection, account: str, job_id: str) -> Job:
    """Raises JobNotFoundError."""
    job = find_job(connection, account, job_id)
    if job is None:
        raise JobNotFoundError(job_id)
    return job


def list_jobs(
    connection: Connection, account: str, project: str | None, state: JobState | None, limit: int | None
) -> list[Job]:
    """The newest first; of those of one moment, the one whose id sorts last."""
    query = select(jobs).where(jobs.c.account == account)
    if project is not None:
        query = query.where(jobs.c.project == project)
    if state is not None:
        query = query.where(jobs.c.state == state.value)
    query = query.order_by(jobs.c.created.desc(), jobs.c.id.desc()).limit(limit)
    return [_job(row) for row in connection.execute(query)]


def move_job(
    connection: Connection,
    account: str,
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
        values["finished"] = now
    origins = [origin.value for origin, allowed in TRANSITIONS.items() if state in allowed]
    moved = connection.execute(
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.account == account, jobs.c.state.in_(origins))
        .values(values)
        .returning(*jobs.c)
    ).one_or_none()
    if moved is None:
        raise IllegalTransitionError(job_id, get_job(connection, account, job_id).state.value, state.value)
    return _job(moved)


def _job(row: Row[Any]) -> Job:
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
    )
