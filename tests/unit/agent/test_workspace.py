"""The directory of a job: its lock, the working directory, what is removed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio

from c3fs.agent.workspace import RESERVE, Workspace, create_workspace
from c3fs.core.ref import Ref
from c3fs.errors import ExecutionError, StoreUnavailableError
from tests.support.sandboxes import run_as_ordinary_user

ID = "job_1700000000000_abc123"


def make(tmp_path: Path) -> Workspace:
    jobs = tmp_path / "jobs"
    jobs.mkdir()
    return create_workspace(str(jobs), ID)


def log_of(workspace: Workspace) -> list[str]:
    return Path(workspace.log_path).read_text().splitlines()


def test_a_job_has_one_directory(tmp_path: Path) -> None:
    make(tmp_path).close()
    with pytest.raises(ExecutionError, match=r"cannot make the job's directory .*File exists"):
        create_workspace(str(tmp_path / "jobs"), ID)


async def write(source: Ref, destination: bytes) -> None:
    """A checkout of one symlink, which names the ref."""
    await trio.lowlevel.checkpoint()
    os.mkdir(destination, 0o700)
    os.symlink(str(source), destination + b"/ref")


async def test_the_working_directory_is_the_source(tmp_path: Path) -> None:
    workspace = make(tmp_path)
    await workspace.fill(write, "/projects/p/source/@v3")
    work = Path(workspace.workdir)
    assert sorted(os.listdir(work)) == ["artifacts", "ref"]
    assert os.readlink(work / "ref") == "/projects/p/source/@v3"
    assert os.listdir(work / "artifacts") == []
    assert os.stat(work).st_mode & 0o777 == 0o755
    await workspace.remove_workdir()
    assert sorted(os.listdir(workspace.directory)) == ["lock", "log"]
    assert log_of(workspace) == []
    workspace.close()


async def test_a_job_without_a_project(tmp_path: Path) -> None:
    workspace = make(tmp_path)
    await workspace.fill(write, None)
    assert os.listdir(workspace.workdir) == ["artifacts"]
    workspace.close()


async def test_artifacts_that_the_project_brings(tmp_path: Path) -> None:
    async def bring(_source: Ref, destination: bytes) -> None:
        await trio.lowlevel.checkpoint()
        os.makedirs(destination + b"/artifacts/old")

    workspace = make(tmp_path)
    await workspace.fill(bring, "/projects/p/source/@v3")
    assert os.listdir(workspace.artifacts) == ["old"]
    workspace.close()


async def test_artifacts_that_are_no_directory(tmp_path: Path) -> None:
    async def bring(_source: Ref, destination: bytes) -> None:
        await trio.lowlevel.checkpoint()
        os.mkdir(destination)
        os.symlink("/tmp", destination + b"/artifacts")

    workspace = make(tmp_path)
    with pytest.raises(ExecutionError, match="the project's 'artifacts' is not a directory; rename it"):
        await workspace.fill(bring, "/projects/p/source/@v3")
    assert sorted(os.listdir(workspace.directory)) == ["lock", "log"]
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
    os.chmod(workspace.workdir, 0o500)
    trio.run(workspace.remove_workdir)
    assert os.listdir(workspace.directory).count("work") == 0, open(workspace.log_path).read()
"""
    run_as_ordinary_user(program)


async def test_a_checkout_that_fails_leaves_nothing(tmp_path: Path) -> None:
    async def fail(source: Ref, destination: bytes) -> None:
        await write(source, destination)
        raise StoreUnavailableError("the store does not answer")

    workspace = make(tmp_path)
    with pytest.raises(ExecutionError, match=r"cannot make .*/work: the store does not answer"):
        await workspace.fill(fail, "/projects/p/source/@v3")
    assert sorted(os.listdir(workspace.directory)) == ["lock", "log"]
    workspace.close()


async def test_a_checkout_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    workspace = make(tmp_path)
    with trio.CancelScope() as scope:

        async def wait(source: Ref, destination: bytes) -> None:
            await write(source, destination)
            scope.cancel()
            await trio.sleep_forever()

        await workspace.fill(wait, "/projects/p/source/@v3")
    assert scope.cancelled_caught
    assert sorted(os.listdir(workspace.directory)) == ["lock", "log"]
    workspace.close()


def test_there_is_room_for_what_is_written_last(tmp_path: Path) -> None:
    workspace = make(tmp_path)
    assert os.stat(f"{workspace.directory}/lock").st_blocks * 512 >= RESERVE
    workspace.give_room()
    assert os.stat(f"{workspace.directory}/lock").st_blocks == 0
    workspace.close()


def test_commands_are_kept_in_a_file(tmp_path: Path) -> None:
    workspace = make(tmp_path)
    path = workspace.write_script("echo größe\necho")
    assert Path(path).read_bytes() == "echo größe\necho\n".encode()
    assert os.path.dirname(path) == workspace.directory
    workspace.close()


def test_one_that_cannot_be_made_leaves_no_descriptor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("c3fs.agent.workspace.RESERVE", 1 << 62)  # no disk has so much
    before = os.listdir("/proc/self/fd")
    with pytest.raises(ExecutionError):
        create_workspace(str(tmp_path), ID)
    assert os.listdir("/proc/self/fd") == before
