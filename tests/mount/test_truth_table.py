"""The truth table of script and upload (c3fs.agent.outcome), with the real programs, real stores and their real faults.

What happens to the store happens while the script runs: the script says `begun` after it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from c3fs.fuse.mounts import unmount
from tests.support.programs import BIN, TIMEOUT, Home, own_home

pytestmark = [pytest.mark.mounts, pytest.mark.timeout(120)]

MADE = "head -c 3000000 /dev/urandom > $C3_ARTIFACTS_DIR/x; echo kept > $C3_ARTIFACTS_DIR/kept; echo of the script\n"


@dataclass(frozen=True)
class Fault:
    """What a script does to `$STORE`, and what the log says of it. The store is a small file system if `tmpfs`."""

    script: str
    said: str
    tmpfs: bool = False


FAULTS = {
    "a file in its place": Fault("mv $STORE $AWAY; touch $STORE", "Not a directory"),
    "moved away": Fault("mv $STORE $AWAY", "the store's directory has been removed"),
    "read-only": Fault("mount -o remount,ro $STORE", "Read-only file system", tmpfs=True),
    "full": Fault("", "No space left on device", tmpfs=True),
}


@dataclass(frozen=True)
class Ending:
    """How a script ends after `begun`, and what its job is then, if the store takes its artifacts."""

    script: str
    spec: str
    state: str
    reason: str | None
    exit_code: int | None


ENDINGS = {
    "exit 0": Ending("exit 0", "", "SUCCEEDED", None, 0),
    "exit 3": Ending("exit 3", "", "FAILED", "SCRIPT_ERROR", 3),
    "canceled": Ending("exec sleep 3000", "", "CANCELED", None, 143),
    "timed out": Ending("exec sleep 3000", "time: 00:00:02\n", "TIMED_OUT", None, 143),
}


UNSUCCESSFUL = [name for name in ENDINGS if name != "exit 0"]
# What the script does and what the store does meet nowhere but in the table, which is tested in full as code.
PAIRED = list(zip([name for name in FAULTS if name != "full"], UNSUCCESSFUL, strict=False))


@dataclass(frozen=True)
class Ended:
    """A job that was followed to its end: its record, its log, what `c3 deploy -f` said, its exit code."""

    record: dict[str, object]
    log: str
    said: str
    code: int

    @property
    def id(self) -> str:
        return str(self.record["job_id"])

    @property
    def workdir(self) -> Path:
        (found,) = [line.split(": ")[2] for line in self.log.splitlines() if "working directory is kept: " in line]
        return Path(found)


def small_disk(path: Path, size: str) -> None:
    path.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], check=True, timeout=TIMEOUT)


class Stage:
    """A home whose store is, with `tmpfs`, a file system of 2 MiB of its own."""

    def __init__(self, home: Home, *, tmpfs: bool) -> None:
        self.home = home
        self.store = home.root / "home" / "store"
        self._environment = {**home.env, "STORE": str(self.store), "AWAY": f"{self.store}-away"}
        if tmpfs:
            small_disk(self.store, "2m")

    def run(self, ending: Ending, fault: str = "") -> Ended:
        return self.run_script(f"{MADE}{fault}\necho begun\n{ending.script}\n", ending)

    def run_script(self, script: str, ending: Ending) -> Ended:
        folder = self.home.project("p", f"script: run.sh\n{ending.spec}", script)
        with subprocess.Popen(
            [f"{BIN}/c3", "deploy", "-f"],
            env=self._environment,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as following:
            assert following.stdout is not None
            job_id = following.stdout.readline().strip()
            while ending.state == "CANCELED" and "begun" not in (line := following.stdout.readline()):
                assert line
            if ending.state == "CANCELED":
                self.home.c3("cancel", job_id)
            _, said = following.communicate(timeout=TIMEOUT)
        (record,) = [job for job in self.home.c3("squeue", "--json").json if job["job_id"] == job_id]
        return Ended(record, self.home.c3("logs", job_id).out, said, following.returncode)

    def artifacts(self, job: Ended) -> dict[str, bytes]:
        copied = self.home.root / "copied"
        self.home.c3("data", "cp", f"/jobs/{job.id}/artifacts", str(copied))
        return {path.name: path.read_bytes() for path in copied.iterdir()}

    def listed(self, job: Ended) -> str:
        """The job's line of `c3 data ls -l /jobs/`."""
        (line,) = [line for line in self.home.c3("data", "ls", "-l", "/jobs/").out.splitlines() if job.id in line]
        return line


