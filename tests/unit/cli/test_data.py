"""`c3 data ls`, `c3 data cp` and `c3 pull` on a home with made-up jobs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from c3fs.core.job import JobState
from tests.support.blobs import seeded
from tests.support.encoded import MTIME, Link, Source
from tests.support.invoked import Invoked

TREE: Source = {
    b"artifacts": {b"metrics.json": b"{}\n", b"empty": b"", b"none": {}},
    b"out": {b"odd \xff\nname": b"odd", b"big": seeded(1, 300_000), b"link": Link(b"big"), b"deep": {b"file": b"x"}},
}
ODD = os.fsdecode(b"odd \xff\nname")


def test_every_place_lists(cli: Invoked) -> None:
    job = cli.job(TREE)
    assert cli.c3("data", "ls", "/").out == "datasets\njobs\nprojects\n"
    assert cli.c3("data", "ls", "/datasets").out == ""
    assert cli.c3("data", "ls").out == f"{job}\n"
    assert cli.c3("data", "ls", "/jobs").out == f"{job}\n"
    assert cli.c3("data", "ls", "/projects/").out == "demo\n"
    assert cli.c3("data", "ls", "/projects/demo").out == "jobs\n"
    assert cli.c3("data", "ls", "/projects/demo/jobs/").out == f"{job}\n"
    for ref in (f"/jobs/{job}", f"/jobs/{job}/", f"/projects/demo/jobs/{job}"):
        assert cli.c3("data", "ls", ref).out == "artifacts\nout\n"
    assert cli.c3("data", "ls", f"/jobs/{job}/out").out == f"big\ndeep\nlink\n{ODD}\n"
    assert cli.c3("data", "ls", f"/jobs/{job}/out/big").out == f"/jobs/{job}/out/big\n"
    assert cli.c3("data", "ls", f"/jobs/{job}/artifacts/none").out == ""


def test_data_sets_list_their_versions(cli: Invoked, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    for text in ("one", "three"):
        (folder / "deep" / "file").write_text(text)
        for base in ("/datasets/d", "/projects/p/data/e", "/projects/p/source"):
            cli.publish(base, folder)
    assert cli.c3("data", "ls", "/datasets/").out == "d\n"
    assert cli.c3("data", "ls", "/projects").out == "p\n"
    assert cli.c3("data", "ls", "/projects/p/").out == "data\nsource\n"
    assert cli.c3("data", "ls", "/projects/p/data").out == "e\n"
    for base in ("/datasets/d", "/projects/p/data/e/", "/projects/p/source"):
        assert cli.c3("data", "ls", base).out == "@v2\n@v1\n"
        newest, first = cli.c3("data", "ls", "-l", base).out.splitlines()
        assert (newest.split()[1:3], first.split()[1:3]) == (["5", "B"], ["3", "B"])
        assert newest.endswith("  @v2  (1 file)")
        for version, size in (("@v1", 3), ("@v2", 5), ("@latest", 5), ("", 5)):
            path = f"{base.rstrip('/')}/{version}".rstrip("/") + "/deep"
            assert [row["size"] for row in cli.c3("data", "ls", "--json", path).json] == [size]
    assert "@v2:\ndeep\n" in cli.c3("data", "ls", "-R", "/datasets/d").out
    for missing in ("/datasets/none", "/datasets/d/@v3", "/projects/p/data/none", "/projects/q", "/projects/q/data/"):
        cli.c3("data", "ls", missing, code=3)


def test_a_job_can_be_named_by_what_it_is(cli: Invoked) -> None:
    first = cli.job({b"a": b"1"})
    cli.job({b"a": b"2"}, state=JobState.FAILED)
    assert cli.c3("data", "ls", "/projects/demo/jobs/@last").out == "a\n"
    assert cli.c3("data", "ls", "/projects/demo/jobs/@name:named/a").out.endswith("a\n")
    cli.c3("data", "rm", "-y", f"/jobs/{first}")
    assert "was deleted on" in cli.c3("data", "ls", "/projects/demo/jobs/@last", code=3).err


def test_long_lines_align(cli: Invoked, monkeypatch: pytest.MonkeyPatch) -> None:
    job = cli.job(TREE)
    lines = cli.c3("data", "ls", "-l", f"/jobs/{job}/out").out.splitlines()
    assert lines[0].startswith("-rw-r--r--   293.0 KiB  20")
    assert lines[0].endswith("  big")
    assert lines[1].startswith("drwxr-xr-x         1 B  20")
    assert lines[2].startswith("lrwxrwxrwx         3 B  20")
    assert lines[2].endswith("  link -> big")
    assert len({line.index("  20") for line in lines[:3]}) == 1


def test_recursion_is_as_ls_shows_it(cli: Invoked) -> None:
    job = cli.job({b"a": {b"b": {b"c": b""}}, b"z": {}})
    top = f"/jobs/{job}"
    expected = f"{top}:\na\nz\n\n{top}/a:\nb\n\n{top}/a/b:\nc\n\n{top}/z:\n"
    assert cli.c3("data", "ls", "-R", f"{top}/").out == expected
    whole = cli.c3("data", "ls", "-R", "/").out
    assert expected.rstrip() in whole
    assert whole.startswith("/:\ndatasets\njobs\nprojects\n\n/datasets:\n\n/jobs:\n")


def test_json_has_exact_sizes_and_times(cli: Invoked) -> None:
    job = cli.job(TREE)
    rows = {row["path"]: row for row in cli.c3("data", "ls", "-R", "--json", f"/jobs/{job}").json}
    top = f"/jobs/{job}"
    assert rows[f"{top}/out/big"] == {
        "path": f"{top}/out/big",
        "name": "big",
        "kind": "file",
        "mode": "0644",
        "size": 300_000,
        "mtime": "2023-11-14T22:13:20.123456789Z",
    }
    assert MTIME == 1_700_000_000_123_456_789
    assert rows[f"{top}/out"]["files"] == 4
    assert rows[f"{top}/out/link"]["target"] == "big"
    assert rows[f"{top}/out/{ODD}"]["name"] == ODD
    assert len(rows) == 2 + 3 + 4 + 1
    assert cli.c3("data", "ls", "--json", f"{top}/artifacts/none").json == []
    (row,) = cli.c3("data", "ls", "--json", f"{top}/out/big").json
    assert row["path"] == f"{top}/out/big"
    (row,) = cli.c3("data", "ls", "--json", "/jobs").json
    assert (row["name"], row["size"], row["files"]) == (job, 300_007, 6)


def test_a_job_without_artifacts_is_listed_as_such(cli: Invoked) -> None:
    done, failed, running = (
        cli.job(TREE),
        cli.job({b"x": b"1"}, state=JobState.FAILED, complete=False),
        cli.job(None, state=JobState.FAILED),
    )
    remarks = {
        line.split()[-1 - line.count(",")] if False else line for line in cli.c3("data", "ls", "-l").out.splitlines()
    }
    assert any(line.endswith(f"{done}  (SUCCEEDED)") for line in remarks)
    assert any(line.endswith(f"{failed}  (FAILED, incomplete)") for line in remarks)
    assert any(line.endswith(f"{running}  (FAILED, no artifacts)") for line in remarks)
    assert f"/jobs/{running}: has no artifacts" in cli.c3("data", "ls", f"/jobs/{running}", code=3).err


@pytest.mark.parametrize(
    ("path", "code", "why"),
    [
        ("", 2, "it is empty"),
        ("jobs", 2, "does not start with a slash"),
        ("/jobs/../x", 2, "is not a job id"),
        ("/jobs//x", 2, "is not a job id"),
        ("/nothing", 2, "names no job and no data set"),
        ("/projects/UPPER/jobs", 2, "is not a project"),
        ("/projects/none/jobs", 3, "no such project"),
        ("/jobs/{job}/a\x1b", 2, "control character"),
        ("/jobs/{job}/none", 3, "none: no such file or directory"),
        ("/jobs/{job}/out/big/x", 3, "out/big: not a directory"),
    ],
)
def test_what_cannot_be_listed_is_one_line(cli: Invoked, path: str, code: int, why: str) -> None:
    job = cli.job(TREE)
    done = cli.c3("data", "ls", path.format(job=job), code=code)
    assert done.out == ""
    assert done.err.count("\n") == 1
    assert why in done.err


# --- cp and pull -------------------------------------------------------------------------------------------------


def contents(top: Path) -> dict[str, bytes | str]:
    """Path to content, or a symlink's target."""
    found: dict[str, bytes | str] = {}
    for path in sorted(top.rglob("*")):
        name = str(path.relative_to(top))
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


