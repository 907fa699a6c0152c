"""What arguments complete to, through click's own protocol; tests/mount/test_completion.py asks a real bash."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from c3fs.cli.shells import last_word, quoted
from c3fs.core.job import JobState
from tests.support.invoked import Invoked

Complete = Callable[..., list[str]]


@pytest.fixture
def complete(cli: Invoked, monkeypatch: pytest.MonkeyPatch) -> Complete:
    """The values that bash is given for a line up to the cursor; nothing may be said on stderr."""

    def run(line: str, program: str = "c3") -> list[str]:
        with monkeypatch.context() as patched:
            patched.setenv(f"_{program.upper()}_COMPLETE", "bash_complete")
            patched.setenv("COMP_LINE", line)
            patched.setenv("COMP_WORDBREAKS", " ")
            told = cli.run(program, code=None)
        assert told.err == ""
        return [item.removeprefix("plain,") for item in told.out.splitlines() if item]

    return run


def test_commands_and_options_are_offered(cli: Invoked, complete: Complete) -> None:
    assert complete("c3 squ") == ["squeue"]
    assert complete("c3 data d") == ["diff", "du"]
    assert "--recursive" in complete("c3 data ls --")
    assert complete("c3 squeue --state ru") == ["running"]
    assert complete("c3fs um", "c3fs") == ["umount"]


def test_jobs_are_offered(cli: Invoked, complete: Complete) -> None:
    first, second = cli.job({}), cli.job({}, project="other")
    running = cli.job(None, state=JobState.RUNNING, alive=True)
    for command in ("show", "logs", "lineage", "pull"):
        assert complete(f"c3 {command} ") == [running, second, first]
    assert complete("c3 cancel ") == [running]
    assert complete(f"c3 show {second}") == [second]
    assert complete(f"c3 cancel {first} {running[:-1]}") == [running]
    assert complete("c3 logs nothing") == []
    assert complete("c3 show @") == complete("c3 show @las") == ["@last"]
    assert complete("c3 squeue --project ") == complete("c3 squeue --project=") == ["demo", "other"]
    assert complete("c3 squeue --state failed,ru") == ["failed,running"]


def test_jobs_are_offered_as_refs_too(cli: Invoked, complete: Complete, tmp_path: Path) -> None:
    job = cli.job({})
    (tmp_path / "folder").mkdir()
    cli.publish("/datasets/glove", tmp_path / "folder")
    cli.publish("/projects/demo/source", tmp_path / "folder")
    ways: dict[str, tuple[list[str], list[str]]] = {
        "/": (["/jobs/", "/projects/"], ["/datasets/", "/jobs/", "/projects/"]),
        "/jobs/": ([f"/jobs/{job}"], [f"/jobs/{job}"]),
        f"/jobs/{job}/": ([], []),
        "/projects/demo/": (["/projects/demo/jobs/"], ["/projects/demo/jobs/", "/projects/demo/source/"]),
        "/projects/demo/jobs/@": (["/projects/demo/jobs/@last"], ["/projects/demo/jobs/@last"]),
        "/datasets/glove/": ([], ["/datasets/glove/@latest", "/datasets/glove/@v1"]),
    }
    for typed, (of_job, of_tree) in ways.items():
        assert (typed, complete(f"c3 show {typed}")) == (typed, of_job)
        assert (typed, complete(f"c3 lineage {typed}")) == (typed, of_tree)


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
    assert complete("c3 show ") == complete("c3 data ls /jobs/") == []


def test_tables_that_are_not_known_are_left_alone(cli: Invoked, complete: Complete) -> None:
    cli.job({})
    with closing(sqlite3.connect(cli.root / "home" / "registry.db")) as registry:
        registry.execute("UPDATE schema_version SET version = version + 1")
        registry.commit()
    assert complete("c3 show ") == complete("c3 data ls /jobs/") == complete("c3 squeue --project ") == []


def test_zsh_is_told_more(cli: Invoked, monkeypatch: pytest.MonkeyPatch) -> None:
    job = cli.job({})
    monkeypatch.setenv("_C3_COMPLETE", "zsh_complete")
    monkeypatch.setenv("COMP_CWORD", "2")
    for line, told in (
        ("c3 show ", ["plain", job, "demo named SUCCEEDED"]),
        ("c3 show @", ["plain", "@last", "the newest job of this project"]),
        ("c3 show /jobs/", ["plain", f"/jobs/{job}", "demo named SUCCEEDED"]),
        ("c3 squeue --st", ["plain", "--state", "Only jobs in this state, or STATE,STATE,…"]),
    ):
        monkeypatch.setenv("COMP_WORDS", line)
        result = cli.c3(code=None)
        assert (result.out.splitlines(), result.err) == (told, "")


@pytest.mark.parametrize(
    ("line", "typed"),
    [
        ("c3 ", ("", 0, "")),
        ("c3 show job_1", ("job_1", 0, "")),
        ("c3 data ls /jobs/@l", ("/jobs/@l", 6, "")),
        ("c3 ls /a/b:c", ("/a/b:c", 5, "")),
        ("c3 squeue --state=fa", ("--state=fa", 8, "")),
        ("c3 ls /a/two\\ w", ("/a/two w", 0, "")),
        ("c3 ls /a/c\\:d", ("/a/c:d", 0, "")),
        ('c3 ls "/a/two w', ("/a/two w", 0, '"')),
        ('c3 ls "/a/@v', ("/a/@v", 0, '"')),
        ("c3 ls /a/'two w", ("/a/two w", 3, "'")),
        ("c3 ls '/a/'x", ("/a/x", 3, "")),
        ('c3 ls "a\\x\\$', ("a\\x$", 0, '"')),
        ("c3 ls 'a\\", ("a\\", 0, "'")),
    ],
)
def test_what_bash_replaces(line: str, typed: tuple[str, int, str]) -> None:
    assert last_word(line) == typed


@pytest.mark.parametrize(
    "text", ["plain", "two words", "it's", 'a "b" $c `d` \\e!', "größe:x=1", "*?[a]{b}~", "#;&|<>()"]
)
@pytest.mark.parametrize("quote", ["", '"', "'"])
def test_what_is_quoted_is_read_back(text: str, quote: str) -> None:
    line = f"c3 {quote}{quoted(text, quote)}"
    assert last_word(line).text == text
    done = subprocess.run(
        ["bash", "-c", f"printf %s {line.removeprefix('c3 ')}{quote}"], capture_output=True, check=True
    )
    assert done.stdout.decode() == text


def test_a_job_without_an_agent_is_left_alone(cli: Invoked, complete: Complete) -> None:
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
