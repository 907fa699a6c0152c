"""`c3 logs`: what a job and its agent have printed."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import Final

import click

from c3fs.cli import output
from c3fs.cli.complete import complete_job
from c3fs.cli.exits import INTERRUPTED, OK, run_async
from c3fs.cli.follow import LogReader, follow, tell_detached, write_all
from c3fs.cli.jobref import check_job, find_job
from c3fs.cli.program import Command
from c3fs.cli.settings import load_settings
from c3fs.cli.wiring import open_registry
from c3fs.core.job import FINAL

_PIECE: Final = 1 << 16


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
    async with open_registry(load_settings()) as registry:
        job = await find_job(registry, name)
        path = os.path.join(job.directory, "log")
        offset = 0 if lines is None else start_of_tail(path, lines)
        if following:
            try:
                await follow(registry, job, path, sys.stdout.fileno(), offset)
            except KeyboardInterrupt:
                if job.state in FINAL:
                    raise
                tell_detached(job)
                return INTERRUPTED
            return OK
    _copy(path, offset)
    return OK


def start_of_tail(path: str, lines: int) -> int:
    """Where in the file its last `lines` lines begin; 0 if it has no more, or is not there."""
    try:
        with open(path, "rb") as file:
            end = at = file.seek(0, os.SEEK_END)
            wanted = lines
            if lines == 0:
                return end
            while at > 0:
                size = min(at, _PIECE)
                at -= size
                file.seek(at)
                piece = file.read(size)
                if at + size == end and not piece.endswith(b"\n"):
                    wanted -= 1  # the last line has no end yet
                here = size
                while (here := piece.rfind(b"\n", 0, here)) >= 0:
                    if wanted == 0:
                        return at + here + 1
                    wanted -= 1
    except FileNotFoundError:
        pass
    return 0


def _copy(path: str, offset: int) -> None:
    if not os.path.exists(path):
        output.note(f"no log on this machine: {path} is missing")
    with LogReader(path, offset) as log:
        while data := log.read():
            write_all(sys.stdout.fileno(), data)
