"""Jobs whose agent died, and the directories of jobs that were never recorded, as commands meet them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from c3fs.agent.abandoned import YOUNG, claimed
from c3fs.agent.workspace import Workspace, create_workspace
from c3fs.cli.lost import mark_if_lost, mark_lost_jobs
from c3fs.core.job import JobState, Reason
from c3fs.registry.sql import SqlRegistry
from tests.support.encoded import Source
from tests.support.invoked import Invoked

ORPHAN = "job_1600000000000_0rphan"
LAST = "c3: FAILED (AGENT_LOST): the agent died; it stored no artifacts; the working directory is removed\n"


def workspace_of(cli: Invoked, state: JobState, source: Source | None = None) -> Workspace:
    """The directory of a job that runs, as far as record and lock tell, with something in it."""
    cli.job(source, state=state, alive=True)
    workspace = cli.workspaces.pop()
    os.makedirs(f"{workspace.artifacts}/deep")
    workspace.log.line("the job runs")
    return workspace


def log_of(workspace: Workspace) -> str:
    return Path(workspace.log_path).read_text()


def is_kept(workspace: Workspace) -> bool:
    return os.path.isdir(workspace.artifacts)


def rows(cli: Invoked) -> list[tuple[str, str | None]]:
    return [(job["status"], job["reason"]) for job in cli.c3("squeue", "--json").json]


def open_registry(cli: Invoked) -> SqlRegistry:
    return SqlRegistry.open(f"sqlite:///{cli.root}/home/registry.db")


@pytest.mark.parametrize("state", [JobState.PENDING, JobState.SCHEDULING, JobState.RUNNING])
def test_whatever_command_is_next_finds_the_job(cli: Invoked, state: JobState) -> None:
    workspace = workspace_of(cli, state)
    assert rows(cli) == [(state, None)]
    assert log_of(workspace) == "c3: the job runs\n"
    assert is_kept(workspace)
    workspace.close()
    cli.c3("balance")
    assert log_of(workspace) == f"c3: the job runs\n{LAST}"
    assert sorted(os.listdir(workspace.directory)) == ["lock", "log"]
    assert rows(cli) == [("FAILED", "AGENT_LOST")]
    assert log_of(workspace).count("AGENT_LOST") == 1


def test_artifacts_that_were_stored_before_are_there_and_named(cli: Invoked) -> None:
    workspace = workspace_of(cli, JobState.RUNNING, {b"artifacts": {b"model": b"weights"}})
    job_id = os.path.basename(workspace.directory)
    workspace.close()
    assert rows(cli) == [("FAILED", "AGENT_LOST")]
    assert f"its artifacts were stored before, at /jobs/{job_id}; " in log_of(workspace)
    assert cli.c3("data", "ls", f"/jobs/{job_id}/artifacts").out == "model\n"


def test_a_directory_that_is_gone(cli: Invoked) -> None:
    cli.job(None, state=JobState.RUNNING)
    assert rows(cli) == [("FAILED", "AGENT_LOST")]
    assert not (cli.root / "agents").exists()


async def test_two_commands_at_once_clear_once(cli: Invoked) -> None:
    workspace = await trio.to_thread.run_sync(workspace_of, cli, JobState.RUNNING)
    workspace.close()
    answers: list[int] = []

    async def mark() -> None:
        with open_registry(cli) as registry:
            answers.append(len(await mark_lost_jobs(registry)))

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(mark)
    assert sorted(answers) == [0, 0, 0, 1]
    assert log_of(workspace) == f"c3: the job runs\n{LAST}"


async def test_while_one_clears_others_leave_the_job_alone(cli: Invoked) -> None:
    workspace = await trio.to_thread.run_sync(workspace_of, cli, JobState.RUNNING)
    workspace.close()
    with open_registry(cli) as registry:
        with claimed(workspace.directory):
            assert await mark_lost_jobs(registry) == []
        assert is_kept(workspace)
        assert len(await mark_lost_jobs(registry)) == 1


async def test_what_a_job_that_ended_meanwhile_keeps_is_kept(cli: Invoked) -> None:
    """The agent records the end and unlocks after the job was looked up."""
    workspace = await trio.to_thread.run_sync(workspace_of, cli, JobState.RUNNING)
    with open_registry(cli) as registry:
        job = await registry.job(os.path.basename(workspace.directory))
        await registry.move_job(job.id, JobState.FAILED, reason=Reason.SCRIPT_ERROR, exit_code=3)
        workspace.close()
        assert not await mark_if_lost(registry, job)
    assert is_kept(workspace)
    assert "AGENT_LOST" not in log_of(workspace)


def test_one_that_died_clearing_is_followed_by_another(cli: Invoked) -> None:
    workspace = workspace_of(cli, JobState.RUNNING)
    workspace.close()
    os.rmdir(f"{workspace.artifacts}/deep")
    with open(workspace.log_path, "a") as log:
        log.write(LAST)
    assert rows(cli) == [("FAILED", "AGENT_LOST")]
    assert log_of(workspace) == f"c3: the job runs\n{LAST}"
    assert not os.path.exists(workspace.workdir)


def make_orphan(cli: Invoked) -> Workspace:
    (cli.root / "home" / "jobs").mkdir(parents=True, exist_ok=True)
    return create_workspace(f"{cli.root}/home/jobs", ORPHAN)


def grow_old(workspace: Workspace) -> None:
    then = time.time() - YOUNG - 1
    os.utime(workspace.directory, (then, then))


def hold(_workspace: Workspace) -> None:
    """Its deploy is at it, and slow."""


@pytest.mark.parametrize(
    ("lock", "age", "stays"),
    [(Workspace.close, grow_old, False), (hold, grow_old, True), (Workspace.close, hold, True), (hold, hold, True)],
)
def test_the_directory_of_a_job_that_was_never_recorded(
    cli: Invoked, lock: Callable[[Workspace], None], age: Callable[[Workspace], None], *, stays: bool
) -> None:
    workspace = make_orphan(cli)
    lock(workspace)
    age(workspace)
    assert rows(cli) == []
    assert os.path.exists(workspace.directory) == stays
    if lock is hold:
        workspace.close()


def test_the_directory_of_a_recorded_job_stays(cli: Invoked) -> None:
    """Its agent was killed before it was started."""
    job_id = cli.job(None, state=JobState.RUNNING)
    (cli.root / "home" / "jobs").mkdir(exist_ok=True)
    workspace = create_workspace(f"{cli.root}/home/jobs", job_id)
    workspace.close()
    grow_old(workspace)
    cli.c3("squeue")
    assert os.path.exists(workspace.log_path)
