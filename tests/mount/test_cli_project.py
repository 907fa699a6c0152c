"""What a job gets of its project: published when it is made, copied from there when it runs."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import BIN, TIMEOUT, Home, eventually, own_home

pytestmark = pytest.mark.mounts


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    yield from own_home(tmp_path)


def test_the_job_gets_the_project_as_it_was(home: Home) -> None:
    folder = home.project("copied", "script: run.sh\noutput: [out]\n", "cat data/x; pwd; ls -A; stat -c %a%Y data/x\n")
    for name in ("data", "below", "out", "artifacts", ".git"):
        (folder / name).mkdir()
        (folder / name / "x").write_text(f"{name} as it was\n")
    (folder / "data" / "x").chmod(0o640)
    os.utime(folder / "data" / "x", (1_600_000_000, 1_600_000_000))
    (folder / "link").symlink_to("data")
    (folder / os.fsdecode(b"odd \xff\n")).touch()
    done = home.c3("deploy", "-f", cwd=folder / "below")
    names = subprocess.run(
        ["ls", "-A"], cwd=folder, capture_output=True, check=True, text=True, errors="surrogateescape"
    ).stdout.splitlines()
    kept = [name for name in names if name not in ("out", ".git")]
    assert "data as it was" in done.out
    assert f"{folder}\n" not in done.out
    assert "\n".join(["", *kept, "6401600000000", ""]) in done.out
    assert os.listdir(folder / "artifacts") == ["x"]


def test_an_unchanged_project_costs_nothing_again(home: Home) -> None:
    folder = home.project("same", "script: run.sh\n", "ls artifacts | wc -l\n")
    (folder / "data").write_bytes(os.urandom(3 << 20))
    first = home.c3("deploy", "-f", cwd=folder)
    assert "c3: source: 3 files, 3.0 MiB; 3.0 MiB uploaded as /projects/same/source/@v1\n" in first.err
    assert "c3: the project folder is /projects/same/source/@v1\n" in first.out
    home.c3("pull", cwd=folder)
    second = home.c3("deploy", "-f", cwd=folder)
    assert "source" not in second.err
    assert "c3: the project folder is /projects/same/source/@v1\n" in second.out
    assert [line["delta"] for line in home.c3("balance", "--json").json["lines"] if "source" in line["ref"]][1:] == []


def stored(home: Home) -> set[str]:
    return {name for _, _, names in os.walk(home.root / "home" / "store") for name in names}


def test_ctrl_c_during_the_upload_of_the_project_leaves_no_job(home: Home) -> None:
    folder = home.project("large", "script: run.sh\n", "true\n")
    with open(folder / "data", "wb") as file:
        for _ in range(8):
            file.write(os.urandom(32 << 20))
    with subprocess.Popen(
        [f"{BIN}/c3", "deploy"], env=home.env, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as deploying:
        eventually("blobs are put", lambda: bool(stored(home)))
        deploying.send_signal(signal.SIGINT)
        out, err = deploying.communicate(timeout=TIMEOUT)
    assert (deploying.returncode, out, err.strip()) == (130, "", "")
    assert home.c3("squeue", "--json").json == []
    assert os.listdir(home.root / "home" / "jobs") == []
    assert not [name for name in stored(home) if "." in name]
    assert home.c3("balance", "--json").json["stored"] == 0


def test_what_is_wrong_with_a_project_is_told_before_there_is_a_job(home: Home) -> None:
    folder = home.project("wrong", "script: run.sh\n", "true\n")
    (folder / ".c3ignore").write_text("*.pyc\n[z-a]\n")
    assert home.c3("deploy", cwd=folder, code=2).err.startswith(f"c3: error: {folder}/.c3ignore:2: '[z-a]' is not a")
    (folder / ".c3ignore").write_text("*.sh\n")
    why = "script 'run.sh' is ignored: `*.sh` in line 1 of .c3ignore"
    assert home.c3("deploy", cwd=folder, code=2).err == f"c3: error: {folder}/.c3:1:9: {why}\n"
    assert home.c3("squeue", "--json").json == []


def test_a_project_in_a_folder_that_is_no_utf_8(home: Home) -> None:
    folder = home.project(os.fsdecode(b"odd \xff"), "script: cat x\n")
    (folder / "x").write_text("here\n")
    done = home.c3("deploy", "-f", cwd=folder)
    assert "here" in done.out.splitlines()
    (folder / ".c3").write_text("script: missing.sh\n")
    assert "/odd \\xff/.c3:1:9: script 'missing.sh'" in home.c3("deploy", cwd=folder, code=2).err


def test_a_home_inside_the_project_is_not_published(home: Home) -> None:
    folder = home.project(".", "script: run.sh\nproject: holds-it\n", "ls -A\n")
    (folder / ".c3ignore").write_text("!**\n")
    done = home.c3("deploy", "-f", cwd=folder)
    listed = done.out.splitlines()
    assert "run.sh" in listed
    assert not {"home", "cache"} & set(listed)
