"""The queue of jobs that agents take, and the leases by which they keep them.

A lease ends when `expire` says so, in a transaction, and not when some clock does: until then its agent may renew it,
move its job and ask for it again, however late; from then on it may do nothing. So nobody compares clocks, and of
`expire` and whatever else happens to the job at that moment one comes first: each is one UPDATE that asks for the
state, and on PostgreSQL looks again at a row that it had to wait for.

An attempt is an agent's wish for one job, and gets one at most: it is unique among the account's jobs. Of two requests
of one attempt the second finds what the first one took, be it seconds after a lost answer or at the same moment. When
that job has ended the attempt is spent, so a request that was under way for long takes nothing for nobody.

No agent can renew while the control plane or its database is away. Who looks for leases that are over notices that
nobody has looked for WATCH_SECONDS, or that the clock has been set, and gives all of them a whole term first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, literal, select, update
from sqlalchemy.exc import IntegrityError

from c3fs.core.job import FINAL, JobState, Reason
from c3fs.errors import LeaseLostError
from c3fs.registry import calls
from c3fs.registry.base import Job
from c3fs.registry.database import Database
from c3fs.registry.jobs import BATCH, get_job
from c3fs.registry.keys import JOB_TOKEN, make_secret, sha256_of
from c3fs.registry.schema import job_tokens, jobs
from c3fs.registry.views import View

LEASE_SECONDS: Final = 30.0
"""A renewal every ten seconds may fail twice."""
WATCH_SECONDS: Final = 15.0
"""`expire` is called more often than this; half a lease."""
_LEASE: Final = timedelta(seconds=LEASE_SECONDS)
_WATCH: Final = timedelta(seconds=WATCH_SECONDS)
_ACTIVE: Final = (JobState.SCHEDULING.value, JobState.RUNNING.value)
_FINAL: Final = tuple(sorted(state.value for state in FINAL))


@dataclass(frozen=True, slots=True)
class Taken:
    """A job that is the agent's for `seconds`, and the token that lets the agent do for the job what it must."""

    job: Job
    token: str
    seconds: float


