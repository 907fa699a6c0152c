"""`c3 logs`: what a job and its agent have printed."""

from __future__ import annotations

import os
import sys
from functools import partial

import click

from c3fs.cli import output
from c3fs.cli.exits import UsageError, run_async
from c3fs.cli.follow import LogReader, follow, write_all
from c3fs.cli.program import Command
from c3fs.cli.settings import load_settings
from c3fs.cli.wiring import open_registry
from c3fs.core.ids import is_job_id


@click.command("logs", cls=Command)
@click.argument("job_id", metavar="JOB")
@click.option("-f", "--follow", "following", is_flag=True, help="Go on until the job has ended.")
def logs(job_id: str, following: bool) -> None:
    """Print the log of JOB: what its script wrote, and the agent's own lines, which begin with `c3: `.

    \b
    Example: c3 logs -f job_1700000000000_abc123
    """
    if not is_job_id(job_id):
        raise UsageError(f"{job_id!r} is not a job id (job_<milliseconds>_<6 characters>); `c3 squeue` lists them")
    run_async(partial(_print, job_id, following=following))


async def _print(job_id: str, *, following: bool) -> None:
    async with open_registry(load_settings()) as registry:
        job = await registry.job(job_id)
        path = os.path.join(job.directory, "log")
        if following:
            await follow(registry, job, path, sys.stdout.fileno())
            return
    _copy(path)


def _copy(path: str) -> None:
    if not os.path.exists(path):
        output.note(f"no log on this machine: {path} is missing")
    with LogReader(path) as log:
        while data := log.read():
            write_all(sys.stdout.fileno(), data)
