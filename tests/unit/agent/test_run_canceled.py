"""Jobs that are canceled, take too long, or whose agent is told to end: at each moment of their lives."""

from __future__ import annotations

import pytest
import trio

from c3fs.agent.publication import Publication, PublishRequest
from c3fs.core.job import JobState, Reason
from c3fs.registry.base import Job
from tests.support.jobs import ID, Bench, Upload, ended, kept, until_logged

pytestmark = pytest.mark.namespaces


async def test_cancel_before_it_starts(bench: Bench) -> None:
    bench.cancel.set()
    assert ended(await bench.run_script("echo ran")) == (JobState.CANCELED, None, None)
    assert "ran" not in bench.log
    assert bench.upload.asked == []


async def test_canceled_by_another_process_before_it_starts(bench: Bench) -> None:
    await bench.make("script: echo ran")
    await bench.registry.move_job(ID, JobState.CANCELED)
    assert ended(await bench.run()) == (JobState.CANCELED, None, None)
    assert bench.log == []


async def test_cancel_during_the_checkout(bench: Bench) -> None:
    bench.checkout.gate = trio.Event()
    jobs: list[Job] = []

    async def run() -> None:
        jobs.append(await bench.run_script("echo ran"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await bench.checkout.began.wait()
        assert (await bench.registry.job(ID)).state is JobState.SCHEDULING
        bench.cancel.set()
    assert ended(jobs[0]) == (JobState.CANCELED, None, None)
    assert "ran" not in bench.log
    assert bench.upload.asked == []
    assert not kept(bench)


async def test_cancel_while_the_script_runs(bench: Bench) -> None:
    await bench.make("script: |\n  echo x > $C3_ARTIFACTS_DIR/x\n  echo running\n  sleep 60\n")
    jobs: list[Job] = []

    async def run() -> None:
        jobs.append(await bench.run())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await until_logged(bench, "running")
        bench.cancel.set()
    assert ended(jobs[0]) == (JobState.CANCELED, None, 143)
    assert bench.upload.found == {"artifacts/x": "x\n"}
    assert bench.upload.asked[0].best_effort
    assert kept(bench)


async def test_cancel_while_uploading(bench: Bench) -> None:
    """The script has succeeded, and whoever canceled gave its artifacts up: that is no error."""
    bench.upload.gate = trio.Event()
    jobs: list[Job] = []

    async def run() -> None:
        jobs.append(await bench.run_script("exit 0"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await bench.upload.began.wait()
        bench.cancel.set()
    assert ended(jobs[0]) == (JobState.CANCELED, None, 0)
    assert "c3: the upload was canceled: nothing is published" in bench.log
    assert bench.log[-1].endswith(": the script succeeded, and the upload was canceled")
    assert kept(bench)


async def test_cancel_while_the_artifacts_of_a_script_that_failed_are_uploaded(bench: Bench) -> None:
    bench.upload.gate = trio.Event()
    jobs: list[Job] = []

    async def run() -> None:
        jobs.append(await bench.run_script("exit 3"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await bench.upload.began.wait()
        bench.cancel.set()
    assert ended(jobs[0]) == (JobState.FAILED, Reason.SCRIPT_ERROR, 3)


async def test_cancel_when_the_artifacts_are_stored(bench: Bench) -> None:
    """What is published stays: the cancel came too late."""

    async def publish_then_cancel(request: PublishRequest) -> Publication:
        done = await Upload()(request)
        bench.cancel.set()
        return done

    bench.publish = publish_then_cancel
    assert ended(await bench.run_script("exit 0")) == (JobState.SUCCEEDED, None, 0)


async def test_time_limit(bench: Bench) -> None:
    job = await bench.run_script("echo x > $C3_ARTIFACTS_DIR/x; sleep 60", "time: 00:00:01\n")
    assert ended(job) == (JobState.TIMED_OUT, None, 143)
    assert bench.upload.found == {"artifacts/x": "x\n"}
    assert bench.upload.asked[0].best_effort


async def test_interrupted_during_the_checkout(bench: Bench) -> None:
    bench.checkout.gate = trio.Event()
    await bench.make("script: run.sh", {"run.sh": "exit 0"})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.run)
        await bench.checkout.began.wait()
        nursery.cancel_scope.cancel()
    assert ended(await bench.registry.job(ID)) == (JobState.CANCELED, None, None)
    assert not kept(bench)


async def test_interrupted_while_the_script_runs(bench: Bench) -> None:
    await bench.make("script: |\n  echo running\n  sleep 60\n")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.run)
        await until_logged(bench, "running")
        nursery.cancel_scope.cancel()
    assert ended(await bench.registry.job(ID)) == (JobState.CANCELED, None, None)
    assert bench.log[-1].endswith(": the agent was interrupted")


async def test_interrupted_while_uploading(bench: Bench) -> None:
    bench.upload.gate = trio.Event()
    await bench.make("script: run.sh", {"run.sh": "exit 0"})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.run)
        await bench.upload.began.wait()
        nursery.cancel_scope.cancel()
    assert ended(await bench.registry.job(ID)) == (JobState.FAILED, Reason.UPLOAD_ERROR, 0)
