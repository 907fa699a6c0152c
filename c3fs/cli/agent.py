"""`c3fs agent`: runs the jobs of a control plane's queue on this machine.

Every job has a runner of its own, a process in a session of its own (`runner`), with the job's token and no key: it
keeps the job's lease, sends its log on, and ends it. What happens to this process does not happen to the jobs: killed
and started again it waits for those that run before it takes more than it has places for.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Container, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import click
import trio

from c3fs.agent.abandoned import claimed, clear
from c3fs.agent.leftovers import KEPT, remove_ended, tidy
from c3fs.agent.room import Roomy
from c3fs.agent.taking import Taken, take_jobs
from c3fs.agent.workspace import RUNNER_LOG, Workspace, create_workspace, job_directory
from c3fs.api.endpoint import Remote
from c3fs.cli.assignment import Assignment
from c3fs.cli.durations import parse_duration
from c3fs.cli.exits import run_async
from c3fs.cli.plan import RUNNER
from c3fs.cli.program import Command
from c3fs.cli.remote import open_queue
from c3fs.cli.settings import Settings, load_settings, script_environment
from c3fs.cli.wiring import open_registry
from c3fs.core.ids import is_job_id
from c3fs.core.job import JobState, Reason
from c3fs.errors import AccessError, C3Error, ConflictError, ExecutionError, SettingsError

log = logging.getLogger(__name__)

TIDY_EVERY: Final = 3600.0
_LOOK_EVERY: Final = 1.0
"""Seconds between looks at the lock of a job that an agent before this one began."""


@dataclass(slots=True)
class Agent:
    """What this process runs: `runners` by job; and the jobs that run on from `before`, whose runners are no children
    of this process."""

    settings: Settings
    remote: Remote
    before: set[str]
    runners: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict[str, subprocess.Popen[bytes]])

    def __len__(self) -> int:
        return len(self.runners) + len(self.before)

    def cancel(self) -> None:
        """All that run."""
        for runner in self.runners.values():
            runner.terminate()
        for pid in _runners_of(self.before):
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(pid, signal.SIGTERM)


@click.command("agent", cls=Command)
@click.option("--jobs", type=click.IntRange(min=1, max=1000), default=1, show_default=True, help="Jobs at a time.")
@click.option("--name", default=None, help="What others see this agent as.  [default: the machine's name]")
@click.option(
    "--keep", metavar="DURATION", default=None, help="Keep working directories of failed jobs.  [default: 7d]"
)
@click.option("--drain", is_flag=True, help="End when the queue is empty.")
def agent(jobs: int, name: str | None, keep: str | None, drain: bool) -> None:
    """Run jobs of the control plane's queue on this machine.

    Wants an agent's key (`c3 key create --agent`) in C3_API_KEY, and the control plane's address in C3_API_ENDPOINT, or
    what `c3 login` has stored. Jobs run as the user who starts this.

    Ctrl-C or SIGTERM: takes no more jobs and waits for those that run; a second one cancels these.

    \b
    Example: c3fs agent --jobs 2
    """
    kept = KEPT if keep is None else parse_duration(keep, "--keep")
    settings = load_settings()
    if settings.remote is None:
        raise SettingsError("an agent needs a control plane: set C3_API_ENDPOINT and C3_API_KEY, or `c3 login`")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", force=True)
    shown = name or socket.gethostname()
    with _alone(settings):
        before = _running(settings.jobs_directory)
        run_async(partial(_serve, Agent(settings, settings.remote, before), shown, jobs, kept, drain=drain))


async def _serve(agent: Agent, name: str, places: int, kept: float, *, drain: bool) -> None:
    stop = trio.Event()
    log.info("agent %s runs up to %d jobs of %s", name, places, agent.remote.endpoint)
    async with trio.open_nursery() as nursery:
        await nursery.start(_stop_on_signal, agent, stop)
        nursery.start_soon(_tidy, agent.settings.jobs_directory, kept)
        async with open_queue(agent.remote, name) as queue:
            await take_jobs(
                Roomy(queue, agent.settings.jobs_directory),
                partial(_run, agent),
                places=places,
                new_attempt=lambda: secrets.token_hex(16),
                stop=stop,
                until_empty=drain,
                under_way=[partial(_outlive, agent, job_id) for job_id in sorted(agent.before)],
            )
        nursery.cancel_scope.cancel()
    log.info("agent %s has ended", name)


async def _run(agent: Agent, taken: Taken) -> None:
    """Run one job to its end. What goes wrong is the job's, not the agent's."""
    job = taken.job
    log.info("%s of project %s: begins", job.id, job.project)
    settings = agent.settings.at(agent.remote.with_key(taken.token))
    directory = job_directory(settings.jobs_directory, job.id)
    try:
        workspace = create_workspace(settings.jobs_directory, job.id)
        code = await _run_to_end(agent, workspace, taken)
        log.info("%s: its runner has ended%s", job.id, f" with exit code {code}" if code else "")
        if code:
            await trio.to_thread.run_sync(_clear_if_died, directory, job.id)
            await _end(settings, job.id, Reason.AGENT_LOST)
    except (ExecutionError, OSError) as error:
        log.warning("%s: %s", job.id, error)
        await _end(settings, job.id, Reason.AGENT_ERROR)
    await trio.to_thread.run_sync(remove_ended, directory)


async def _run_to_end(agent: Agent, workspace: Workspace, taken: Taken) -> int | None:
    """Start the job's runner, which holds the lock from then on, and wait for it; its exit code."""
    runner = _start(workspace, Assignment.of(agent.remote, taken), taken.job.id)
    agent.runners[taken.job.id] = runner
    pidfd = os.pidfd_open(runner.pid)
    try:
        await trio.lowlevel.wait_readable(pidfd)
    finally:
        os.close(pidfd)
        del agent.runners[taken.job.id]
    return runner.poll()


