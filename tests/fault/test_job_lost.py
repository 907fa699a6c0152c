"""Agents that are killed, at each moment of a job's life: the next command finds the job and what it left."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from c3fs.fuse.mounts import list_mounts
from tests.support import killed_program
from tests.support.killed_program import MOMENTS
from tests.support.programs import TIMEOUT, Home, Result, eventually, own_home, processes_of, runners_of

pytestmark = pytest.mark.mounts

RUNNER_MOMENTS = [name for name, moment in MOMENTS.items() if moment.killed == "runner"]
SCRIPT_ENDED = RUNNER_MOMENTS.index("script ended")
REGISTERED = RUNNER_MOMENTS.index("registered")
LOST = "c3: FAILED (AGENT_LOST): the agent died; "
SCRIPT = "cat /data/first/artifacts/x; (setsid nohup sleep 3000 &); echo begun; echo y > $C3_ARTIFACTS_DIR/y\n"


class Stage:
    """A home with one job that SUCCEEDED, and a project that consumes it."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.first = home.deploy("first", "echo x > $C3_ARTIFACTS_DIR/x")
        datasets = f"datasets:\n  - ref: /jobs/{self.first}\n    mount: /data/first\n"
        self.folder = home.project("second", f"script: run.sh\n{datasets}", SCRIPT)

    def killed(self, moment: str, *arguments: str) -> Result:
        """What `c3` leaves, it or its runner killed at the moment."""
        done = subprocess.run(
            [sys.executable, killed_program.__file__, moment, "c3", *arguments],
            env=self.home.env,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def deploy_killed(self, moment: str) -> str:
        """The id of a job whose runner has been killed at the moment."""
        job_id = self.killed(moment, "deploy").ok().out.strip()
        eventually("the runner is killed", lambda: not runners_of(job_id))
        return job_id

    def jobs(self) -> dict[str, dict[str, object]]:
        """By `c3 squeue`, which looks for lost jobs first; the newest comes first."""
        return {job["job_id"]: job for job in self.home.c3("squeue", "-n100", "--json").json}

    def newest(self) -> dict[str, object]:
        return next(iter(self.jobs().values()))

    def directories(self) -> set[str]:
        return set(os.listdir(self.home.root / "home" / "jobs"))

    def log(self, job_id: str) -> list[str]:
        return self.home.log(job_id).splitlines()

    def assert_nothing_is_left(self, job_id: str) -> None:
        assert not processes_of(job_id)
        assert not [record for record in list_mounts() if self.first in record.source or job_id in record.mountpoint]
        assert "work" not in os.listdir(self.home.root / "home" / "jobs" / job_id)
        assert not Path("/data/first").exists()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    for home in own_home(tmp_path_factory.mktemp("lost")):
        yield Stage(home)


@pytest.mark.parametrize(
    ("moments", "stored"),
    [
        (RUNNER_MOMENTS[:SCRIPT_ENDED], False),
        (RUNNER_MOMENTS[SCRIPT_ENDED:REGISTERED], False),
        (RUNNER_MOMENTS[REGISTERED:-1], True),
    ],
    ids=["before its script ends", "until the artifacts are stored", "from then on"],
)
def test_a_killed_runner(stage: Stage, subtests: pytest.Subtests, moments: list[str], stored: bool) -> None:
    """Each job is found by the next deploy, the last one by squeue."""
    ids = {moment: stage.deploy_killed(moment) for moment in moments}
    jobs = stage.jobs()
    logs = {job_id: stage.log(job_id) for job_id in ids.values()}
    for moment, job_id in ids.items():
        with subtests.test(moment=moment):
            assert (jobs[job_id]["status"], jobs[job_id]["reason"]) == ("FAILED", "AGENT_LOST")
            stage.assert_nothing_is_left(job_id)
            said = f"its artifacts were stored before, at /jobs/{job_id}" if stored else "it stored no artifacts"
            assert logs[job_id][-1] == f"{LOST}{said}; the working directory is removed"
            shown = stage.home.c3("data", "ls", f"/jobs/{job_id}/artifacts", code=0 if stored else 3)
            assert shown.out == ("y\n" if stored else "")
    assert stage.jobs() == jobs
    assert {job_id: stage.log(job_id) for job_id in ids.values()} == logs


def test_a_runner_that_is_killed_when_all_is_done(stage: Stage) -> None:
    job_id = stage.deploy_killed("final state")
    assert stage.newest()["status"] == "SUCCEEDED"
    stage.assert_nothing_is_left(job_id)
    assert stage.log(job_id)[-1].startswith("c3: SUCCEEDED after ")


def test_a_deploy_that_is_killed_when_the_job_is_recorded(stage: Stage) -> None:
    assert stage.killed("deploy, recorded", "deploy").code == -signal.SIGKILL
    job = stage.newest()
    assert (job["status"], job["reason"]) == ("FAILED", "AGENT_LOST")
    assert stage.log(str(job["job_id"])) == [f"{LOST}it stored no artifacts; the working directory is removed"]


def test_a_deploy_that_is_killed_when_the_runner_runs(stage: Stage) -> None:
    assert stage.killed("deploy, runner started", "deploy").code == -signal.SIGKILL
    eventually("the job ends by itself", lambda: stage.newest()["status"] == "SUCCEEDED")


def test_a_deploy_that_is_killed_before_the_job_is_recorded(stage: Stage) -> None:
    before, newest = stage.directories(), stage.newest()
    assert stage.killed("deploy, before the directory", "deploy").code == -signal.SIGKILL
    assert stage.directories() == before
    assert stage.killed("deploy, directory made", "deploy").code == -signal.SIGKILL
    (left,) = stage.directories() - before
    assert stage.newest() == newest
    assert left in stage.directories()  # it may be that of a job which is just being made
    then = time.time() - 61
    os.utime(stage.home.root / "home" / "jobs" / left, (then, then))
    assert stage.newest() == newest
    assert stage.directories() == before


@pytest.mark.parametrize("finder", [name for name in MOMENTS if name.startswith("finder")])
def test_a_finder_that_is_killed_is_followed_by_another(stage: Stage, finder: str) -> None:
    job_id = stage.deploy_killed("script ended")
    assert stage.killed(finder, "squeue").code == -signal.SIGKILL
    assert stage.newest()["reason"] == "AGENT_LOST"
    stage.assert_nothing_is_left(job_id)
    assert [line for line in stage.log(job_id) if line.startswith(LOST)] == stage.log(job_id)[-1:]


def test_two_finders_at_once_clear_once(stage: Stage) -> None:
    job_id = stage.deploy_killed("before collecting")
    command = [os.path.join(os.path.dirname(sys.executable), "c3"), "squeue", "-n1"]
    finders = [subprocess.Popen(command, env=stage.home.env, stdout=subprocess.DEVNULL) for _ in range(4)]
    assert [finder.wait(TIMEOUT) for finder in finders] == [0] * 4
    assert stage.newest()["reason"] == "AGENT_LOST"
    assert sum(line.startswith(LOST) for line in stage.log(job_id)) == 1


@pytest.mark.parametrize("seed", [1, 2, pytest.param(3, marks=[pytest.mark.campaign, pytest.mark.timeout(900)])])
def test_killed_at_random_moments(stage: Stage, seed: int) -> None:
    moments = random.Random(seed)
    for _ in range(40 if seed == 3 else 2):
        job_id = stage.home.c3("deploy", cwd=stage.folder).out.strip()
        time.sleep(moments.uniform(0.0, 3.0))  # not for anything: it is the random moment
        for runner in runners_of(job_id):
            os.kill(runner, signal.SIGKILL)
        eventually("the runner is gone", lambda job_id=job_id: not runners_of(job_id))
        job = stage.newest()
        assert (job["job_id"], job["status"], job["reason"]) in (
            (job_id, "SUCCEEDED", None),
            (job_id, "FAILED", "AGENT_LOST"),
        )
        stage.assert_nothing_is_left(job_id)
        assert stage.log(job_id)[-1].startswith((LOST, "c3: SUCCEEDED after "))
