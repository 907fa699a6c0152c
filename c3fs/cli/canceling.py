"""What makes a runner cancel its job: somebody's request, found in the job's record, or SIGTERM."""

from __future__ import annotations

import signal
from typing import Final

import trio

from c3fs.agent.joblog import JobLog
from c3fs.core.job import FINAL
from c3fs.errors import C3Error
from c3fs.registry.base import Registry

LOOK_EVERY: Final = 0.25
"""Seconds between looks at the record: soon enough for people, and half a millisecond of work each."""


async def cancel_on_request(registry: Registry, job_id: str, cancel: trio.Event, log: JobLog) -> None:
    """Set `cancel` when the record asks for it, or when somebody else has given the job a final state (its directory
    was deleted, say, and so it was found lost). A registry that does not answer is no reason to end a job."""
    while True:
        try:
            job = await registry.job(job_id)
        except C3Error:
            job = None
        if job is not None and job.state in FINAL:
            log.line(f"somebody else has made the job {job.state}")
            break
        if job is not None and job.cancel_requested is not None:
            log.line("somebody asked for the job's end")
            break
        await trio.sleep(LOOK_EVERY)
    cancel.set()


async def cancel_on_signal(cancel: trio.Event, log: JobLog, task_status: trio.TaskStatus[None]) -> None:
    """Set `cancel` on SIGTERM; the receiver is there when it has started."""
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        task_status.started()
        async for _ in signals:
            log.line("the agent was told to end (SIGTERM)")
            cancel.set()