def _start(workspace: Workspace, assignment: Assignment, job_id: str) -> subprocess.Popen[bytes]:
    told = assignment.to_file()
    try:
        with open(os.path.join(workspace.directory, RUNNER_LOG), "ab") as output:
            return subprocess.Popen(
                [*RUNNER, job_id, str(workspace.lock_fd), str(told)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=script_environment(),  # a script can read that of what runs around it
                cwd="/",
                pass_fds=(workspace.lock_fd, told),
                start_new_session=True,
            )
    finally:
        os.close(told)
        workspace.close()


async def _end(settings: Settings, job_id: str, why: Reason) -> None:
    """Of a runner that did not end as it should; it may have ended the job before, and its token with it."""
    try:
        async with open_registry(settings, sweep=False) as registry:
            await registry.move_job(job_id, JobState.FAILED, reason=why)
        log.warning("%s: FAILED (%s)", job_id, why)
    except (AccessError, ConflictError):
        pass
    except C3Error as error:
        log.warning("%s: its end could not be told, its lease will run out: %s", job_id, error)


def _clear_if_died(directory: str, job_id: str) -> None:
    """What a runner leaves that was killed."""
    with claimed(directory) as is_ours:
        if is_ours and os.path.isdir(directory) and os.path.getsize(f"{directory}/lock") > 0:
            clear(directory, job_id, stored=None)


def _running(jobs_directory: str) -> set[str]:
    """The jobs that an agent before this one began, and that run on."""
    names = [name for name in os.listdir(jobs_directory) if is_job_id(name)]
    return {name for name in names if not _is_free(f"{jobs_directory}/{name}")}


def _runners_of(jobs: Container[str]) -> list[int]:
    """Processes, found by their arguments: JOB LOCK_FD ASSIGNMENT_FD. What `c3 deploy` starts has no third."""
    found: list[int] = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", encoding="utf-8", errors="replace") as file:
                words = tuple(file.read().split("\0"))
        except OSError:
            continue  # it has ended, or is another user's
        if words[1 : len(RUNNER)] == RUNNER[1:] and len(words) == len(RUNNER) + 4 and words[len(RUNNER)] in jobs:
            found.append(int(name))
    return found


async def _outlive(agent: Agent, job_id: str) -> None:
    directory = job_directory(agent.settings.jobs_directory, job_id)
    log.info("%s: still runs; an agent before this one began it", job_id)
    while True:
        if await trio.to_thread.run_sync(_is_free, directory):
            break
        await trio.sleep(_LOOK_EVERY)
    agent.before.discard(job_id)
    await trio.to_thread.run_sync(remove_ended, directory)


def _is_free(directory: str) -> bool:
    with claimed(directory) as is_free:
        return is_free


async def _tidy(jobs_directory: str, kept: float) -> None:
    while True:
        await trio.to_thread.run_sync(tidy, jobs_directory, kept)
        await trio.sleep(TIDY_EVERY)


async def _stop_on_signal(agent: Agent, stop: trio.Event, task_status: trio.TaskStatus[None]) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as received:
        task_status.started()
        await _next(received)
        stop.set()
        log.info("takes no more jobs; %d run, which another signal cancels", len(agent))
        async for _ in received:
            log.info("cancels %d jobs", len(agent))
            agent.cancel()


async def _next(received: AsyncIterator[int]) -> None:
    await anext(received)


@contextmanager
def _alone(settings: Settings) -> Generator[None]:
    """One agent for a C3_HOME: it counts the jobs there."""
    path = f"{settings.home}/agent.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise SettingsError(
            f"C3_HOME: another agent works in {settings.home}; give this one a home of its own"
        ) from None
    finally:
        os.close(descriptor)