WHOLE = {
    "artifacts/empty": b"",
    "artifacts/metrics.json": b"{}\n",
    "out/big": seeded(1, 300_000),
    "out/deep/file": b"x",
    "out/link": "big",
    f"out/{ODD}": b"odd",
}


def test_pull_brings_all_and_skips_what_is_intact(cli: Invoked) -> None:
    job = cli.job(TREE)
    first = cli.c3("pull", job)
    assert first.out == f"{job}\n"
    assert first.err == f"c3: {job}: 6 files, 293.0 KiB\n"
    assert contents(cli.root / job) == WHOLE
    assert (cli.root / job / "out" / "big").stat().st_mtime_ns == MTIME
    again = cli.c3("pull", job, "--json")
    assert again.json == {"jobs": [{"job_id": job, "directory": job}]}
    assert again.err == f"c3: {job}: pulled before and intact (6 files); skipped\n"
    (cli.root / job / "out" / "big").write_bytes(b"changed")
    assert "1 file, 293.0 KiB; 5 files there already" in cli.c3("pull", job).err
    assert contents(cli.root / job) == WHOLE
    forced = cli.c3("pull", job, "--force")
    assert "intact" not in forced.err or "there already" in forced.err
    assert contents(cli.root / job) == WHOLE


def test_pull_without_a_job_takes_the_projects_that_succeeded(cli: Invoked) -> None:
    ours, theirs = cli.job({b"a": b"1"}, project="ours"), cli.job({b"b": b"2"}, project="theirs")
    failed = cli.job({b"c": b"3"}, project="ours", state=JobState.FAILED, complete=False)
    cli.job(None, project="ours", state=JobState.FAILED)
    running = cli.job(None, project="ours", state=JobState.RUNNING, alive=True)
    assert [one["job_id"] for one in cli.c3("pull", "--json", "-o", "all").json["jobs"]] == [ours, theirs]
    (cli.root / ".c3").write_text("project: ours\nscript: 'true'\n")
    done = cli.c3("pull", "-o", "deep/folder")
    assert done.out == f"deep/folder/{ours}\n"
    assert done.err.splitlines() == [
        f"c3: skipped {failed} (FAILED): did not succeed; `c3 pull JOB` brings what is there",
        f"c3: skipped {running} (RUNNING): not finished",
        f"c3: deep/folder/{ours}: 1 file, 1 B",
    ]
    named = cli.c3("pull", failed, "-o", "deep/folder")
    assert named.out == f"deep/folder/{failed}\n"
    assert f"deep/folder/{failed}: incomplete" in named.err
    assert contents(cli.root / "deep" / "folder") == {f"{ours}/a": b"1", f"{failed}/c": b"3"}
    (cli.root / ".c3").write_text("project: nobodys\nscript: 'true'\n")
    empty = cli.c3("pull", "--json")
    assert empty.json == {"jobs": []}
    assert empty.err == "c3: nothing to pull: no job of project nobodys has succeeded and left artifacts\n"


