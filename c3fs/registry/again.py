"""Writing calls that are made again when nobody knows whether the first time was committed.

Each is part of a transaction that its caller makes, and does the same as its namesake unless that has been done. What
the first time may still hold are the very locks and keys that the second needs, so by then the first has ended. Calls
that are not here can be repeated as they are; see the package's notes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from c3fs.core.job import JobState, Reason
from c3fs.core.ref import Ref
from c3fs.errors import ConflictError, IllegalTransitionError, StoreUnavailableError
from c3fs.registry import consumed, jobs, manifests
from c3fs.registry.base import Job
from c3fs.registry.ledger import lock_account
from c3fs.registry.schema import ledger
from c3fs.registry.views import View


def add_job(connection: Connection, view: View, job: Job) -> None:
    """A job that is there and is the same in everything was added by the first time."""
    try:
        with connection.begin_nested():
            consumed.add_job(connection, view, job)
    except ConflictError:
        if jobs.find_job(connection, view, job.id) != job:
            raise


def move_job(
    connection: Connection,
    view: View,
    job_id: str,
    state: JobState,
    reason: Reason | None,
    exit_code: int | None,
    now: datetime,
) -> Job:
    """The time that was noted tells whose move it was. SCHEDULING notes none: then StoreUnavailableError says so."""
    try:
        return jobs.move_job(connection, view, job_id, state, reason, exit_code, now)
    except IllegalTransitionError:
        job = jobs.get_job(connection, view, job_id)
        if job.state is not state:
            raise
        if state is JobState.SCHEDULING:
            raise StoreUnavailableError(f"{job_id} is {state}; whether by this call is not known") from None
        noted = job.started if state is JobState.RUNNING else job.finished
        if (noted, job.reason, job.exit_code) != (now, reason, exit_code):
            raise
        return job


def request_cancel(connection: Connection, view: View, job_id: str, now: datetime) -> Job:
    """A PENDING job was canceled by the first time if its times are this call's."""
    try:
        return jobs.request_cancel(connection, view, job_id, now)
    except IllegalTransitionError:
        job = jobs.get_job(connection, view, job_id)
        if (job.state, job.cancel_requested) != (JobState.CANCELED, now):
            raise
        return job


def remove(connection: Connection, view: View, refs: Sequence[Ref], now: datetime) -> int:
    """What the first time gave back stands in the ledger, with this call's time."""
    lock_account(connection, view.account)
    query = select(ledger.c.ref, ledger.c.delta).where(ledger.c.account == view.account, ledger.c.at == now)
    wanted = {manifests.ledger_ref(ref) for ref in refs}
    deltas = [delta for ref, delta in connection.execute(query) if ref in wanted]
    return -sum(deltas) if deltas else manifests.remove(connection, view, refs, now)
