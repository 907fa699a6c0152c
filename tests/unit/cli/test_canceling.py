"""What makes a runner cancel its job, and what does not."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from c3fs.agent.joblog import JobLog, open_job_log
from c3fs.cli.canceling import cancel_on_request, cancel_on_signal
from c3fs.core.job import JobState, Reason
from c3fs.errors import C3Error, JobNotFoundError, StoreRefusedError, StoreUnavailableError
from c3fs.registry.base import Job
from c3fs.registry.sql import SqlRegistry
from tests.support.records import job_id, make_job


class Flaky(SqlRegistry):
    """Raises `faults` before it answers where a job is."""

    faults: list[C3Error]

    async def job(self, job_id: str) -> Job:
        if self.faults:
            raise self.faults.pop()
        return await super().job(job_id)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[JobLog]:
    made = open_job_log(os.fsencode(tmp_path / "log"))
    yield made
    os.close(made.fileno())


async def look(registry: SqlRegistry, cancel: trio.Event, log: JobLog) -> None:
    with trio.fail_after(20):
        await cancel_on_request(registry, job_id(1), cancel, log)


def text(tmp_path: Path) -> str:
    return (tmp_path / "log").read_text()


async def test_a_request_is_found_though_the_registry_did_not_answer(tmp_path: Path, log: JobLog) -> None:
    cancel = trio.Event()
    with Flaky.open(f"sqlite:///{tmp_path}/registry.db") as registry:
        registry.faults = [StoreUnavailableError("away"), StoreRefusedError("full"), JobNotFoundError(job_id(1))]
        await registry.add_job(make_job(1))
        await registry.move_job(job_id(1), JobState.SCHEDULING)
        await registry.move_job(job_id(1), JobState.RUNNING)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(look, registry, cancel, log)
            with trio.fail_after(20):
                while registry.faults:  # noqa: ASYNC110 - a database is asked again and again
                    await trio.sleep(0.01)
            assert not cancel.is_set()
            await registry.request_cancel(job_id(1))
    assert cancel.is_set()
    assert text(tmp_path) == "c3: somebody asked for the job's end\n"


async def test_a_job_that_somebody_else_has_ended(tmp_path: Path, log: JobLog) -> None:
    cancel = trio.Event()
    with SqlRegistry.open(f"sqlite:///{tmp_path}/registry.db") as registry:
        await registry.add_job(make_job(1))
        await registry.move_job(job_id(1), JobState.FAILED, reason=Reason.AGENT_LOST)
        await look(registry, cancel, log)
    assert cancel.is_set()
    assert text(tmp_path) == "c3: somebody else has made the job FAILED\n"


async def test_a_signal(tmp_path: Path, log: JobLog) -> None:
    cancel = trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(cancel_on_signal, cancel, log)
        os.kill(os.getpid(), signal.SIGTERM)
        with trio.fail_after(20):
            await cancel.wait()
        nursery.cancel_scope.cancel()
    assert text(tmp_path) == "c3: the agent was told to end (SIGTERM)\n"
