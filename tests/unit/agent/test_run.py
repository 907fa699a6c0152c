"""The life of a job, with a real registry and real sandboxes; only the upload is steered."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from c3fs.agent.publication import PublishRequest
from c3fs.core.job import JobState, Reason
from c3fs.core.manifest import FORMAT, Inventory, Manifest, Root, root_span
from c3fs.core.ref import Ref
from c3fs.core.span import EMPTY_SPAN
from c3fs.errors import BlobMissingError, CollectError, StoreRefusedError, StoreUnavailableError
from c3fs.registry.base import Job
from c3fs.registry.sql import SqlRegistry
from tests.support.jobs import ID, SOURCE, Bench, ended, kept

OTHER = "job_1600000000000_zzzzzz"
pytestmark = pytest.mark.namespaces


# --- script and upload -----------------------------------------------------------------------------------


async def test_a_job_that_succeeds(bench: Bench) -> None:
    script = """
        echo $C3_JOB_ID; cd /; echo one > $C3_ARTIFACTS_DIR/a; echo two > $C3_JOB_WORKDIR/out/b; echo no > /dev/null
        echo three > $C3_JOB_WORKDIR/c
    """
    await bench.make("script: run.sh\noutput: [out, ./out]\ngpu: l40\n", {"run.sh": f"mkdir out\n{script}"})
    assert ended(await bench.run()) == (JobState.SUCCEEDED, None, 0)
    assert bench.workspace is not None
    workdir = os.fsencode(bench.workspace.workdir)
    expected = PublishRequest(Ref("job", ID), workdir, (b"artifacts", b"out"), complete=True, best_effort=False)
    assert bench.upload.asked == [expected]
    assert bench.upload.found == {"artifacts/a": "one\n", "out/b": "two\n"}
    assert not kept(bench)
    *lines, last = bench.log
    assert lines == [
        f"c3: {ID} of project p: p",
        f"c3: the project folder is {SOURCE}",
        "c3: ignored by the local runner: gpu",
        ID,
        "c3: warning: .c3:2:15: 'out' is collected once, with output 'out' of line 2",
        "c3: warning: left out: a socket",
        f"c3: published 2 files, 8 B, at /jobs/{ID}; charged 7 B",
    ]
    assert last.startswith("c3: SUCCEEDED after ")


async def test_a_script_that_fails_is_uploaded_as_far_as_possible(bench: Bench) -> None:
    job = await bench.run_script("echo x > $C3_ARTIFACTS_DIR/partial; exit 3")
    assert ended(job) == (JobState.FAILED, Reason.SCRIPT_ERROR, 3)
    assert [(request.complete, request.best_effort) for request in bench.upload.asked] == [(False, True)]
    assert bench.upload.found == {"artifacts/partial": "x\n"}
    assert kept(bench)
    assert bench.log[-1].endswith("s: the script ended with exit code 3")
    assert bench.log[-1].startswith("c3: FAILED (SCRIPT_ERROR) after ")


async def test_a_script_that_removes_its_working_directory(bench: Bench) -> None:
    job = await bench.run_script("rm -r $C3_JOB_WORKDIR; exit 2")
    assert ended(job) == (JobState.FAILED, Reason.SCRIPT_ERROR, 2)
    assert not kept(bench)


async def test_a_script_that_is_killed(bench: Bench) -> None:
    assert ended(await bench.run_script("kill -KILL $$")) == (JobState.FAILED, Reason.SCRIPT_ERROR, 137)


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (StoreRefusedError("the disk is full"), "c3: the artifacts are not stored: the disk is full"),
        (
            CollectError(b"artifacts/x", "cannot be read"),
            "c3: the artifacts are not stored: artifacts/x: cannot be read",
        ),
        (OSError(28, "No space left"), "c3: the artifacts are not stored: [Errno 28] No space left"),
        (
            ExceptionGroup("nursery", [StoreUnavailableError("gone")]),
            "c3: the artifacts are not stored: gone",
        ),
        (RuntimeError("a defect"), "c3: RuntimeError: a defect"),
    ],
)
@pytest.mark.parametrize("code", [0, 5])
async def test_an_upload_that_fails(bench: Bench, fault: Exception, text: str, code: int) -> None:
    bench.upload.fault = fault
    job = await bench.run_script(f"exit {code}")
    reason = Reason.UPLOAD_ERROR if code == 0 else Reason.SCRIPT_ERROR
    assert ended(job) == (JobState.FAILED, reason, code)
    assert text in bench.log
    assert ("c3: Traceback (most recent call last):" in bench.log) == isinstance(fault, RuntimeError)
    assert kept(bench)


async def test_commands_instead_of_a_file(bench: Bench) -> None:
    await bench.make("script: |\n  echo größe > $C3_ARTIFACTS_DIR/x\n  exit 2\n")
    assert ended(await bench.run()) == (JobState.FAILED, Reason.SCRIPT_ERROR, 2)
    assert bench.upload.found == {"artifacts/x": "größe\n"}


async def test_more_stored_than_the_quota_is_only_a_warning(bench: Bench, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "registry.db") as database:
        database.execute("update accounts set quota = 1024, stored = 2048")
    database.close()
    assert ended(await bench.run_script("exit 0")) == (JobState.SUCCEEDED, None, 0)
    assert "c3: warning: 2.0 KiB are stored, more than the quota of 1.0 KiB; see `c3 balance`" in bench.log


# --- what is refused before the script starts ------------------------------------------------------------


@pytest.mark.parametrize("ref", [f"/jobs/{OTHER}", "/datasets/words", f"/projects/p/jobs/{OTHER}/sub"])
async def test_a_ref_that_does_not_exist(bench: Bench, ref: str) -> None:
    job = await bench.run_script("echo ran", f"datasets:\n  - mount: /data/x\n    ref: {ref}\n")
    assert ended(job) == (JobState.FAILED, Reason.MOUNT_ERROR, None)
    assert ": .c3:4:10: " in bench.log[-1]
    assert "ran" not in bench.log
    assert bench.upload.asked == []


async def test_a_ref_whose_job_has_not_finished(bench: Bench) -> None:
    await bench.make(f"script: echo ran\ndatasets:\n  - ref: /jobs/{ID}\n")
    assert ended(await bench.run()) == (JobState.FAILED, Reason.MOUNT_ERROR, None)
    assert f": .c3:3:10: {ID} is SCHEDULING" in bench.log[-1]


async def test_a_script_that_does_not_exist(bench: Bench) -> None:
    await bench.make("script: train.sh")
    assert ended(await bench.run()) == (JobState.FAILED, Reason.SCRIPT_ERROR, None)
    assert ": .c3:1:9: script 'train.sh' does not exist" in bench.log[-1]


async def test_a_mount_point_that_hides_the_store(bench: Bench, tmp_path: Path) -> None:
    await register(bench.registry, OTHER)
    bench.reserved = (str(tmp_path / "store"),)
    spec = f"script: echo ran\ndatasets:\n  - ref: /jobs/{OTHER}\n    mount: {tmp_path}/store/x\n"
    await bench.make(spec)
    assert ended(await bench.run()) == (JobState.FAILED, Reason.MOUNT_ERROR, None)
    assert f".c3:4:12: mount point {tmp_path}/store/x would hide {tmp_path}/store" in bench.log[-1]


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (BlobMissingError("0" * 64), f"the store has no blob {'0' * 64}"),
        (OSError(28, "No space left on device"), "No space left on device"),
    ],
)
async def test_a_project_that_cannot_be_copied(bench: Bench, fault: Exception, why: str) -> None:
    bench.checkout.fault = fault
    assert ended(await bench.run_script("echo ran")) == (JobState.FAILED, Reason.AGENT_ERROR, None)
    assert bench.workspace is not None
    assert bench.log[-1].endswith(f": cannot make {bench.workspace.workdir}: {why}")
    assert "c3: Traceback (most recent call last):" not in bench.log
    assert not kept(bench)


# --- data sets -------------------------------------------------------------------------------------------


async def test_data_sets_are_mounted_and_reported(bench: Bench) -> None:
    await register(bench.registry, OTHER, complete=False)
    spec = f"datasets:\n  - ref: /jobs/{OTHER}\n    mount: in/put\n"
    job = await bench.run_script("cat in/put/ref > $C3_ARTIFACTS_DIR/ref", spec)
    assert ended(job) == (JobState.SUCCEEDED, None, 0)
    assert bench.upload.found == {"artifacts/ref": f"/jobs/{OTHER}"}
    assert bench.workspace is not None
    where = f"{bench.workspace.workdir}/in/put"
    assert f"c3: mounted /jobs/{OTHER} at {where}" in bench.log
    assert f"c3: {where}: fetched 2.0 KiB in 1 blob; 75 % of reads were hits" in bench.log
    assert f"c3: warning: /jobs/{OTHER} is incomplete: " in "\n".join(bench.log)


async def test_a_mount_that_fails(bench: Bench) -> None:
    await register(bench.registry, OTHER)
    job = await bench.run_script("echo ran", f"datasets:\n  - ref: /jobs/{OTHER}/refused\n    mount: x\n")
    assert ended(job) == (JobState.FAILED, Reason.MOUNT_ERROR, None)
    assert bench.log[-1].endswith(f": cannot mount /jobs/{OTHER}/refused: the store has no such blob")
    assert bench.upload.asked == []


# --- the agent's own troubles ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (("/no/such/program",), "cannot start the sandbox: /no/such/program: No such file or directory"),
        (("/bin/false",), "the sandbox ended without a result (exit code 1); the log has more"),
    ],
)
async def test_a_sandbox_that_does_not_start(bench: Bench, argv: tuple[str, ...], text: str) -> None:
    bench.argv = argv
    assert ended(await bench.run_script("true")) == (JobState.FAILED, Reason.AGENT_ERROR, None)
    assert bench.log[-1].endswith(f": {text}")


async def test_a_defect_of_ours(bench: Bench) -> None:
    bench.argv = ("/bin/bash", "-c", "for fd in /proc/$$/fd/*; do if [ -p $fd ]; then echo nonsense >$fd; fi; done")
    assert ended(await bench.run_script("true")) == (JobState.FAILED, Reason.AGENT_ERROR, None)
    assert "c3: Traceback (most recent call last):" in bench.log
    assert ": a defect of c3fs: " in bench.log[-1]


async def test_a_registry_that_is_away_at_the_end(bench: Bench, tmp_path: Path) -> None:
    flaky = _Flaky.open(f"sqlite:///{tmp_path}/registry.db")
    bench.registry.close()
    bench.registry = flaky
    assert ended(await bench.run_script("exit 0")) == (JobState.SUCCEEDED, None, 0)
    assert flaky.refused == 1


class _Flaky(SqlRegistry):
    """Does not answer the first time it is told a final state."""

    refused = 0

    async def move_job(
        self, job_id: str, state: JobState, *, reason: Reason | None = None, exit_code: int | None = None
    ) -> Job:
        if state is JobState.SUCCEEDED and self.refused == 0:
            self.refused = 1
            raise StoreUnavailableError("the registry does not answer")
        return await super().move_job(job_id, state, reason=reason, exit_code=exit_code)


async def register(registry: SqlRegistry, job_id: str, *, complete: bool = True) -> None:
    """An empty tree as the artifacts of a job."""
    root = Root("0" * 64, 0o755, 0, root_span(EMPTY_SPAN), 0, 0, 0)
    ref = f"/jobs/{job_id}"
    manifest = Manifest(FORMAT, ref, "2026-01-01T00:00:00Z", complete, root, Inventory(0, 0, ()))
    await registry.register(manifest, [], mark=0)
