"""Takes jobs from a queue, as many at a time as the agent has places, and has each of them run."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

import trio

from c3fs.errors import AccessError, C3Error, LeaseLostError
from c3fs.registry.base import Job

log = logging.getLogger(__name__)

WAIT: Final = 5.0
"""Seconds a request for a job may be kept waiting: so long an agent that was told to stop may take to hear it."""
PAUSE_MAX: Final = 10.0
"""Seconds between requests to a control plane that does not answer; the first comes after a tenth of one."""
REFUSED_MAX: Final = 3
"""Times in a row that the key may be refused. Once may be a control plane that has just lost its database."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A job that is this agent's for `seconds`, unless it renews that: with `attempt`. `token` lets it do for the job
    what there is to do; no repr shows it."""

    job: Job
    token: str
    attempt: str
    seconds: float

    def __repr__(self) -> str:
        return f"<Taken {self.job.id}>"


class Queue(Protocol):
    async def take(self, attempt: str, wait: float) -> Taken | None:
        """The oldest job that waits; None when none came within `wait` seconds. The same attempt again, after an
        answer that was lost, is given the same job."""
        ...


async def take_jobs(
    queue: Queue,
    run: Callable[[Taken], Awaitable[None]],
    *,
    places: int,
    new_attempt: Callable[[], str],
    stop: trio.Event,
    until_empty: bool = False,
    under_way: Sequence[Callable[[], Awaitable[None]]] = (),
) -> None:
    """Take and `run` jobs until `stop` is set, or with `until_empty` there are none; then wait for those that run.

    Each of `under_way` takes a place until it ends: jobs that an agent before this one began.

    A request under way is not cut off by `stop`: the job it may be given would be nobody's. Raises AccessError when the
    key is not (any more) one of an agent; jobs that run are waited for then too.
    """
    free = trio.Semaphore(places)
    refused = 0
    pause = 0.1
    failed: AccessError | None = None

    async def run_one(work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        finally:
            free.release()

    async with trio.open_nursery() as running:
        for work in under_way:
            if await _acquire(free, stop):
                running.start_soon(run_one, work)
        attempt = new_attempt()
        while await _acquire(free, stop):
            try:
                taken = await queue.take(attempt, 0 if until_empty else WAIT)
            except LeaseLostError:
                # The answer came so late that the job it gave has ended: this attempt gets no other.
                free.release()
                attempt = new_attempt()
                continue
            except C3Error as error:
                free.release()
                refused = refused + 1 if isinstance(error, AccessError) else 0
                if isinstance(error, AccessError) and refused >= REFUSED_MAX:
                    failed = error
                    break
                log.warning("no job could be asked for: %s", error)
                with trio.move_on_after(pause):
                    await stop.wait()
                pause = min(2 * pause, PAUSE_MAX)
                continue
            refused, pause = 0, 0.1
            if taken is None:
                free.release()
                if until_empty:
                    break
                continue
            attempt = new_attempt()
            running.start_soon(run_one, partial(run, taken))
    if failed is not None:
        raise failed


async def _acquire(free: trio.Semaphore, stop: trio.Event) -> bool:
    """A place, unless `stop` is set before there is one."""
    acquired = False
    async with trio.open_nursery() as nursery:

        async def give_up() -> None:
            await stop.wait()
            nursery.cancel_scope.cancel()

        nursery.start_soon(give_up)
        await free.acquire()
        acquired = True
        nursery.cancel_scope.cancel()
    if acquired and stop.is_set():
        free.release()
        acquired = False
    return acquired
