"""`c3 logs`: what a job and its agent have printed."""

from __future__ import annotations

import os
import sys
from functools import partial

import click

from c3fs.cli import output
from c3fs.cli.complete import complete_job
from c3fs.cli.exits import INTERRUPTED, OK, run_async
from c3fs.cli.follow import follow, tell_detached, write_all
from c3fs.cli.joblogs import Log, log_path
from c3fs.cli.jobref import check_job, find_job
from c3fs.cli.program import Command
from c3fs.cli.settings import load_settings
from c3fs.cli.wiring import open_log, open_registry
from c3fs.core.job import FINAL
from c3fs.registry.base import Job


@click.command("logs", cls=Command)
@click.argument("name", metavar="JOB", shell_complete=complete_job)
@click.option("-f", "--follow", "following", is_flag=True, help="Go on until the job has ended.")
@click.option("-n", "--tail", "lines", type=click.IntRange(min=0), metavar="LINES", help="Only the last lines.")
def logs(name: str, following: bool, lines: int | None) -> int:
    """Print the log of JOB: what its script wrote, and the agent's own lines, which begin with `c3: `.

    JOB is an id, the beginning of one, or @last, the newest job of the project of the nearest .c3 file.

    \b
    Example: c3 logs -f job_1700000000000_abc123
             c3 logs -n 20 @last
    """
    check_job(name)
    return run_async(partial(_print, name, lines, following=following))


async def _print(name: str, lines: int | None, *, following: bool) -> int:
    """The exit code."""
    settings = load_settings()
    async with open_registry(settings) as registry:
        job = await find_job(registry, name)
        async with open_log(settings, job) as log:
            offset = 0 if lines is None else await log.tail(lines)
            if not following:
                _tell_missing(job)
                await _copy(log, offset)
                return OK
            try:
                await follow(registry, job, log, sys.stdout.fileno(), offset)
            except KeyboardInterrupt:
                if job.state in FINAL:
                    raise
                tell_detached(job)
                return INTERRUPTED
    return OK


def _tell_missing(job: Job) -> None:
    if job.directory and not os.path.exists(path := log_path(job)):
        output.note(f"no log on this machine: {path} is missing")


async def _copy(log: Log, offset: int) -> None:
    while data := await log.read(offset, wait=False):
        write_all(sys.stdout.fileno(), data)
        offset += len(data)
