"""A job's log, live: what the job has written, and what it writes until it ends."""

from __future__ import annotations

import os
from functools import partial
from typing import Final

import trio

from c3fs.cli import output
from c3fs.cli.exits import DIFFERENT, INTERRUPTED, OK, run_async
from c3fs.cli.interrupts import interrupts, leave_on, tell
from c3fs.cli.joblogs import Log
from c3fs.cli.lost import mark_if_lost
from c3fs.cli.settings import Settings
from c3fs.cli.squeue import took
from c3fs.cli.wiring import PATIENCE, open_log, open_registry
from c3fs.core.job import FINAL, JobState
from c3fs.errors import C3Error, DeadlineError, StoreUnavailableError
from c3fs.registry.base import Job, Registry

ASK_EVERY: Final = 1.0
"""Seconds between questions to a control plane that does not answer."""


def follow_new(settings: Settings, job: Job, descriptor: int) -> int:
    """Follow a job that was just made, and say how it ended; the exit code. Ctrl-C is for `interrupts`."""
    try:
        ended = run_async(partial(_follow_new, settings, job, descriptor))
    except KeyboardInterrupt:  # before there was anything to follow
        tell_detached(job)
        return INTERRUPTED
    if ended is None:
        return INTERRUPTED
    reason = "" if ended.reason is None else f" ({ended.reason})"
    output.note(f"{ended.id} {ended.state}{reason} in {took(ended)}")
    if ended.directory and os.path.isdir(workdir := f"{ended.directory}/work"):
        output.note(f"the working directory is kept: {workdir}")
    return OK if ended.state is JobState.SUCCEEDED else DIFFERENT


def tell_detached(job: Job) -> None:
    tell(f"detached; {job.id} runs on: `c3 logs -f {job.id}` shows it again")


async def _follow_new(settings: Settings, job: Job, descriptor: int) -> Job | None:
    """The job as it ended; None when the user has left."""
    ended = None
    with interrupts() as received:
        async with open_registry(settings) as registry, open_log(settings, job) as log, trio.open_nursery() as nursery:
            nursery.start_soon(leave_on, received, registry, job, nursery.cancel_scope)
            ended = await follow(registry, job, log, descriptor)
            nursery.cancel_scope.cancel()
    return ended


async def follow(registry: Registry, job: Job, log: Log, descriptor: int, offset: int = 0) -> Job:
    """Copy the log, from `offset` on, to `descriptor` until the job has ended; the job as it is then.

    The state is asked before the log is read: what was written before the job ended is read after that. A job of this
    machine whose agent dies meanwhile is marked lost, which is its end; of others the control plane does that.

    It is written in a thread, which is left behind when this is cancelled: who reads our output may have stopped.

    A control plane that is away is waited for: jobs take hours, and it may be started anew meanwhile.
    """
    output.flush()
    silence = _Silence()
    while True:
        try:
            job = await registry.job(job.id)
            ended = job.state in FINAL
            while data := await log.read(offset, wait=not ended):
                await trio.to_thread.run_sync(write_all, descriptor, data, abandon_on_cancel=True)
                offset += len(data)
        except (StoreUnavailableError, DeadlineError) as error:
            await silence.wait(error)
            continue
        silence.end()
        if ended:
            return job
        await mark_if_lost(registry, job)


class _Silence:
    """Of somebody who does not answer; said once, and when it is over."""

    def __init__(self) -> None:
        self._since: float | None = None

    async def wait(self, error: C3Error) -> None:
        """A moment; raises the error when it has been too many."""
        if self._since is None:
            self._since = trio.current_time()
            output.note(f"{error}; still trying")
        elif trio.current_time() - self._since > PATIENCE:
            raise error
        await trio.sleep(ASK_EVERY)

    def end(self) -> None:
        if self._since is not None:
            output.note("it answers again")
        self._since = None


def write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
