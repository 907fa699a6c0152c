"""`c3 data cp` in all directions, and what it refuses; where cp lands on the disk is in test_transfer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from c3fs.core.job import JobState
from tests.support.blobs import seeded
from tests.support.encoded import Link, Source
from tests.support.invoked import Invoked
from tests.support.trees import facts

SET = "/datasets/n"
ODD = os.fsdecode(b"odd \xff\nname")
TREE: Source = {b"a": {b"x": b"xx", b"link": Link(b"x")}, b"file": b"content", os.fsencode(ODD): b"odd"}


@pytest.fixture
def folder(cli: Invoked) -> Path:
    """A folder of three files and a symlink, 303 bytes."""
    top = cli.root / "folder"
    (top / "sub" / "empty").mkdir(parents=True)
    (top / "one").write_bytes(b"one")
    (top / "sub" / "two").write_bytes(seeded(1, 297))
    (top / "sub" / "link").symlink_to("/nowhere")
    (top / ODD).write_bytes(b"odd")
    return top


def made_of(cli: Invoked, folder: Path) -> str:
    """A job whose artifacts are what is in the folder."""
    job = cli.job(None)
    cli.publish(f"/jobs/{job}", folder)
    return job


def listed(cli: Invoked, ref: str) -> list[str]:
    """All below a ref, relative to it."""
    ref = f"{ref}/@latest" if "/jobs/" not in ref else ref
    return [row["path"].removeprefix(f"{ref}/") for row in cli.c3("data", "ls", "-R", "--json", ref).json]


def brought(cli: Invoked, ref: str, name: str) -> Path:
    cli.c3("data", "cp", f"{ref}/", name)
    return cli.root / name


# --- from the disk to a data set ---------------------------------------------------------------------------------


@pytest.mark.parametrize("slash", ["", "/", "/."])
@pytest.mark.parametrize("ref", [SET, "/projects/demo/data/n"])
def test_a_directory_becomes_the_whole(cli: Invoked, folder: Path, ref: str, slash: str) -> None:
    cli.c3("data", "cp", str(folder / "one"), f"{ref}/{slash.strip('/.')}")
    done = cli.c3("data", "cp", f"folder{slash}", ref + slash)
    assert done.out == f"{ref}/@v2\n"
    assert done.err.startswith("c3: 4 files, 303 B; ")
    assert done.err.endswith(" uploaded\n")
    assert done.err.count("\n") == 1
    assert facts(brought(cli, ref, "back")) == facts(folder)
    again = cli.c3("data", "cp", "folder", ref)
    assert (again.out, again.err) == (f"{ref}/@v2\n", f"c3: nothing changed: it is {ref}/@v2\n")


def test_a_file_is_added_under_its_name(cli: Invoked, folder: Path) -> None:
    assert cli.c3("data", "cp", "folder/one", SET).out == f"{SET}/@v1/one\n"
    done = cli.c3("data", "cp", f"folder/{ODD}", f"{SET}/")
    assert done.out == f"{SET}/@v2/{ODD}\n"
    assert listed(cli, SET) == [ODD, "one"]
    (folder / "one").write_bytes(b"other")
    assert cli.c3("data", "cp", "folder/one", SET).out == f"{SET}/@v3/one\n"
    assert (brought(cli, SET, "back") / "one").read_bytes() == b"other"


def test_sub_paths_are_as_cp_has_them(cli: Invoked, folder: Path) -> None:
    cli.c3("data", "cp", "folder", SET)
    for source, target, path in [
        ("folder/one", "sub", "sub/one"),
        ("folder/one", "sub/", "sub/one"),
        ("folder/one", "sub/renamed", "sub/renamed"),
        ("folder/one", "one", "one"),
        ("folder/sub", "sub", "sub/sub"),
        ("folder/sub/", "sub/new/", "sub/new"),
        ("folder/sub/.", "sub/new", "sub/new"),
        ("folder/sub/link", "sub/empty/", "sub/empty/link"),
        ("folder/one", "sub/link", "sub/link"),
    ]:
        done = cli.c3("data", "cp", source, f"{SET}/{target}")
        assert done.out.partition("@v")[2].partition("/")[2] == f"{path}\n", (source, target)
    back = brought(cli, SET, "back")
    assert sorted(os.listdir(back / "sub")) == ["empty", "link", "new", "one", "renamed", "sub", "two"]
    assert os.readlink(back / "sub" / "empty" / "link") == "/nowhere"
    assert (back / "sub" / "link").read_bytes() == b"one"  # in place of the symlink, not where it leads


def test_the_first_version_makes_the_way(cli: Invoked, folder: Path) -> None:
    assert cli.c3("data", "cp", "folder/one", f"{SET}/a/b/c").out == f"{SET}/@v1/a/b/c\n"
    assert listed(cli, SET) == ["a", "a/b", "a/b/c"]


def test_several_sources_are_added_each(cli: Invoked, folder: Path) -> None:
    (cli.root / "made").mkdir()
    (cli.root / "made" / "file").write_bytes(b"content")
    job = made_of(cli, cli.root / "made")
    done = cli.c3("data", "cp", "folder/one", "folder/sub", f"/jobs/{job}/file", SET)
    assert done.out == "".join(f"{SET}/@v3/{name}\n" for name in ("one", "sub", "file"))
    first, second, third = done.err.splitlines()
    assert first.startswith("c3: folder/one: 1 file, 3 B; ")
    assert second.startswith("c3: folder/sub: 2 files, 297 B; ")
    assert third.startswith(f"c3: /jobs/{job}/file: 1 file, 7 B; ")
    assert listed(cli, SET) == ["file", "one", "sub", "sub/empty", "sub/link", "sub/two"]
    rows = cli.c3("data", "cp", "folder/one", "folder/sub/.", f"{SET}/sub", "--json").json
    assert [row["path"] for row in rows] == [f"{SET}/@v4/sub/one", f"{SET}/@v4/sub"]
    assert [(row["source"], row["files"], row["bytes"], row["created"]) for row in rows] == [
        ("folder/one", 1, 3, True),
        ("folder/sub", 2, 297, False),
    ]


def test_symlinks_are_copied_and_with_a_slash_followed(cli: Invoked, folder: Path) -> None:
    (cli.root / "way").symlink_to(folder)
    done = cli.c3("data", "cp", "way", SET)
    assert done.out == f"{SET}/@v1/way\n"
    assert "way: copied as the symlink it is; way/ is the directory that it leads to" in done.err
    assert cli.c3("data", "cp", "way/", SET).out == f"{SET}/@v2\n"
    assert facts(brought(cli, SET, "back")) == facts(folder)


def test_odd_local_paths(cli: Invoked, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder / "sub")
    assert cli.c3("data", "cp", "..", SET).out == f"{SET}/@v1\n"
    assert cli.c3("data", "cp", ".", SET).out == f"{SET}/@v2\n"
    assert cli.c3("data", "cp", ".", f"{SET}/empty").out == f"{SET}/@v3/empty\n"
    assert listed(cli, SET) == ["empty", "link", "two", "empty/empty", "empty/link", "empty/two"]
    assert cli.c3("data", "cp", f"/{folder}/one", SET).out == f"{SET}/@v4/one\n"


def test_what_is_no_file_is_warned_of(cli: Invoked, folder: Path) -> None:
    for number in range(12):
        os.mkfifo(folder / f"fifo{number}")
    done = cli.c3("data", "cp", "folder", SET)
    assert done.err.count("c3: warning: ") == 10
    assert "c3: and 2 more warnings\n" in done.err


# --- from ref to ref ---------------------------------------------------------------------------------------------


def test_published_trees_are_put_together(cli: Invoked, folder: Path) -> None:
    job = made_of(cli, folder)
    done = cli.c3("data", "cp", f"/jobs/{job}", SET)
    assert done.out == f"{SET}/@v1\n"
    assert done.err == "c3: 4 files, 303 B; 0 B uploaded\n"
    assert listed(cli, SET) == listed(cli, f"/jobs/{job}")
    assert cli.c3("data", "cp", f"/jobs/{job}/sub", f"{SET}/sub").out == f"{SET}/@v2/sub/sub\n"
    assert cli.c3("data", "cp", "/projects/demo/jobs/@last/sub/link", f"{SET}/sub/").out == f"{SET}/@v2/sub/link\n"
    assert cli.c3("data", "cp", f"{SET}/@v1/", "/projects/p/data/m").out == "/projects/p/data/m/@v1\n"
    assert cli.c3("data", "cp", f"{SET}/@v1/sub/.", "/projects/p/data/m").out == "/projects/p/data/m/@v2\n"
    assert listed(cli, "/projects/p/data/m") == ["empty", "link", "two"]


def test_an_incomplete_source_is_said(cli: Invoked) -> None:
    job = cli.job(TREE, state=JobState.FAILED, complete=False)
    for destination in (SET, "here"):
        err = cli.c3("data", "cp", f"/jobs/{job}/", destination).err
        assert f"c3: /jobs/{job}: incomplete, its job did not succeed; some files were not collected\n" in err


# --- onto the disk -----------------------------------------------------------------------------------------------


def test_several_sources_into_a_directory(cli: Invoked) -> None:
    job = cli.job(TREE)
    sources = [f"/jobs/{job}/a/.", f"/jobs/{job}/file", f"/jobs/{job}/a"]
    assert "several sources" in cli.c3("data", "cp", *sources, "dir", code=8).err
    (cli.root / "dir").mkdir()
    rows = cli.c3("data", "cp", *sources, "dir", "--json").json
    assert [(row["source"], row["files"], row["bytes"], row["intact"]) for row in rows] == [
        (f"/jobs/{job}/a", 2, 2, 0),
        (f"/jobs/{job}/file", 1, 7, 0),
        (f"/jobs/{job}/a", 2, 2, 0),
    ]
    assert sorted(os.listdir(cli.root / "dir")) == ["a", "file", "link", "x"]


def test_nothing_is_written_when_a_source_is_missing(cli: Invoked, folder: Path) -> None:
    job = cli.job(TREE)
    (cli.root / "dir").mkdir()
    for sources in ([f"/jobs/{job}/a", f"/jobs/{job}/none"], [f"/jobs/{job}/a", "/datasets/none"]):
        cli.c3("data", "cp", *sources, "dir", code=3)
        cli.c3("data", "cp", "folder/one", *sources, SET, code=3)
    assert os.listdir(cli.root / "dir") == []
    assert cli.c3("data", "ls", "/datasets").out == ""


def test_notes_stay_on_their_lines(cli: Invoked, folder: Path) -> None:
    assert (
        "c3: 'folder/odd '$'\\377\\n''name': 1 file, 3 B; "
        in cli.c3("data", "cp", f"folder/{ODD}", "folder/one", SET).err
    )
    assert cli.c3("data", "cp", f"{SET}/one", ODD).err == "c3: 'odd '$'\\377\\n''name': 1 file, 3 B\n"


def test_an_interrupted_copy_goes_on(cli: Invoked) -> None:
    job = cli.job({b"a": b"1", b"b": b"22"})
    cli.c3("data", "cp", f"/jobs/{job}/a", f"/jobs/{job}/b", ".")
    (cli.root / "b").unlink()
    (cli.root / ".c3-part-0123456789abcdef").write_bytes(b"half")
    done = cli.c3("data", "cp", f"/jobs/{job}/.", ".")
    assert "1 file, 2 B; 1 file there already and intact" in done.err
    assert not (cli.root / ".c3-part-0123456789abcdef").exists()
    assert "2 files, 3 B\n" in cli.c3("data", "cp", "--force", f"/jobs/{job}/.", ".").err


def test_published_and_planted_symlinks_lead_nothing_outside(cli: Invoked) -> None:
    victim = cli.root / "victim"
    victim.mkdir()
    (victim / "file").write_bytes(b"kept")
    job = cli.job({b"d": {b"file": b"new"}, b"l": Link(os.fsencode(victim)), b"m": {b"file": b"new"}})
    (cli.root / "dir" / job).mkdir(parents=True)
    (cli.root / "dir" / job / "d").symlink_to(victim)
    (cli.root / "dir" / job / "file").symlink_to(victim / "file")
    assert f"{job}/d: Not a directory" in cli.c3("data", "cp", f"/jobs/{job}", "dir", code=8).err
    cli.c3("data", "cp", f"/jobs/{job}/d/file", f"dir/{job}/")
    assert not (cli.root / "dir" / job / "file").is_symlink()
    assert (victim / "file").read_bytes() == b"kept"
    assert os.listdir(victim) == ["file"]


# --- dry runs ----------------------------------------------------------------------------------------------------


def test_a_dry_run_onto_the_disk(cli: Invoked) -> None:
    job = cli.job(TREE)
    done = cli.c3("data", "cp", "--dry-run", f"/jobs/{job}", "new")
    names = ["a/link", "a/x", "file", ODD]
    assert done.out == "".join(f"/jobs/{job}/{name} -> new/{name}\n" for name in names)
    assert done.err == "c3: new: 4 files, 12 B to copy\n"
    assert not (cli.root / "new").exists()
    cli.c3("data", "cp", f"/jobs/{job}/a", ".")
    again = cli.c3("data", "cp", "--dry-run", f"/jobs/{job}/a", f"/jobs/{job}/file", ".", "--json")
    assert again.json == [{"source": f"/jobs/{job}/file", "path": "file"}]
    assert not (cli.root / "file").exists()


def test_a_dry_run_into_a_data_set(cli: Invoked, folder: Path) -> None:
    job = cli.job(TREE)
    done = cli.c3("data", "cp", "--dry-run", "folder/", SET)
    names = [ODD, "one", "sub/link", "sub/two"]
    assert done.out == "".join(f"folder/{name} -> {SET}/{name}\n" for name in names)
    assert done.err == f"c3: {SET}: 4 files, 303 B to copy\n"
    done = cli.c3("data", "cp", "--dry-run", "folder/one", f"/jobs/{job}/a", f"{SET}/")
    assert done.out.splitlines() == [
        f"folder/one -> {SET}/one",
        f"/jobs/{job}/a/link -> {SET}/a/link",
        f"/jobs/{job}/a/x -> {SET}/a/x",
    ]
    whole = cli.c3("data", "cp", "--dry-run", f"/jobs/{job}", SET)
    names = ["a/link", "a/x", "file", ODD]
    assert whole.out == "".join(f"/jobs/{job}/{name} -> {SET}/{name}\n" for name in names)
    assert cli.c3("data", "cp", "--dry-run", f"/jobs/{job}/a/x", f"{SET}/y", "--json").json == [
        {"source": f"/jobs/{job}/a/x", "path": f"{SET}/y"}
    ]
    assert cli.c3("data", "ls", "/datasets").out == ""


# --- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sources", "destination", "code", "why"),
    [
        (["folder"], "there", 2, "'folder' and 'there' are both local paths"),
        (["/jobs/{job}/a", "folder"], "there", 2, "'folder' and 'there' are both local paths"),
        (["//jobs/x"], "there", 2, "'//jobs/x' and 'there' are both local paths"),
        (["folder"], "/jobs/{job}/a", 2, "a job's artifacts never change"),
        (["folder"], "/projects/demo/jobs/@last", 2, "a job's artifacts never change"),
        (["folder"], "/projects/demo/source", 2, "only `c3 deploy` publishes a source"),
        (["folder"], "/datasets/n/@v3", 2, "a version never changes; copy to /datasets/n and"),
        (["folder"], "/datasets/n/@latest/x", 2, "a version never changes"),
        (["folder"], "/datasets", 2, "nothing can be copied here; name a data set, /datasets/<name>"),
        (["folder"], "/datasets/", 2, "nothing can be copied here"),
        (["folder"], "/jobs/", 2, "nothing can be copied here"),
        (["folder"], "/projects/demo/data/", 2, "name a data set, /projects/<p>/data/<name>"),
        (["folder"], "/projects/demo", 2, "nothing can be copied here"),
        (["folder"], "/datasets/-x-", 2, "is not a data set's name"),
        (["folder"], "/datasets/n/../m", 2, "not a file name"),
        (["folder/sub/.", "folder/one"], "/datasets/n", 2, "becomes all of /datasets/n"),
        (["folder/one", "/datasets/n/one"], "/datasets/n/sub", 2, "one is the name of 2 of the sources"),
        ([], "/datasets/n", 2, "missing DST: where '/datasets/n' is to go"),
        ([""], "/datasets/n", 2, "an empty path names nothing"),
        (["none"], "/datasets/n", 3, "none: no such file or directory"),
        (["folder/one/"], "/datasets/n", 3, "folder/one: not a directory"),
        (["folder/one"], "/datasets/n/none/x", 3, "/datasets/n/@v1/none: no such directory"),
        (["folder/one"], "/datasets/n/one/x", 3, "one: not a directory"),
        (["folder/one"], "/datasets/n/one/", 3, "/datasets/n/one: not a directory"),
        (["folder/one"], "/datasets/n/new/", 3, "/datasets/n/new: not a directory"),
        (["folder/sub"], "/datasets/n/one", 3, "/datasets/n/one: not a directory"),
        (["folder/one", "folder/sub"], "/datasets/n/new", 3, "/datasets/n/new: not a directory"),
        (["folder/sub/two"], "/datasets/n/clash", 3, "clash/two: is a directory"),
        (["/datasets/n/one/"], "/datasets/m", 3, "not a directory"),
    ],
)  # fmt: skip
def test_refused_with_one_line(
    cli: Invoked, folder: Path, sources: list[str], destination: str, code: int, why: str
) -> None:
    job = cli.job(TREE)
    (folder / "clash" / "two").mkdir(parents=True)
    cli.publish(SET, folder)
    done = cli.c3("data", "cp", *[one.format(job=job) for one in sources], destination.format(job=job), code=code)
    assert why in done.err
    assert (done.out, done.err.count("\n")) == ("", 1)
    assert len(cli.c3("data", "log", SET, "--json").json) == 1


@pytest.mark.namespaces
def test_a_full_disk_is_said_and_the_copy_goes_on_elsewhere(cli: Invoked) -> None:
    job = cli.job({b"a": b"small", b"b": seeded(1, 3 << 20), b"c": b"after"})
    (cli.root / "full").mkdir()
    script = (
        'mount -t tmpfs -o size=1m tmpfs full && "$0" -c "from c3fs.cli.c3 import main; main()" data cp "$1" full/; '
        "echo $?; ls -A full"
    )
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--user", "--map-root-user"]
    done = subprocess.run(
        [*unshare, "sh", "-c", script, sys.executable, f"/jobs/{job}/."],
        cwd=cli.root, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout == "8\na\n"
    assert "full/b: No space left on device; free some space and run it again" in done.stderr
