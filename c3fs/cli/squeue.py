"""`c3 squeue`: the jobs, the newest first."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import click

from c3fs.cli import output
from c3fs.cli.exits import UsageError, run_async
from c3fs.cli.program import Command, json_option
from c3fs.cli.settings import load_settings
from c3fs.cli.wiring import open_registry
from c3fs.core.job import JobState
from c3fs.core.ref import is_project
from c3fs.registry.base import Job

SHOWN: Final = 100
"""Jobs listed for people unless -n says otherwise; scripts get all."""

STATE_COLOURS: Final = {
    JobState.SUCCEEDED: output.GREEN,
    JobState.RUNNING: output.CYAN,
    JobState.FAILED: output.RED,
    JobState.TIMED_OUT: output.RED,
    JobState.CANCELED: output.YELLOW,
}
_STATES = click.Choice([state.value for state in JobState], case_sensitive=False)


@click.command("squeue", cls=Command)
@click.option("-n", "count", type=click.IntRange(min=1), help=f"How many; {SHOWN} if not said, with --json all.")
@click.option("--project", help="Only jobs of this project.")
@click.option("--state", type=_STATES, help="Only jobs in this state.")
@json_option
def squeue(count: int | None, project: str | None, state: str | None, as_json: bool) -> None:
    """List jobs, the newest first.

    \b
    Example: c3 squeue -n 5 --project mnist --state FAILED
    """
    if project is not None and not is_project(project):
        raise UsageError(f"--project: {project!r} is not a project (lower-case letters, digits, hyphens)")
    wanted = None if state is None else JobState(state.upper())
    limit = count if count is not None or as_json else SHOWN + 1

    async def main() -> list[Job]:
        async with open_registry(load_settings()) as registry:
            return await registry.jobs(project=project, state=wanted, limit=limit)

    jobs = run_async(main)
    if as_json:
        output.write_json([to_json(job) for job in jobs])
    elif count is None and len(jobs) > SHOWN:
        _print(jobs[:SHOWN])
        output.note(f"these are the newest {SHOWN}; -n shows more")
    else:
        _print(jobs)


def to_json(job: Job) -> dict[str, object]:
    """What scripts rely on."""
    return {
        "job_id": job.id,
        "project": job.project,
        "name": job.name,
        "status": str(job.state),
        "reason": None if job.reason is None else str(job.reason),
        "exit_code": job.exit_code,
        "created": output.iso(job.created),
        "started": output.iso(job.started),
        "finished": output.iso(job.finished),
    }


def took(job: Job) -> str:
    """How long the job ran, or has been running."""
    if job.started is None:
        return "-"
    seconds = int(((job.finished or datetime.now(UTC)) - job.started).total_seconds())
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _print(jobs: list[Job]) -> None:
    headers = ("JOB ID", "PROJECT", "NAME", "STATUS", "REASON", "EXIT", "CREATED", "TIME")
    rows = [
        (
            job.id,
            job.project,
            job.name,
            str(job.state),
            "-" if job.reason is None else str(job.reason),
            "-" if job.exit_code is None else str(job.exit_code),
            output.local(job.created),
            took(job),
        )
        for job in jobs
    ]
    output.table(headers, rows, right=("EXIT", "TIME"), colours={"STATUS": colour_of})


def colour_of(state: str) -> str | None:
    return STATE_COLOURS.get(JobState(state))
