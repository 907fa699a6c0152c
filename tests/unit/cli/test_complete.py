"""What arguments complete to, through click's own protocol; tests/mount/test_completion.py asks a real bash."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.invoked import Invoked

Complete = Callable[..., list[str]]


@pytest.fixture
def complete(cli: Invoked, monkeypatch: pytest.MonkeyPatch) -> Complete:
    """The values that bash is given for a line up to the cursor; nothing may be said on stderr."""

    def run(line: str, program: str = "c3") -> list[str]:
        with monkeypatch.context() as patched:
            patched.setenv(f"_{program.upper()}_COMPLETE", "bash_complete")
            patched.setenv("COMP_LINE", line)
            told = cli.run(program, code=None)
        assert told.err == ""
        typed, *items = told.out.splitlines()
        assert typed == f"typed,{'' if line.endswith(' ') else line.split()[-1]}"
        return [item.removeprefix("plain,") for item in items if item]

    return run


def test_commands_and_options_are_offered(cli: Invoked, complete: Complete) -> None:
    assert complete("c3 squ") == ["squeue"]
    assert complete("c3 data d") == ["diff", "du"]
    assert "--recursive" in complete("c3 data ls --")
    assert complete("c3 squeue --state ru") == ["running"]
    assert complete("c3fs um", "c3fs") == ["umount"]


def test_jobs_are_offered(cli: Invoked, complete: Complete) -> None:
    first, second = cli.job(None), cli.job(None)
    for command in ("show", "logs", "lineage", "cancel"):
        assert set(complete(f"c3 {command} ")) == {first, second}
    assert complete(f"c3 cancel {first} {second}") == [second]
    assert complete("c3 logs nothing") == []


def test_refs_are_offered_a_name_at_a_time(cli: Invoked, complete: Complete, tmp_path: Path) -> None:
    job = cli.job({b"artifacts": {b"metrics.json": b"{}"}, b"odd \xff": b""})
    cli.c3("data", "ls", f"/jobs/{job}")  # makes the cache
    (tmp_path / "folder").mkdir()
    cli.publish("/datasets/glove", tmp_path / "folder")
    offered = {
        "": ["/"],
        "/": ["/datasets/", "/jobs/", "/projects/"],
        "/jo": ["/jobs/"],
        "/jobs/": [f"/jobs/{job}/"],
        "/projects/demo/jobs/": ["/projects/demo/jobs/@last/", f"/projects/demo/jobs/{job}/"],
        f"/jobs/{job}/": [f"/jobs/{job}/artifacts/"],  # nobody can type the other
        f"/jobs/{job}/artifacts/m": [f"/jobs/{job}/artifacts/metrics.json"],
        "/datasets/": ["/datasets/glove/"],
        "/datasets/glove/@": ["/datasets/glove/@latest/", "/datasets/glove/@v1/"],
        "/projects/none/": [],
        "/nowhere/": [],
    }
    for typed, paths in offered.items():
        assert complete(f"c3 data ls {typed}") == paths
    assert complete("c3fs mount /datasets/glove/@v", "c3fs") == ["/datasets/glove/@v1/"]


def test_nothing_is_made_where_there_is_nothing(cli: Invoked, complete: Complete) -> None:
    assert complete("c3 show ") == complete("c3 data ls /jobs/") == []
    assert list(cli.root.iterdir()) == []
    (cli.root / "home").mkdir()
    (cli.root / "cache").mkdir()
    (cli.root / "home" / "registry.db").write_text("not a database, but long enough to be looked at as one" * 100)
    assert complete("c3 show ") == []


def test_a_job_without_an_agent_is_left_alone(cli: Invoked, complete: Complete) -> None:
    from c3fs.core.job import JobState

    job = cli.job(None, state=JobState.RUNNING, alive=True)
    cli.workspaces.pop().close()
    (cli.root / "cache").mkdir(exist_ok=True)
    assert complete("c3 show ") == [job]
    assert cli.c3("squeue", "--json").json[0]["reason"] == "AGENT_LOST"


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_scripts_name_their_program(cli: Invoked, shell: str) -> None:
    for program in ("c3", "c3fs"):
        script = cli.run(program, "completion", shell).out
        assert f"_{program.upper()}_COMPLETE={shell}_complete" in script
    assert "is not one of" in cli.c3("completion", "tcsh", code=2).err
