"""What is taken away on a machine that runs jobs for others, and what is not."""

from __future__ import annotations

import os
import time
from pathlib import Path

from c3fs.agent.leftovers import KEPT, remove_ended, tidy
from c3fs.agent.workspace import Workspace, create_workspace

NAMES = ("job_1_aaaaaa", "job_2_aaaaaa", "job_3_aaaaaa")


def make(jobs: Path, name: str) -> Workspace:
    workspace = create_workspace(str(jobs), name)
    os.mkdir(workspace.workdir)
    Path(workspace.workdir, "result").write_text("half")
    return workspace


def age(directory: str, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(directory, (then, then))


def test_dead_jobs_are_cleared_old_ones_removed_and_running_ones_left_alone(tmp_path: Path) -> None:
    running, dead, ended = (make(tmp_path, name) for name in NAMES)
    dead.close()
    ended.give_room()
    ended.close()
    for workspace in (running, dead, ended):
        age(workspace.directory, KEPT - 60)
    tidy(str(tmp_path))
    assert os.path.isfile(f"{running.workdir}/result")
    assert os.path.isfile(f"{ended.workdir}/result")
    assert not os.path.lexists(dead.workdir)
    said = Path(dead.log_path).read_text()
    assert said.endswith(
        "what it had stored, if anything, is at /jobs/job_2_aaaaaa; the working directory is removed\n"
    )
    for workspace in (running, dead, ended):
        age(workspace.directory, KEPT + 60)
    tidy(str(tmp_path))
    assert os.listdir(tmp_path) == [NAMES[0]]
    running.close()


def test_what_is_no_job_is_nobodys_to_remove(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "job_x").write_text("")
    age(f"{tmp_path}/notes", 10 * KEPT)
    tidy(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == ["job_x", "notes"]


def test_a_job_that_ended_leaves_nothing_unless_its_working_directory_is_kept(tmp_path: Path) -> None:
    kept, gone = make(tmp_path, NAMES[0]), create_workspace(str(tmp_path), NAMES[1])
    for workspace in (kept, gone):
        workspace.close()
        remove_ended(workspace.directory)
    remove_ended(str(tmp_path / NAMES[2]))
    assert os.listdir(tmp_path) == [NAMES[0]]
