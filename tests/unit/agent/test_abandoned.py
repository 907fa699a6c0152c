"""What an agent that died leaves: found by the lock, cleared away, its log ended."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from c3fs.agent.abandoned import YOUNG, claimed, clear, find_orphans, remove_orphan
from c3fs.agent.workspace import Workspace, create_workspace

ID = "job_1700000000000_abc123"
LAST = "c3: FAILED (AGENT_LOST): the agent died; it stored no artifacts; the working directory is removed"


def make(tmp_path: Path) -> Workspace:
    (tmp_path / "jobs").mkdir()
    return create_workspace(str(tmp_path / "jobs"), ID)


def is_claimed(directory: str) -> bool:
    with claimed(directory) as is_ours:
        return is_ours


def log_of(workspace: Workspace) -> list[str]:
    return Path(workspace.log_path).read_text().splitlines()


def is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def grow_old(directory: str) -> None:
    then = time.time() - YOUNG - 1
    os.utime(directory, (then, then))


def test_a_job_is_abandoned_when_nobody_holds_its_lock(tmp_path: Path) -> None:
    workspace = make(tmp_path)
    assert not is_claimed(workspace.directory)
    assert not is_claimed(workspace.directory)  # asking takes nothing away
    workspace.close()
    assert is_claimed(workspace.directory)
    assert is_claimed(f"{tmp_path}/no-such-job")
    assert not os.path.exists(f"{tmp_path}/no-such-job")


def test_one_clears_at_a_time(tmp_path: Path) -> None:
    workspace = make(tmp_path)
    workspace.close()
    with claimed(workspace.directory) as first:
        assert first
        assert not is_claimed(workspace.directory)
    os.unlink(f"{workspace.directory}/lock")
    with claimed(workspace.directory) as first:
        assert first
        assert not is_claimed(workspace.directory)


def test_a_job_is_abandoned_when_its_agent_was_killed(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    program = (
        "import sys; from c3fs.agent.workspace import create_workspace; "
        f"w = create_workspace({str(tmp_path / 'jobs')!r}, {ID!r}); print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as agent:
        assert agent.stdout is not None
        assert agent.stdout.readline() == b"locked\n"
        assert not is_claimed(f"{tmp_path}/jobs/{ID}")
        agent.kill()
        agent.wait(30)
        assert is_claimed(f"{tmp_path}/jobs/{ID}")


def test_what_is_left_is_removed_and_the_log_ended(tmp_path: Path) -> None:
    workspace = make(tmp_path)
    os.makedirs(f"{workspace.artifacts}/deep")
    os.symlink("/tmp", f"{workspace.workdir}/elsewhere")
    os.write(workspace.log.fileno(), b"half a line")
    workspace.close()
    clear(workspace.directory, ID, stored=False)
    clear(workspace.directory, ID, stored=False)  # the first may have died before it could tell the registry
    assert log_of(workspace) == ["half a line", LAST]
    assert sorted(os.listdir(workspace.directory)) == ["lock", "log"]


def test_what_was_stored_is_said(tmp_path: Path) -> None:
    workspace = make(tmp_path)
    workspace.close()
    clear(workspace.directory, ID, stored=True)
    assert log_of(workspace) == [
        LAST.replace("it stored no artifacts", f"its artifacts were stored before, at /jobs/{ID}")
    ]


def test_a_directory_that_is_gone(tmp_path: Path) -> None:
    clear(f"{tmp_path}/{ID}", ID, stored=False)
    assert os.listdir(tmp_path) == []


@pytest.mark.namespaces
def test_what_is_mounted_is_unmounted_and_not_emptied(tmp_path: Path) -> None:
    workspace = make(tmp_path)
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    os.makedirs(f"{workspace.workdir}/mnt")
    workspace.close()
    program = f"""
import os, sys
from c3fs.agent.abandoned import clear
from c3fs.agent.namespaces import enter
from c3fs.fuse.mounts import list_mounts
import subprocess
enter()
subprocess.run(["mount", "--bind", {str(kept)!r}, {workspace.workdir + "/mnt"!r}], check=True)
with open({workspace.workdir + "/mnt/file"!r}):
    clear({workspace.directory!r}, {ID!r}, stored=False)
assert not [record for record in list_mounts() if record.mountpoint.startswith({workspace.directory!r})]
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    assert os.listdir(kept) == ["file"]
    assert log_of(workspace) == [LAST]
    assert not os.path.exists(workspace.workdir)


def test_processes_that_print_to_the_log_are_waited_for(tmp_path: Path) -> None:
    workspace = make(tmp_path)
    os.mkdir(workspace.workdir)
    with subprocess.Popen(["sleep", "0.3"], stdout=workspace.log.fileno()) as left:
        workspace.close()
        clear(workspace.directory, ID, stored=False)
        assert left.poll() is not None or is_zombie(left.pid)
    assert log_of(workspace) == [LAST]


def test_what_processes_still_write_into_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent whose lock somebody has deleted goes on for a while."""
    monkeypatch.setattr("c3fs.agent.abandoned.GONE_WITHIN", 0.1)
    workspace = make(tmp_path)
    os.mkdir(workspace.workdir)
    with subprocess.Popen(["sleep", "60"], stdout=workspace.log.fileno()) as left:
        workspace.close()
        clear(workspace.directory, ID, stored=False)
        left.kill()
    assert log_of(workspace) == [
        "c3: warning: processes of the job have not ended in 0.1 s",
        LAST.replace("removed", "kept"),
    ]
    assert os.path.isdir(workspace.workdir)
    assert os.stat(f"{workspace.directory}/lock").st_size == 0


def test_orphans_are_old_and_never_had_a_runner(tmp_path: Path) -> None:
    jobs = tmp_path / "jobs"
    workspace = make(tmp_path)
    assert find_orphans(str(jobs)) == []  # young
    grow_old(workspace.directory)
    assert find_orphans(str(jobs)) == [workspace.directory]
    Path(workspace.directory, "runner.log").touch()
    grow_old(workspace.directory)
    assert find_orphans(str(jobs)) == []
    (jobs / "notes").mkdir()
    grow_old(str(jobs / "notes"))
    assert find_orphans(str(jobs)) == []
    workspace.close()


@pytest.mark.parametrize("names", [[], ["lock"], ["lock", "log"]])
def test_an_orphan_is_removed(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / ID).mkdir(exist_ok=True)
        (tmp_path / ID / name).touch()
    with claimed(f"{tmp_path}/{ID}"):
        remove_orphan(f"{tmp_path}/{ID}")
    assert os.listdir(tmp_path) == []


def test_an_orphan_with_more_in_it_stays(tmp_path: Path) -> None:
    (tmp_path / ID / "work").mkdir(parents=True)
    remove_orphan(f"{tmp_path}/{ID}")
    assert os.listdir(tmp_path / ID) == ["work"]
