"""The directory of a job: its lock, the copy of the project, what is removed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from c3fs.agent.workspace import Workspace, create_workspace, is_abandoned
from c3fs.errors import ExecutionError
from tests.support.sandboxes import run_as_ordinary_user

ID = "job_1700000000000_abc123"


def make(tmp_path: Path) -> Workspace:
    jobs = tmp_path / "jobs"
    jobs.mkdir()
    return create_workspace(str(jobs), ID)


def log_of(workspace: Workspace) -> list[str]:
    return Path(workspace.log_path).read_text().splitlines()


def test_a_job_is_abandoned_when_nobody_holds_its_lock(tmp_path: Path) -> None:
    workspace = make(tmp_path)
    assert not is_abandoned(workspace.directory)
    assert not is_abandoned(workspace.directory)  # asking takes nothing away
    workspace.close()
    assert is_abandoned(workspace.directory)
    assert is_abandoned(f"{tmp_path}/no-such-job")


def test_a_job_is_abandoned_when_its_agent_was_killed(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    program = (
        "import sys, time; from c3fs.agent.workspace import create_workspace; "
        f"w = create_workspace({str(tmp_path / 'jobs')!r}, {ID!r}); print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as agent:
        assert agent.stdout is not None
        assert agent.stdout.readline() == b"locked\n"
        assert not is_abandoned(f"{tmp_path}/jobs/{ID}")
        agent.kill()
        agent.wait(30)
        assert is_abandoned(f"{tmp_path}/jobs/{ID}")


def test_a_job_has_one_directory(tmp_path: Path) -> None:
    make(tmp_path).close()
    with pytest.raises(ExecutionError, match=r"cannot make the job's directory .*File exists"):
        create_workspace(str(tmp_path / "jobs"), ID)


async def test_the_copy_is_the_project(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "src" / ".git").mkdir(parents=True)
    (project / "src" / "locked").mkdir()
    (project / "src" / "locked" / "x").write_text("x")
    (project / "run.sh").write_text("true\n")
    os.chmod(project / "run.sh", 0o755)
    os.chmod(project / "src" / "locked", 0o555)
    os.utime(project / "run.sh", ns=(1, 1_600_000_000_123_456_789))
    os.symlink("nowhere", project / "link")
    os.symlink("src", project / "dirlink")
    (project / os.fsdecode(b"not utf-8 \xff")).write_bytes(b"\0" * 10)
    workspace = make(tmp_path)
    await workspace.fill(str(project))
    work = Path(workspace.workdir)
    assert sorted(os.listdir(os.fsencode(work))) == sorted([*os.listdir(os.fsencode(project)), b"artifacts"])
    assert os.listdir(work / "artifacts") == []
    assert os.stat(work / "run.sh").st_mode & 0o777 == 0o755
    assert os.stat(work / "run.sh").st_mtime_ns == 1_600_000_000_123_456_789
    assert os.stat(work / "src" / "locked").st_mode & 0o777 == 0o555
    assert (work / "src" / ".git").is_dir()
    assert os.readlink(work / "link") == "nowhere"
    assert os.readlink(work / "dirlink") == "src"
    await workspace.remove_workdir()
    assert sorted(os.listdir(workspace.directory)) == ["lock", "log"]
    assert log_of(workspace) == []
    workspace.close()


@pytest.mark.ordinary_user
def test_an_ordinary_user_can_remove_what_is_not_writable() -> None:
    program = """
import os, tempfile, trio
from c3fs.agent.workspace import create_workspace
with tempfile.TemporaryDirectory() as base:
    workspace = create_workspace(base, "job_1_abcdef")
    for name, mode in (("a/closed", 0), ("b/read", 0o500), ("c", 0o555)):
        os.makedirs(f"{workspace.workdir}/{name}/in/side")
        open(f"{workspace.workdir}/{name}/in/file", "w").close()
        os.chmod(f"{workspace.workdir}/{name}/in", mode)
        os.chmod(f"{workspace.workdir}/{name}", mode)
    trio.run(workspace.remove_workdir)
    assert os.listdir(workspace.directory).count("work") == 0, open(workspace.log_path).read()
"""
    run_as_ordinary_user(program)


async def test_what_is_not_copied(tmp_path: Path) -> None:
    project = tmp_path / "project"
    for name in (".git", ".venv", "node_modules", "__pycache__", "artifacts", ID, "home", "sub/.venv"):
        (project / name).mkdir(parents=True)
        (project / name / "x").touch()
    jobs = project / "c3" / "jobs"
    jobs.mkdir(parents=True)
    os.mkfifo(project / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(project / "socket"))
    workspace = create_workspace(str(jobs), "job_2_abcdef")
    await workspace.fill(str(project), [str(project / "home")])
    work = Path(workspace.workdir)
    assert sorted(os.listdir(work)) == ["artifacts", "c3", "sub"]
    assert sorted(os.listdir(work / "sub")) == [".venv"]
    assert os.listdir(work / "artifacts") == []
    assert os.listdir(work / "c3") == []
    assert sorted(log_of(workspace)) == [
        f"c3: warning: {project}/pipe is a socket, pipe or device, and is not copied",
        f"c3: warning: {project}/socket is a socket, pipe or device, and is not copied",
    ]
    workspace.close()


async def test_a_project_that_cannot_be_copied(tmp_path: Path) -> None:
    workspace = make(tmp_path)
    with pytest.raises(ExecutionError, match=r"cannot copy the project folder: .*/none: No such file"):
        await workspace.fill(str(tmp_path / "none"))
    workspace.close()


async def test_copying_can_be_cancelled(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    for number in range(20):
        (project / str(number)).touch()
    workspace = make(tmp_path)
    with trio.CancelScope() as scope:
        scope.cancel()
        await workspace.fill(str(project))
    assert scope.cancelled_caught
    workspace.close()


def test_commands_are_kept_in_a_file(tmp_path: Path) -> None:
    workspace = make(tmp_path)
    path = workspace.write_script("echo größe\necho")
    assert Path(path).read_bytes() == "echo größe\necho\n".encode()
    assert os.path.dirname(path) == workspace.directory
    workspace.close()
