"""Ctrl-C while a job is followed, with real signals, and a real terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from c3fs.cli.interrupts import AGAIN_WITHIN
from tests.support.programs import BIN, TIMEOUT, Home, eventually, own_home
from tests.support.terminals import INTERRUPT, Terminal

pytestmark = pytest.mark.namespaces

FOLLOW = [f"{BIN}/c3", "deploy", "-f"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    yield from own_home(tmp_path_factory.mktemp("interrupt"))


class Gated:
    """A project whose script says `begun` and then waits until it is told to go on."""

    def __init__(self, home: Home, name: str) -> None:
        self.gate = home.root / f"{name}-gate"
        os.mkfifo(self.gate)
        self.folder = home.project(name, "script: run.sh\n", f"echo begun; read x < {self.gate}; echo went on\n")

    def open(self) -> None:
        self.gate.write_text("on\n")


def state(home: Home, job_id: str) -> str:
    (found,) = [job for job in home.c3("squeue", "--json").json if job["job_id"] == job_id]
    return str(found["status"])


def start(command: list[str], home: Home, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, env=home.env, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )


def read_until(process: subprocess.Popen[str], text: str) -> list[str]:
    """The lines of its stdout up to the one with `text`."""
    assert process.stdout is not None
    lines: list[str] = []
    while text not in (line := process.stdout.readline()):
        assert line, lines
        lines.append(line.strip())
    return lines


def test_one_interrupt_detaches(home: Home) -> None:
    project = Gated(home, "one")
    with start(FOLLOW, home, project.folder) as following:
        job_id = read_until(following, "begun")[0]
        following.send_signal(signal.SIGINT)
        begun = time.monotonic()
        _, said = following.communicate(timeout=TIMEOUT)
    assert following.returncode == 130
    assert time.monotonic() - begun > AGAIN_WITHIN - 0.1
    hint = f"c3: detached in 3 s; {job_id} runs on: `c3 logs -f {job_id}`; Ctrl-C again cancels it"
    assert said.splitlines() == [hint, "c3: detached"]
    assert state(home, job_id) == "RUNNING"
    project.open()
    home.c3("logs", "-f", job_id)
    assert state(home, job_id) == "SUCCEEDED"


def test_a_job_that_ends_before_it_is_detached(home: Home) -> None:
    project = Gated(home, "quick")
    with start(FOLLOW, home, project.folder) as following:
        read_until(following, "begun")
        following.send_signal(signal.SIGINT)
        assert following.stderr is not None
        assert "detached in 3 s" in following.stderr.readline()
        project.open()
        out, said = following.communicate(timeout=TIMEOUT)
    assert following.returncode == 0
    assert "went on\n" in out
    assert "SUCCEEDED in 0:00:0" in said


def test_two_on_a_terminal_cancel_the_job(home: Home) -> None:
    project = Gated(home, "two")
    with Terminal(FOLLOW, home.env, project.folder) as terminal:
        terminal.until("begun")
        terminal.type(INTERRUPT)
        terminal.until("Ctrl-C again cancels it\r\n")
        terminal.type(INTERRUPT)
        assert terminal.ended() == 1
        lines = [line for line in terminal.shown.decode().split("\r\n") if line != "^C"]
    job_id = lines[0]
    assert [line.startswith("^C") for line in lines] == [False] * len(lines), lines
    assert f"c3: detached in 3 s; {job_id} runs on: `c3 logs -f {job_id}`; Ctrl-C again cancels it" in lines
    assert f"c3: asked for the end of {job_id}; Ctrl-C again does not wait for it" in lines
    assert "c3: somebody asked for the job's end" in lines
    assert lines[-3].startswith(f"c3: {job_id} CANCELED in 0:00:0")
    assert lines[-2].startswith("c3: the working directory is kept: ")
    assert state(home, job_id) == "CANCELED"
    assert "(CANCELED, incomplete)" in home.c3("data", "ls", "-l", "/jobs/").out


def test_a_third_does_not_wait(home: Home) -> None:
    linger = '(trap "" TERM; sleep 5)'
    script = f"trap 'echo asked; {linger}; exit 1' TERM; echo begun; while true; do sleep 600 & wait; done\n"
    folder = home.project("stubborn", "script: run.sh\n", script)
    with start(FOLLOW, home, folder) as following:
        job_id = read_until(following, "begun")[0]
        assert following.stderr is not None
        following.send_signal(signal.SIGINT)
        assert "Ctrl-C again cancels it" in following.stderr.readline()
        following.send_signal(signal.SIGINT)
        read_until(following, "asked")
        following.send_signal(signal.SIGINT)
        _, said = following.communicate(timeout=TIMEOUT)
    assert following.returncode == 130
    assert f"c3: detached; {job_id} has been asked to end: `c3 logs -f {job_id}`" in said
    assert state(home, job_id) == "RUNNING"
    eventually("the job is canceled", lambda: state(home, job_id) == "CANCELED", 40)


def test_in_the_background_of_a_script_it_is_not_for_us(home: Home) -> None:
    project = Gated(home, "background")
    with start(["bash", "-c", "trap '' INT; exec \"$@\"", "bash", *FOLLOW], home, project.folder) as following:
        read_until(following, "begun")
        following.send_signal(signal.SIGINT)
        project.open()
        _, said = following.communicate(timeout=TIMEOUT)
    assert following.returncode == 0
    assert "detached" not in said


def test_when_nobody_reads_our_output(home: Home) -> None:
    folder = home.project("loud", "script: run.sh\n", "seq 100000; echo begun; exec sleep 3000\n")
    with start(FOLLOW, home, folder) as following:
        assert following.stdout is not None
        job_id = following.stdout.readline().strip()
        eventually("the script has written more than fits", lambda: "begun" in home.log(job_id))
        following.send_signal(signal.SIGINT)
        assert following.stderr is not None
        assert "Ctrl-C again cancels it" in following.stderr.readline()
        following.send_signal(signal.SIGINT)
        assert "asked for the end" in following.stderr.readline()
        eventually("it is canceled", lambda: state(home, job_id) == "CANCELED")
        following.send_signal(signal.SIGINT)
        assert following.wait(TIMEOUT) == 130


def test_when_nobody_reads_what_a_job_that_ended_has_said(home: Home) -> None:
    folder = home.project("unread", "script: run.sh\n", "seq 100000\n")
    with start(FOLLOW, home, folder) as following:
        assert following.stdout is not None
        job_id = following.stdout.readline().strip()
        eventually("it has ended", lambda: state(home, job_id) == "SUCCEEDED")
        following.send_signal(signal.SIGINT)
        assert following.stderr is not None
        assert "Ctrl-C again cancels it" in following.stderr.readline()
        following.send_signal(signal.SIGINT)
        assert following.stderr.readline().startswith(f"c3: {job_id} has ended; Ctrl-C again does not wait")
        following.send_signal(signal.SIGINT)
        assert following.wait(TIMEOUT) == 130


def test_the_log_alone_just_ends(home: Home) -> None:
    project = Gated(home, "logs")
    job_id = home.c3("deploy", cwd=project.folder).out.strip()
    with start([f"{BIN}/c3", "logs", "-f", job_id], home, project.folder) as following:
        read_until(following, "begun")
        following.send_signal(signal.SIGINT)
        _, said = following.communicate(timeout=TIMEOUT)
    assert following.returncode == 130
    assert said == f"c3: detached; {job_id} runs on: `c3 logs -f {job_id}` shows it again\n"
    project.open()
    home.c3("logs", "-f", job_id)
    assert state(home, job_id) == "SUCCEEDED"
