"""What jobs consume: lineage, and what may not be removed, in SQL.

Each function is part of a transaction that its caller makes.
"""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from c3fs.core.job import FINAL
from c3fs.core.ref import Ref, parse_ref
from c3fs.errors import InUseError, InvalidRefError
from c3fs.registry.base import Job
from c3fs.registry.jobs import insert_job, newest_first, read_jobs
from c3fs.registry.ledger import lock_account
from c3fs.registry.refs import resolve
from c3fs.registry.schema import SOURCE, consumed, jobs
from c3fs.registry.views import View


def add_job(connection: Connection, view: View, job: Job) -> None:
    """See c3fs.registry.base. The account's lock keeps what the job consumes from being removed before the job is
    there to protect it. What is not seen cannot be consumed."""
    refs = list(enumerate(job.inputs))
    if job.source is not None:
        refs.append((SOURCE, job.source))
    if refs:
        lock_account(connection, view.account)
    insert_job(connection, view.account, job)
    for position, text in refs:
        ref = parse_ref(text)
        if not ref.frozen:
            raise InvalidRefError(text, "a job's record names what it consumes by frozen refs")
        resolve(connection, view, ref)
        values = {"job": job.id, "position": position, "ref": text, "base": ref.base, "version": ref.number or 0}
        connection.execute(insert(consumed), values)


def list_consumers(connection: Connection, view: View, ref: Ref) -> list[Job]:
    """See c3fs.registry.base."""
    consumers = select(consumed.c.job).where(consumed.c.base == ref.base, consumed.c.version == (ref.number or 0))
    return read_jobs(connection, newest_first(select(jobs).where(*view.jobs(), jobs.c.id.in_(consumers))))


def refuse_in_use(connection: Connection, account: str, ref: Ref) -> None:
    """Raises InUseError when a job that has not ended consumes the tree that the frozen `ref` names."""
    query = (
        select(jobs.c.id)
        .select_from(consumed.join(jobs, jobs.c.id == consumed.c.job))
        .where(jobs.c.account == account, consumed.c.base == ref.base, consumed.c.version == (ref.number or 0))
        .where(jobs.c.state.not_in([state.value for state in FINAL]))
        .order_by(jobs.c.created)
        .limit(1)
    )
    user = connection.execute(query).scalar_one_or_none()
    if user is not None:
        raise InUseError(ref.head, user)
