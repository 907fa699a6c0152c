"""`c3 squeue`: the jobs, the newest first."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from c3fs.cli import output
from c3fs.cli.complete import complete_project
from c3fs.cli.exits import UsageError, run_async
from c3fs.cli.narrow import Priorities, fitted, terminal_width
from c3fs.cli.program import Command, json_option
from c3fs.cli.settings import load_settings
from c3fs.cli.wiring import open_registry
from c3fs.core.job import JobState
from c3fs.core.ref import is_project
from c3fs.registry.base import Job, Registry

SHOWN: Final = 100
"""Jobs listed for people unless -n says otherwise; scripts get all."""

STATE_COLOURS: Final = {
    JobState.SUCCEEDED: output.GREEN,
    JobState.RUNNING: output.CYAN,
    JobState.FAILED: output.RED,
    JobState.TIMED_OUT: output.RED,
    JobState.CANCELED: output.YELLOW,
}
_HEADERS: Final = ("JOB ID", "PROJECT", "NAME", "STATUS", "REASON", "EXIT", "CREATED", "TIME")
_PRIORITIES: Final = Priorities(
    cut=("NAME", "PROJECT"), leave_out=("EXIT", "CREATED", "REASON", "PROJECT", "NAME", "TIME")
)


class States(click.ParamType[tuple[JobState, ...]]):
    """One state or several, with commas between them."""

    name = "state"
    _one = click.Choice([state.value for state in JobState], case_sensitive=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[JobState, ...]:
        return tuple(JobState(self._one.convert(one.strip(), param, ctx)) for one in str(value).split(","))

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        before, comma, last = incomplete.rpartition(",")
        return [CompletionItem(f"{before}{comma}{item.value}") for item in self._one.shell_complete(ctx, param, last)]


@click.command("squeue", cls=Command)
@click.option("-n", "count", type=click.IntRange(min=1), help=f"How many; {SHOWN} if not said, with --json all.")
@click.option("--project", shell_complete=complete_project, help="Only jobs of this project.")
@click.option("--state", "states", type=States(), multiple=True, help="Only jobs in this state, or STATE,STATE,…")
@json_option
def squeue(count: int | None, project: str | None, states: tuple[tuple[JobState, ...], ...], as_json: bool) -> None:
    """List jobs, the newest first. All conditions hold together, and -n counts the jobs that meet them.

    On a terminal that is too narrow, names are cut and columns left out; what is piped is complete.

    \b
    Example: c3 squeue -n 5 --project mnist --state FAILED
             c3 squeue --state pending,scheduling,running
    """
    if project is not None and not is_project(project):
        raise UsageError(f"--project: {project!r} is not a project (lower-case letters, digits, hyphens)")
    wanted = tuple(state for some in states for state in some)
    limit = count if count is not None or as_json else SHOWN + 1

    async def main() -> list[Job]:
        async with open_registry(load_settings()) as registry:
            return await _jobs(registry, project, wanted, limit)

    jobs = run_async(main)
    if as_json:
        output.write_json([to_json(job) for job in jobs])
    elif count is None and len(jobs) > SHOWN:
        _print(jobs[:SHOWN])
        output.note(f"these are the newest {SHOWN}; -n shows more")
    else:
        _print(jobs)


async def _jobs(registry: Registry, project: str | None, states: tuple[JobState, ...], limit: int | None) -> list[Job]:
    """In any of the states, or in any at all if none is said: the newest first, as the registry sorts them.

    The states are asked for in the order of a job's life: one that moves on meanwhile is found twice, never missed,
    and what was found last is what it is.
    """
    if not states:
        return await registry.jobs(project=project, limit=limit)
    in_order = [state for state in JobState if state in states]
    found = [job for state in in_order for job in await registry.jobs(project=project, state=state, limit=limit)]
    newest = {job.id: job for job in sorted(found, key=lambda job: (job.created, job.id), reverse=True)}
    return list(newest.values())[:limit]


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
    """How long the job ran, or has been running; nothing less than no time, when the clock was set back."""
    if job.started is None:
        return "-"
    seconds = max(0, int(((job.finished or datetime.now(UTC)) - job.started).total_seconds()))
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _print(jobs: list[Job]) -> None:
    rows = [
        (
            job.id,
            job.project,
            output.printable(job.name),
            str(job.state),
            "-" if job.reason is None else str(job.reason),
            "-" if job.exit_code is None else str(job.exit_code),
            output.local(job.created),
            took(job),
        )
        for job in jobs
    ]
    headers, lines = fitted(_HEADERS, rows, terminal_width(), _PRIORITIES)
    output.table(headers, lines, right=("EXIT", "TIME"), colours={"STATUS": colour_of})


def colour_of(state: str) -> str | None:
    return STATE_COLOURS.get(JobState(state))