def test_pull_says_which_artifacts_were_deleted(cli: Invoked) -> None:
    deleted, kept = cli.job({b"a": b"1"}), cli.job({b"b": b"2"})
    cli.c3("data", "rm", "-y", f"/jobs/{deleted}")
    done = cli.c3("pull")
    assert done.out == f"{kept}\n"
    assert f"skipped {deleted} (SUCCEEDED): no artifacts any more" in done.err
    named = cli.c3("pull", deleted, code=3)
    assert "was deleted on" in named.err
    assert named.err.count("\n") == 1


def test_pull_takes_a_job_by_what_it_is(cli: Invoked) -> None:
    job = cli.job({b"a": b"1"})
    assert cli.c3("pull", "/projects/demo/jobs/@last").out == f"{job}\n"
    assert cli.c3("pull", job[:-1]).out == f"{job}\n"
    assert "is not a job id" in cli.c3("pull", "nonsense", code=2).err


def test_cp_copies_files_directories_and_contents(cli: Invoked) -> None:
    job = cli.job(TREE)
    (cli.root / "dir").mkdir()
    cli.c3("data", "cp", f"/jobs/{job}/out/deep/file", "new")
    cli.c3("data", "cp", f"/jobs/{job}/out/deep/file", "dir/")
    cli.c3("data", "cp", f"/jobs/{job}/out/link", "dir")
    cli.c3("data", "cp", f"/jobs/{job}/artifacts", "dir")
    cli.c3("data", "cp", f"/jobs/{job}/artifacts/", "renamed")
    cli.c3("data", "cp", f"/jobs/{job}/out/deep/.", "dir")
    cli.c3("data", "cp", f"/jobs/{job}", "dir")
    found = contents(cli.root / "dir")
    assert {name: found[name] for name in ("file", "link", "artifacts/metrics.json", f"{job}/out/big")} == {
        "file": b"x",
        "link": "big",
        "artifacts/metrics.json": b"{}\n",
        f"{job}/out/big": seeded(1, 300_000),
    }
    assert (cli.root / "new").read_bytes() == b"x"
    assert contents(cli.root / "renamed") == {"empty": b"", "metrics.json": b"{}\n"}


