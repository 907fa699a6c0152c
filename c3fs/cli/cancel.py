"""`c3 cancel`: asks for the end of jobs, and waits for it."""

from __future__ import annotations

from typing import Final

import click
import trio

from c3fs.cli import output
from c3fs.cli.complete import complete_running
from c3fs.cli.exits import NOT_YET, OK, run_async
from c3fs.cli.joblogs import LOOK_EVERY
from c3fs.cli.jobref import check_job, find_job
from c3fs.cli.lost import mark_if_lost
from c3fs.cli.program import Command, json_option
from c3fs.cli.settings import load_settings
from c3fs.cli.wiring import open_registry
from c3fs.core.job import FINAL, JobState
from c3fs.errors import IllegalTransitionError
from c3fs.registry.base import Job, Registry

WAIT: Final = 60.0
"""Seconds to wait: a script gets ten to end by itself, and what it has made is uploaded."""


@click.command("cancel", cls=Command)
@click.argument("names", metavar="JOB...", nargs=-1, required=True, shell_complete=complete_running)
@click.option("--no-wait", is_flag=True, help="Ask for the end, and do not wait for it.")
@json_option
def cancel(names: tuple[str, ...], no_wait: bool, as_json: bool) -> int:
    """Cancel JOBs, and wait until they have ended. JOB is what it is for `c3 show`.

    A script that runs gets SIGTERM, with all that it has started, then ten seconds, then SIGKILL. What it had
    written by then is published, marked as incomplete. Exit code 4 says that
    a job ended in another way, or has not yet.

    \b
    Example: c3 cancel job_1700000000000_abc123
    """
    for name in names:
        check_job(name)

    async def main() -> list[Job]:
        async with open_registry(load_settings()) as registry:
            ids = dict.fromkeys([(await find_job(registry, name)).id for name in names])
            jobs = [await _request(registry, job_id) for job_id in ids]
            return jobs if no_wait else await _ended(registry, jobs)

    jobs = run_async(main)
    if as_json:
        output.write_json([{"job_id": job.id, "status": str(job.state)} for job in jobs])
    else:
        for job in jobs:
            output.write(f"{job.id} {_said(job)}\n")
    output.flush()
    wanted = [job for job in jobs if job.state is JobState.CANCELED or (no_wait and job.state not in FINAL)]
    return OK if len(wanted) == len(jobs) else NOT_YET


async def _request(registry: Registry, job_id: str) -> Job:
    """The job's record; one that has ended is left as it is. Raises JobNotFoundError."""
    try:
        return await registry.request_cancel(job_id)
    except IllegalTransitionError:
        output.note(f"{job_id} had ended before")
        return await registry.job(job_id)


async def _ended(registry: Registry, jobs: list[Job]) -> list[Job]:
    """The jobs when all have ended, or WAIT is over."""
    with trio.move_on_after(WAIT):
        while any(job.state not in FINAL for job in jobs):
            await trio.sleep(LOOK_EVERY)
            jobs = [await _looked_at(registry, job) for job in jobs]
    return jobs


async def _looked_at(registry: Registry, job: Job) -> Job:
    if job.state in FINAL:
        return job
    await mark_if_lost(registry, job)
    return await registry.job(job.id)


def _said(job: Job) -> str:
    if job.state in FINAL:
        return str(job.state) if job.reason is None else f"{job.state} ({job.reason})"
    return f"is {job.state}, and is asked to end; `c3 logs -f {job.id}` shows how far it is"
