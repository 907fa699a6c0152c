"""`c3 deploy`, `logs`, `squeue` and what becomes of a job, with the real programs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from c3fs.fuse.mounts import list_mounts
from tests.support.programs import BIN, TIMEOUT, Home, eventually, own_home, runner_of

pytestmark = pytest.mark.mounts

JOB = re.compile(r"job_[0-9]{13}_[0-9a-z]{6}\Z")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    yield from own_home(tmp_path)


def only(home: Home) -> dict[str, object]:
    """The one job there is."""
    (job,) = home.c3("squeue", "--json").json
    return job


def processes_with(word: str) -> list[str]:
    """The processes whose command line or environment has the word."""
    found: list[str] = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            text = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            continue
        if word.encode() in text and int(pid) != os.getpid():
            found.append(pid)
    return found


def test_a_chain_of_two_jobs(home: Home) -> None:
    first = home.deploy(
        "preprocess", "mkdir shards; seq 1000 > shards/a; echo '{}' > $C3_ARTIFACTS_DIR/m", "output: [shards]\n"
    )
    spec = f"script: run.sh\ndatasets:\n  - ref: /jobs/{first}\n    mount: /data/prev\n  - ref: /jobs/{first}/shards\n"
    script = "cmp /data/prev/shards/a /data/shards/a && sha256sum < /data/prev/shards/a | tee $C3_ARTIFACTS_DIR/sum"
    folder = home.project("train", spec, script)
    done = home.c3("deploy", "-f", cwd=folder)
    second, *log = done.out.splitlines()
    assert JOB.match(second)
    digest = subprocess.run("seq 1000 | sha256sum", shell=True, capture_output=True, text=True, check=True).stdout
    assert digest.strip() in log
    assert done.err.startswith(f"c3: {second} SUCCEEDED in 0:00:0")
    assert not [record for record in list_mounts() if first in record.source]
    states = {job["job_id"]: (job["status"], job["exit_code"]) for job in home.c3("squeue", "--json").json}
    assert states == {first: ("SUCCEEDED", 0), second: ("SUCCEEDED", 0)}
    assert home.c3("logs", second).out.splitlines() == log
    home.c3("data", "cp", f"/jobs/{second}/artifacts/sum", "here")
    assert (home.root / "here").read_text() == digest


def test_the_last_job_is_what_it_was_when_the_next_was_made(home: Home) -> None:
    first = home.deploy("prepare", "echo first > $C3_ARTIFACTS_DIR/x", "job_name: prep\n")
    refs = ("/projects/prepare/jobs/@last", "/projects/prepare/jobs/@name:prep/artifacts")
    spec = "script: run.sh\ndatasets:\n" + "".join(f"  - ref: {ref}\n" for ref in refs)
    folder = home.project("train", spec, "cat /data/prepare/artifacts/x /data/artifacts/x\n")
    done = home.c3("deploy", "-f", cwd=folder)
    said = [
        f"c3: /projects/prepare/jobs/@last is /jobs/{first}",
        f"c3: /projects/prepare/jobs/@name:prep/artifacts is /jobs/{first}/artifacts",
    ]
    # Once: the log says it, and was shown.
    assert set(said) <= set(done.out.splitlines())
    assert not set(said) & set(done.err.splitlines())
    assert done.out.splitlines().count("first") == 2
    again = home.deploy("prepare", "echo second > $C3_ARTIFACTS_DIR/x", "job_name: prep\n")
    done = home.c3("deploy", cwd=folder)
    assert f"c3: /projects/prepare/jobs/@last is /jobs/{again}\n" in done.err
    log = home.c3("logs", "-f", done.out.strip()).out.splitlines()
    assert log.count("second") == 2


@pytest.mark.parametrize(
    ("script", "status", "reason", "exit_code"),
    [
        ("exit 3", "FAILED", "SCRIPT_ERROR", 3),
        ("kill -9 $$", "FAILED", "SCRIPT_ERROR", 137),
        ("nosuchcommand", "FAILED", "SCRIPT_ERROR", 127),
    ],
)
def test_a_job_that_fails_tells_so(home: Home, script: str, status: str, reason: str, exit_code: int) -> None:
    folder = home.project("failing", "script: run.sh\n", f"echo partial > $C3_ARTIFACTS_DIR/x\n{script}\n")
    done = home.c3("deploy", "-f", cwd=folder, code=1)
    assert f"{status} ({reason})" in done.err
    job = only(home)
    assert (job["status"], job["reason"], job["exit_code"]) == (status, reason, exit_code)
    row = home.c3("data", "ls", "-l", "/jobs/").out
    assert "(FAILED, incomplete)" in row


def test_a_script_that_takes_too_long_is_ended(home: Home) -> None:
    folder = home.project("slow", "script: run.sh\ntime: 00:00:01\n", "sleep 600\n")
    done = home.c3("deploy", "-f", cwd=folder, code=1)
    assert "TIMED_OUT" in done.err


def test_deploy_returns_at_once_and_the_job_outlives_it(home: Home) -> None:
    gate = home.root / "gate"
    os.mkfifo(gate)
    folder = home.project("later", "script: run.sh\njob_name: waits\n", f"echo begun; read x < {gate}; echo got $x\n")
    job_id: str = home.c3("deploy", "--json", cwd=folder).json["id"]
    assert JOB.match(job_id)
    follower = subprocess.Popen([f"{BIN}/c3", "logs", "-f", job_id], env=home.env, stdout=subprocess.PIPE, text=True)
    assert follower.stdout is not None
    while "begun" not in (line := follower.stdout.readline()):
        assert line
    assert only(home)["status"] == "RUNNING"
    assert f"{job_id} is RUNNING" in home.c3("data", "ls", f"/jobs/{job_id}", code=4).err
    assert "is RUNNING" in home.c3fs("mount", f"/jobs/{job_id}", str(home.mountpoint()), code=4).err
    gate.write_text("on\n")
    rest, _ = follower.communicate(timeout=TIMEOUT)
    assert follower.returncode == 0
    assert "got on\n" in rest
    assert "SUCCEEDED" in rest
    assert only(home)["status"] == "SUCCEEDED"


def test_a_killed_agent_leaves_nothing_and_the_job_is_found_lost(home: Home) -> None:
    first = home.deploy("first", "echo x > $C3_ARTIFACTS_DIR/x")
    spec = f"script: run.sh\ndatasets:\n  - ref: /jobs/{first}\n    mount: /data/prev\n"
    folder = home.project("second", spec, "cat /data/prev/artifacts/x; echo begun; sleep 600\n")
    job_id = home.c3("deploy", cwd=folder).out.strip()
    eventually("the script runs", lambda: "begun" in home.log(job_id))
    assert processes_with(job_id)
    os.kill(runner_of(job_id), signal.SIGKILL)
    eventually("all of the job's processes are gone", lambda: not processes_with(job_id))
    job = home.c3("squeue", "-n", "1", "--json").json[0]
    assert (job["job_id"], job["status"], job["reason"]) == (job_id, "FAILED", "AGENT_LOST")
    assert not [record for record in list_mounts() if first in record.source]
    assert "no artifacts" in home.c3("data", "ls", f"/jobs/{job_id}", code=3).err


def test_who_follows_a_job_hears_that_its_agent_died(home: Home) -> None:
    folder = home.project("followed", "script: run.sh\n", "echo begun; sleep 600\n")
    with subprocess.Popen(
        [f"{BIN}/c3", "deploy", "-f"],
        env=home.env,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as following:
        assert following.stdout is not None
        job_id = following.stdout.readline().strip()
        while "begun" not in (line := following.stdout.readline()):
            assert line
        os.kill(runner_of(job_id), signal.SIGKILL)
        _, said = following.communicate(timeout=TIMEOUT)
    assert following.returncode == 1
    assert f"{job_id} FAILED (AGENT_LOST)" in said


def test_a_terminated_agent_cancels_its_job(home: Home) -> None:
    folder = home.project("canceled", "script: run.sh\n", "echo begun; sleep 600\n")
    job_id = home.c3("deploy", cwd=folder).out.strip()
    eventually("the script runs", lambda: "begun" in home.log(job_id))
    os.kill(runner_of(job_id), signal.SIGTERM)
    eventually("the job ends", lambda: only(home)["status"] == "CANCELED")


def test_several_jobs_at_once_on_one_home(home: Home) -> None:
    folder = home.project(
        "many",
        "script: run.sh\n",
        "echo $C3_JOB_ID > $C3_ARTIFACTS_DIR/id; head -c 100000 /dev/zero > $C3_ARTIFACTS_DIR/z\n",
    )
    command = [f"{BIN}/c3", "deploy", "-f"]
    running = [
        subprocess.Popen(command, env=home.env, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    ended = [(process.communicate(timeout=TIMEOUT), process.returncode) for process in running]
    assert [code for _, code in ended] == [0] * 4, ended
    ids = [out.split()[0] for (out, _), _ in ended]
    pulled = home.c3("pull", "--json", cwd=folder).json
    assert {job["job_id"] for job in pulled["jobs"]} == set(ids)
    for job in pulled["jobs"]:
        assert (folder / job["directory"] / "artifacts" / "id").read_text().strip() == job["job_id"]


def test_only_sane_times_are_told(home: Home) -> None:
    before = time.time()
    home.deploy("timed", "true")
    job = only(home)
    moments = [str(job[name]) for name in ("created", "started", "finished")]
    assert moments == sorted(moments)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", moment) for moment in moments)
    assert moments[0] >= time.strftime("%Y-%m-%dT%H:%M", time.gmtime(before))