@contextmanager
def staged(root: Path, *, tmpfs: bool = False) -> Generator[Stage]:
    if tmpfs and os.geteuid() != 0:
        pytest.skip("needs root, to mount a tmpfs")
    for home in own_home(root):
        stage = Stage(home, tmpfs=tmpfs)
        try:
            yield stage
        finally:
            if tmpfs:
                unmount(str(stage.store), lazy=True)


def assert_ended(job: Ended, ending: Ending) -> None:
    record = job.record
    assert (record["status"], record["reason"], record["exit_code"]) == (ending.state, ending.reason, ending.exit_code)
    assert job.code == 1
    assert "of the script\nbegun\n" in job.log
    assert (job.workdir / "artifacts" / "kept").read_text() == "kept\n"
    assert (job.workdir / "artifacts" / "x").stat().st_size == 3_000_000
    assert job.said.splitlines()[-1] == f"c3: the working directory is kept: {job.workdir}"


@pytest.mark.parametrize("name", FAULTS)
def test_exit_0_and_a_store_that_does_not_take_it(tmp_path: Path, name: str) -> None:
    fault = FAULTS[name]
    with staged(tmp_path, tmpfs=fault.tmpfs) as stage:
        job = stage.run(ENDINGS["exit 0"], fault.script)
        assert_ended(job, Ending("", "", "FAILED", "UPLOAD_ERROR", 0))
        (why,) = [line for line in job.log.splitlines() if line.startswith("c3: the artifacts are not stored: ")]
        assert fault.said in why
        assert f"{job.id} FAILED (UPLOAD_ERROR) in 0:0" in job.said
        assert "(FAILED, no artifacts)" in stage.listed(job)
        assert "no artifacts" in stage.home.c3("data", "ls", f"/jobs/{job.id}", code=3).err


@pytest.mark.parametrize("ending", UNSUCCESSFUL)
def test_a_script_that_does_not_succeed(tmp_path: Path, ending: str) -> None:
    wanted = ENDINGS[ending]
    with staged(tmp_path) as stage:
        job = stage.run(wanted)
        assert_ended(job, wanted)
        assert f"({wanted.state}, incomplete)" in stage.listed(job)
        assert stage.home.c3fs("manifest", f"/jobs/{job.id}").json["complete"] is False
        assert stage.artifacts(job) == {"kept": b"kept\n", "x": (job.workdir / "artifacts" / "x").read_bytes()}


@pytest.mark.parametrize(("name", "ending"), PAIRED)
def test_a_script_that_does_not_succeed_and_a_store_that_does_not_take_it(
    tmp_path: Path, name: str, ending: str
) -> None:
    fault, wanted = FAULTS[name], ENDINGS[ending]
    with staged(tmp_path, tmpfs=fault.tmpfs) as stage:
        job = stage.run(wanted, fault.script)
        assert_ended(job, wanted)
        assert fault.said in job.log
        assert f"({wanted.state}, no artifacts)" in stage.listed(job)


@pytest.mark.parametrize("ending", UNSUCCESSFUL[:1])
def test_a_script_that_does_not_succeed_and_a_store_that_fills_up(tmp_path: Path, ending: str) -> None:
    wanted = ENDINGS[ending]
    with staged(tmp_path, tmpfs=True) as stage:
        job = stage.run(wanted)
        assert_ended(job, wanted)
        assert f"({wanted.state}, incomplete)" in stage.listed(job)
        assert stage.artifacts(job) == {"kept": b"kept\n"}


@pytest.mark.parametrize("fill", ["cat /dev/zero > $C3_ARTIFACTS_DIR/large", "yes"])
def test_a_script_that_fills_the_disk_of_everything(tmp_path: Path, fill: str) -> None:
    """Its artifacts, or its log: there is room to say and to record how it ended."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a tmpfs")
    small_disk(tmp_path / "root" / "home", "8m")
    try:
        with staged(tmp_path / "root") as stage:
            job = stage.run_script(f"echo begun; {fill} || exit 3\n", ENDINGS["exit 3"])
            record = job.record
            assert (record["status"], record["reason"], record["exit_code"]) == ("FAILED", "SCRIPT_ERROR", 3)
            assert job.log.splitlines()[-1].startswith("c3: FAILED (SCRIPT_ERROR) after ")
            assert job.said.splitlines()[-1] == f"c3: the working directory is kept: {job.workdir}"
    finally:
        unmount(str(tmp_path / "root" / "home"), lazy=True)
