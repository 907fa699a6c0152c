"""`c3 cancel` and `c3 quota` with jobs that run."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import BIN, TIMEOUT, Home, Result, eventually, own_home, runner_of

pytestmark = pytest.mark.namespaces

DAEMON = f"sleep 3141592{os.getpid()}"  # other runs of the tests have theirs


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    yield from own_home(tmp_path_factory.mktemp("cancel"))


def start(home: Home, name: str, script: str, started: str) -> str:
    """A job whose log has come to the line `started`."""
    folder = home.project(name, "script: run.sh\noutput: [out]\n", script)
    job = home.c3("deploy", cwd=folder).out.strip()
    eventually("the script runs", lambda: started in home.log(job))
    return job


def status(home: Home, job: str) -> dict[str, object]:
    (found,) = [row for row in home.c3("squeue", "--json").json if row["job_id"] == job]
    return found


def daemons() -> list[str]:
    """Processes that the scripts here leave behind."""
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip() == DAEMON:
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def test_a_cancel_ends_all_that_the_script_has_started(home: Home) -> None:
    script = f"mkdir out; echo half > out/half; (setsid nohup {DAEMON} &) ; echo runs; {DAEMON}"
    job = start(home, "stubborn", script, "runs\n")
    assert len(daemons()) == 2
    assert home.c3("cancel", job).out == f"{job} CANCELED\n"
    assert daemons() == []
    assert (status(home, job)["status"], status(home, job)["reason"]) == ("CANCELED", None)
    assert "c3: somebody asked for the job's end\n" in home.c3("logs", job).out
    assert "(CANCELED, incomplete)" in home.c3("data", "ls", "-l", "/jobs/").out
    assert home.c3("data", "ls", f"/jobs/{job}/out").out == "half\n"


def test_many_are_canceled_at_once_and_what_has_ended_is_left(home: Home) -> None:
    done = home.deploy("quick", "true")
    jobs = [start(home, f"long{number}", "echo runs; exec sleep 3000", "runs\n") for number in range(2)]
    told: Result = home.c3("cancel", *jobs, done, jobs[0], code=4)
    assert told.out == f"{jobs[0]} CANCELED\n{jobs[1]} CANCELED\n{done} SUCCEEDED\n"
    assert told.err == f"c3: {done} had ended before\n"
    again = home.c3("cancel", jobs[0], "--json")
    assert again.json == [{"job_id": jobs[0], "status": "CANCELED"}]


def test_without_waiting(home: Home) -> None:
    job = start(home, "nowait", "echo runs; exec sleep 3000", "runs\n")
    told = home.c3("cancel", "--no-wait", job).out
    assert told.startswith(f"{job} is RUNNING, and is asked to end")
    eventually("it ends", lambda: status(home, job)["status"] == "CANCELED")


def test_an_agent_that_dies_is_not_waited_for(home: Home) -> None:
    job = start(home, "lost", "trap '' TERM; echo runs; while :; do sleep 0.1; done", "runs\n")
    command = [os.path.join(BIN, "c3"), "cancel", job]
    with subprocess.Popen(command, env=home.env, cwd=home.root, stdout=subprocess.PIPE, text=True) as cancel:
        eventually("the agent knows", lambda: "somebody asked" in home.log(job))
        os.kill(runner_of(job), signal.SIGKILL)
        out, _ = cancel.communicate(timeout=TIMEOUT)
    assert (out, cancel.returncode) == (f"{job} FAILED (AGENT_LOST)\n", 4)


def test_passing_the_quota_warns_and_rejects_nothing(home: Home) -> None:
    assert "Quota    1.0 KiB (" in home.c3("quota", "1KiB").out
    folder = home.project("big", "script: run.sh\n", "head -c 100000 /dev/urandom > $C3_ARTIFACTS_DIR/x")
    followed = home.c3("deploy", "-f", cwd=folder)
    assert "warning: " in followed.out
    assert "more than the quota of 1.0 KiB; see `c3 balance`" in followed.out
    again = home.c3("deploy", cwd=folder)
    for told in (again.err, home.c3("balance").err):
        assert " KiB over the quota of 1.0 KiB (" in told
    assert home.c3("cancel", again.out.strip(), code=None).code in (0, 4)
    assert home.c3("balance", "--json").json["quota"] == 1024
    shown = home.c3("quota", "100GiB", "--json").json
    assert shown["quota"] == 100 << 30
    assert home.c3("balance").err == ""
    assert "SIZE: not a size: 'much'" in home.c3("quota", "much", code=2).err