@pytest.mark.parametrize(
    ("source", "destination", "code", "why"),
    [
        ("out/deep/file", "missing/file", 8, "missing: no such directory"),
        ("out/deep/file", "new/", 8, "new/: not a directory"),
        ("out/deep/file/", "new", 3, "not a directory"),
        ("out/deep/file/.", "new", 3, "not a directory"),
        ("out/deep", "there", 8, "there: is not a directory"),
        ("out/none", "new", 3, "out/none: no such file"),
        ("out/deep", "/proc/x", 8, "/proc/x: "),
        ("out/deep", "", 8, "an empty path"),
    ],
)
def test_cp_refuses_what_cp_refuses(cli: Invoked, source: str, destination: str, code: int, why: str) -> None:
    job = cli.job(TREE)
    (cli.root / "there").write_text("kept")
    done = cli.c3("data", "cp", f"/jobs/{job}/{source}", destination, code=code)
    assert why in done.err
    assert done.err.count("\n") == 1
    assert (cli.root / "there").read_text() == "kept"
    assert not (cli.root / "new").exists()


def test_a_planted_symlink_leads_no_copy_outside(cli: Invoked) -> None:
    job = cli.job(TREE)
    victim = cli.root / "victim"
    victim.mkdir()
    (cli.root / job).symlink_to("victim")
    assert "a symlink is in the way" in cli.c3("pull", job, code=8).err
    assert not list(victim.iterdir())
    (cli.root / "dir").mkdir()
    (cli.root / "dir" / "out").symlink_to(victim)
    cli.c3("data", "cp", f"/jobs/{job}/out", "dir", code=8)
    assert not list(victim.iterdir())
