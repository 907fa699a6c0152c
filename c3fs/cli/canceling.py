"""What makes a runner cancel its job: somebody's request, found in the job's record, or SIGTERM."""

from __future__ import annotations

import signal
from typing import Final

import trio

from c3fs.agent.joblog import JobLog
from c3fs.errors import StoreUnavailableError
from c3fs.registry.base import Registry

LOOK_EVERY: Final = 0.25
"""Seconds between looks at the record: soon enough for people, and half a millisecond of work each."""


async def cancel_on_request(registry: Registry, job_id: str, cancel: trio.Event, log: JobLog) -> None:
    """Set `cancel` when the record asks for it. That the registry does not answer for a while is no reason to end."""
    while True:
        try:
            job = await registry.job(job_id)
        except StoreUnavailableError:
            job = None
        if job is not None and job.cancel_requested is not None:
            log.line("somebody asked for the job's end")
            cancel.set()
            return
        await trio.sleep(LOOK_EVERY)


async def cancel_on_signal(cancel: trio.Event, log: JobLog, task_status: trio.TaskStatus[None]) -> None:
    """Set `cancel` on SIGTERM; the receiver is there when it has started."""
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        task_status.started()
        async for _ in signals:
            log.line("the agent was told to end (SIGTERM)")
            cancel.set()
