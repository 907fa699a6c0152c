"""Chained jobs with the real programs and real c3fs mounts, by an ordinary user: in user namespaces."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from c3fs.agent.abandoned import claimed
from c3fs.agent.init import descendants, parents
from tests.support.programs import eventually
from tests.support.requirements import ORDINARY_UID
from tests.support.sandboxes import Sandboxed, assert_ended, open_pidfds, ordinary_command

pytestmark = [pytest.mark.mounts, pytest.mark.ordinary_user]


@dataclass(frozen=True)
class User:
    """Somebody without rights, with a home."""

    home: Path

    def start(self, *arguments: str, cwd: Path) -> subprocess.Popen[str]:
        command, environment = ordinary_command("-m", "c3fs.cli.c3", *arguments)
        places = {name: str(self.home / name) for name in ("C3_HOME", "C3_CACHE_DIR")}
        return subprocess.Popen(
            command,
            env={**environment, **places, "HOME": str(self.home)},
            user=ORDINARY_UID,
            group=ORDINARY_UID,
            extra_groups=(),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str, cwd: Path | None = None) -> str:
        process = self.start(*arguments, cwd=cwd or self.home)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
        return output

    def project(self, name: str, spec: str) -> Path:
        folder = self.home / name
        folder.mkdir()
        (folder / ".c3").write_text(spec)
        return folder


@pytest.fixture
def user() -> Iterator[User]:
    """/dev/fuse is for everybody on most machines; where it is not, it is while the test runs."""
    mode = stat.S_IMODE(os.stat("/dev/fuse").st_mode)
    sandboxed = Sandboxed(ORDINARY_UID)
    os.chmod(sandboxed.base, 0o755)
    os.chown(sandboxed.base, ORDINARY_UID, ORDINARY_UID)
    os.chmod("/dev/fuse", 0o666)
    try:
        yield User(Path(sandboxed.base))
    finally:
        os.chmod("/dev/fuse", mode)
        left = sandboxed.host_mounts()
        sandboxed.close()
    assert left == []


def first_stage(user: User) -> str:
    """A job with artifacts: its id."""
    folder = user.project("one", "script: head -c 9000000 /dev/zero | tr '\\0' x >$C3_ARTIFACTS_DIR/big\n")
    user.run("deploy", "-f", cwd=folder)
    return json.loads(user.run("squeue", "--json"))[0]["job_id"]


def second_stage(job: str, script: str) -> str:
    """The job spec of a job that has the first one's artifacts at /data/c3/in."""
    return f"script: |\n  {script}\ndatasets: [{{ref: /jobs/{job}/artifacts, mount: /data/c3/in}}]\n"


def test_a_chain(user: User) -> None:
    job = first_stage(user)
    script = "md5sum /data/c3/in/big; stat -c '%u %a' /data/c3/in/big; touch /data/c3/in/x; touch $C3_ARTIFACTS_DIR/y"
    output = user.run("deploy", "-f", cwd=user.project("two", second_stage(job, script)))
    digest = hashlib.md5(b"x" * 9_000_000, usedforsecurity=False).hexdigest()
    assert f"\n{digest}  /data/c3/in/big\n{ORDINARY_UID} 444\n" in output
    assert "Read-only file system" in output
    assert "c3: published 1 file" in output
    assert not os.path.exists("/data/c3")


def test_a_killed_agent(user: User) -> None:
    job = first_stage(user)
    user.run("deploy", cwd=user.project("two", second_stage(job, "exec 3</data/c3/in/big; echo begun; sleep 60")))
    second = json.loads(user.run("squeue", "--json"))[0]["job_id"]
    eventually("the script runs", lambda: "\nbegun" in user.run("logs", second))
    runner = next(pid for pid in parents() if is_runner(pid, second))
    fds = open_pidfds([runner, *descendants(runner, parents())])
    assert len(fds) >= 5  # runner, sandbox, server, init, script
    os.kill(runner, signal.SIGKILL)
    assert_ended(fds)
    with claimed(f"{user.home}/C3_HOME/jobs/{second}") as is_ours:
        assert is_ours


def is_runner(pid: int, job_id: str) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            command = file.read().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return b"c3fs.cli.runner" in command and job_id.encode() in command
