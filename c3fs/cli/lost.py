"""Jobs whose agent died: found by the lock it left, cleared away, and told to the registry.

A job is cleared first and marked after, both under its lock: a command that dies at it is followed by another, and
who finds the job FAILED finds its log ended and nothing mounted. What was stored is asked before, of the ledger, since
a ref of a job that has not ended names nothing yet.
"""

from __future__ import annotations

import os
from functools import partial
from typing import Final

import trio

from c3fs.agent.abandoned import claimed, clear, find_orphans, remove_orphan
from c3fs.core.job import FINAL, JobState, Reason
from c3fs.core.ref import Ref
from c3fs.errors import IllegalTransitionError, JobNotFoundError, RefNotFoundError
from c3fs.registry.base import Job, Registry

_UNFINISHED: Final = (JobState.PENDING, JobState.SCHEDULING, JobState.RUNNING)


async def mark_lost_jobs(registry: Registry) -> list[Job]:
    """Mark the jobs whose agent is gone FAILED / AGENT_LOST; those jobs.

    Costs a query for each unfinished state, and a lock tried for each unfinished job. The agent locks the job's
    directory before the job is recorded and records its end before it unlocks, so an unfinished job under a free
    lock is lost.
    """
    unfinished = [job for state in _UNFINISHED for job in await registry.jobs(state=state)]
    return [job for job in unfinished if await mark_if_lost(registry, job)]


async def mark_if_lost(registry: Registry, job: Job) -> bool:
    """The same for one job, unfinished when it was looked up: it may have ended since, and its files be kept. Of one
    that another machine runs, or is to run, nothing is known here: the control plane looks after its lease."""
    if not job.directory:
        return False
    with claimed(job.directory) as is_ours:
        if not is_ours or (await registry.job(job.id)).state in FINAL:
            return False
        stored = await _is_stored(registry, job)
        await trio.to_thread.run_sync(partial(clear, job.directory, job.id, stored=stored))
        try:
            await registry.move_job(job.id, JobState.FAILED, reason=Reason.AGENT_LOST)
        except IllegalTransitionError:
            return False  # canceled at this moment, before it had begun
    return True


async def remove_orphans(registry: Registry, jobs_directory: str) -> None:
    """Remove the directories of jobs that were never recorded. The record is made under the lock, so under ours
    there will be none."""
    for directory in find_orphans(jobs_directory):
        with claimed(directory) as is_ours:
            if is_ours and not await _is_recorded(registry, os.path.basename(directory)):
                remove_orphan(directory)


async def _is_stored(registry: Registry, job: Job) -> bool:
    try:
        await registry.usage([Ref("job", job.id)])
    except RefNotFoundError:
        return False
    return True


async def _is_recorded(registry: Registry, job_id: str) -> bool:
    try:
        await registry.job(job_id)
    except JobNotFoundError:
        return False
    return True
