"""Jobs whose agent died: found by the lock it left, and told to the registry."""

from __future__ import annotations

from typing import Final

from c3fs.agent.workspace import is_abandoned
from c3fs.core.job import JobState, Reason
from c3fs.errors import IllegalTransitionError
from c3fs.registry.base import Job, Registry

_UNFINISHED: Final = (JobState.PENDING, JobState.SCHEDULING, JobState.RUNNING)


async def mark_lost_jobs(registry: Registry) -> list[Job]:
    """Mark the jobs whose agent is gone FAILED / AGENT_LOST; those jobs.

    Costs a query for each unfinished state, and a lock tried for each unfinished job. The agent locks the job's
    directory before the job is recorded and records its end before it unlocks, so an unfinished job under a free
    lock is lost; that it may have ended since it was listed is what IllegalTransitionError then says.
    """
    unfinished = [job for state in _UNFINISHED for job in await registry.jobs(state=state)]
    return [job for job in unfinished if await mark_if_lost(registry, job)]


async def mark_if_lost(registry: Registry, job: Job) -> bool:
    """The same for one job, unfinished when it was looked up."""
    if not is_abandoned(job.directory):
        return False
    try:
        await registry.move_job(job.id, JobState.FAILED, reason=Reason.AGENT_LOST)
    except IllegalTransitionError:
        return False
    return True