class Queue:
    """Each call is one transaction; any may raise StoreUnavailableError. Made by c3fs.registry.control."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now
        self._watched: datetime | None = None

    async def take(self, account: str, agent: str, attempt: str) -> Taken | None:
        """The oldest PENDING job of the account's queue, now SCHEDULING; None when there is none. The same attempt
        again gets the same job, with another token. `attempt` is drawn at random, at least 16 characters.

        Raises LeaseLostError when the job of this attempt has ended meanwhile: the agent begins another."""
        now = self._now()
        return await calls.write_again(
            self._database, lambda connection: take(connection, account, agent, attempt, now)
        )

    async def renew(self, account: str, job_id: str, attempt: str) -> Job:
        """Keep the job for LEASE_SECONDS from now on. Raises JobNotFoundError, LeaseLostError (it has ended, or is
        another attempt's)."""
        now = self._now()
        return await calls.write_again(
            self._database, lambda connection: renew(connection, account, job_id, attempt, now)
        )

    async def expire(self) -> list[str]:
        """End the jobs, of all accounts, whose lease is over: FAILED, AGENT_LOST; their ids. To be called every few
        seconds: the first time, or after more than WATCH_SECONDS, it only gives every lease a whole term."""
        now = self._now()
        watched, self._watched = self._watched, None
        if watched is None or not watched <= now <= watched + _WATCH:
            await calls.write_again(self._database, lambda connection: prolong(connection, now))
            lost: list[str] = []
        else:
            lost = await calls.write_again(self._database, lambda connection: expire(connection, now))
        self._watched = now
        return lost


def take(connection: Connection, account: str, agent: str, attempt: str, now: datetime) -> Taken | None:
    """See Queue."""
    job_id = _take_again(connection, account, agent, attempt, now)
    if job_id is None:
        job_id = _take_next(connection, account, agent, attempt, now)
    if job_id is None:
        return None
    # A further token, also to the same attempt: which of two answers arrives nobody knows.
    token = make_secret(JOB_TOKEN)
    connection.execute(insert(job_tokens), {"secret": sha256_of(token), "job": job_id})
    return Taken(get_job(connection, View(account), job_id), token, LEASE_SECONDS)


def renew(connection: Connection, account: str, job_id: str, attempt: str, now: datetime) -> Job:
    """See Queue."""
    mine = (jobs.c.id == job_id, jobs.c.account == account, jobs.c.attempt == attempt, jobs.c.state.in_(_ACTIVE))
    renewed = connection.execute(update(jobs).where(*mine).values(lease_until=now + _LEASE)).rowcount
    job = get_job(connection, View(account), job_id)
    if not renewed:
        raise LeaseLostError(job_id)
    return job


def expire(connection: Connection, now: datetime) -> list[str]:
    """See Queue. Jobs that somebody is just writing are left for the next time, and so are those
    beyond BATCH. Tokens of ended jobs, which are good
    for nothing, are forgotten."""
    over = select(jobs.c.id).where(jobs.c.lease_until <= now, jobs.c.state.in_(_ACTIVE))
    over = over.limit(BATCH).with_for_update(skip_locked=True, key_share=True)
    lost = sorted(connection.execute(over).scalars())
    if lost:
        ended = {
            "state": JobState.FAILED.value,
            "reason": Reason.AGENT_LOST.value,
            "finished": now,
            "lease_until": None,
        }
        connection.execute(update(jobs).where(jobs.c.id.in_(lost)).values(ended))
    # Asked of each token: of those there are few, and of jobs that have ended many.
    final = select(literal(1)).where(jobs.c.id == job_tokens.c.job, jobs.c.state.in_(_FINAL))
    connection.execute(delete(job_tokens).where(final.exists()))
    return lost


def prolong(connection: Connection, now: datetime) -> None:
    """Give every lease a whole term."""
    # In one order, that of the index: two that do so at once do not wait for each other.
    held = select(jobs.c.id).where(jobs.c.lease_until.is_not(None), jobs.c.state.in_(_ACTIVE))
    held = held.order_by(jobs.c.lease_until, jobs.c.id)
    for job_id in connection.execute(held.with_for_update(key_share=True)).scalars().all():
        connection.execute(update(jobs).where(jobs.c.id == job_id).values(lease_until=now + _LEASE))


def _take_again(connection: Connection, account: str, agent: str, attempt: str, now: datetime) -> str | None:
    """The job that this attempt has taken already. One statement looks, for between two another request of the attempt
    might take it: neither there for the first nor, for the second, anything but over."""
    mine = (jobs.c.account == account, jobs.c.attempt == attempt)
    query = select(jobs.c.id, jobs.c.agent, jobs.c.state).where(*mine).with_for_update(key_share=True)
    taken = connection.execute(query).one_or_none()
    if taken is None:
        return None
    if taken.agent != agent or taken.state not in _ACTIVE:
        raise LeaseLostError(taken.id)
    connection.execute(update(jobs).where(jobs.c.id == taken.id).values(lease_until=now + _LEASE))
    return taken.id


def _take_next(connection: Connection, account: str, agent: str, attempt: str, now: datetime) -> str | None:
    """Jobs with a directory run where they were deployed. A row that another is just taking is passed over."""
    waiting: tuple[Any, ...] = (
        jobs.c.account == account,
        jobs.c.state == JobState.PENDING.value,
        jobs.c.directory == "",
        jobs.c.cancel_requested.is_(None),
    )
    oldest = select(jobs.c.id).where(*waiting).order_by(jobs.c.created, jobs.c.id).limit(1)
    job_id = connection.execute(oldest.with_for_update(skip_locked=True, key_share=True)).scalar_one_or_none()
    if job_id is None:
        return None
    taken = {
        "state": JobState.SCHEDULING.value,
        "agent": agent,
        "attempt": attempt,
        "lease_until": now + _LEASE,
    }
    try:
        with connection.begin_nested():
            connection.execute(update(jobs).where(jobs.c.id == job_id).values(taken))
    except IntegrityError:
        # The same attempt has taken a job at this moment: that is the one.
        return _take_again(connection, account, agent, attempt, now)
    return job_id
