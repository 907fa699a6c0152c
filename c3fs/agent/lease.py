"""The lease of a job that was taken from a queue: who runs it says so again and again, or loses it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import trio

from c3fs.agent.joblog import JobLog
from c3fs.core.job import FINAL
from c3fs.errors import AccessError, C3Error, JobNotFoundError, LeaseLostError
from c3fs.registry.base import Job

RENEW_EVERY: Final = 2.0
"""Seconds. A lease is many times longer (registry.queue.LEASE_SECONDS), so some may fail; and what the renewal answers
is how the agent hears of a cancel."""

Renew = Callable[[], Awaitable[Job]]
"""Keeps the job for some time longer; its record. Raises LeaseLostError, or what the control plane cannot do now."""


async def keep_lease(renew: Renew, cancel: trio.Event, log: JobLog) -> None:
    """Renew until cancelled. Sets `cancel` when the record asks for the job's end, and when the job is not ours any
    more; then there is nothing to be renewed.

    A control plane that does not answer is no reason to end a job: it ends no lease while it is away itself, and when
    it was only we who could not reach it, it says so when we can.
    """
    silent = False
    while True:
        try:
            job = await renew()
        except (LeaseLostError, JobNotFoundError, AccessError) as error:
            log.line(f"the job is not this agent's any more: {error}")
            cancel.set()
            return
        except C3Error as error:
            if not silent:
                log.line(f"warning: the control plane does not answer, and the job goes on: {error}")
            silent = True
        else:
            if silent:
                log.line("the control plane answers again")
            silent = False
            if job.state in FINAL:
                log.line(f"somebody else has made the job {job.state}")
                cancel.set()
                return
            if job.cancel_requested is not None and not cancel.is_set():
                log.line("somebody asked for the job's end")
                cancel.set()
        await trio.sleep(RENEW_EVERY)
