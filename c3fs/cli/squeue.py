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
"""Jobs listed unless -n says otherwise."""

STATE_COLOURS: Final = {
    JobState.SUCCEEDED: output.GREEN,
    JobState.RUNNING: output.CYAN,
    JobState.FAILED: output.RED,
    JobState.TIMED_OUT: output.RED,
    JobState.CANCELED: output.YELLOW,
}
_STATES = click.Choice([state.value for state in JobState], case_sensitive=False)


@click.command("squeue", cls=Command)
@click.option("-n", "count", type=click.IntRange(min=0), default=SHOWN, show_default=True, help="How many; 0: all.")
@click.option("--project", help="Only jobs of this project.")
@click.option("--state", type=_STATES, help="Only jobs in this state.")
@json_option
def squeue(count: int, project: str | None, state: str | None, as_json: bool) -> None:
    """List jobs, the newest first.

    \b
    Example: c3 squeue -n 5 --project mnist --state FAILED
    """
    if project is not None and not is_project(project):
        raise UsageError(f"--project: {project!r} is not a project (lower-case letters, digits, hyphens)")
    wanted = None if state is None else JobState(state.upper())

    async def main() -> list[Job]:
        async with open_registry(load_settings()) as registry:
            return await registry.jobs(project=project, state=wanted, limit=count + 1 if count else None)

    jobs = run_async(main)
    more = bool(count) and len(jobs) > count
    jobs = jobs[:count] if count else jobs
    if as_json:
        output.write_json([to_json(job) for job in jobs])
    else:
        _print(jobs)
    if more:
        output.note(f"there are older ones; -n 0 lists all (shown: {count})")


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
