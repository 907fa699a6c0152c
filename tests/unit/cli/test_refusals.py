"""Bad input is refused where it enters, in one line, before anything is recorded."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from c3fs.core.directory import Directory, File, Symlink, encode_leaf
from c3fs.core.job import JobState
from c3fs.core.manifest import Root, SpanRecord
from c3fs.core.span import BLOB_MAX
from c3fs.core.wirespan import SELF, BlobTable, WireSpan
from tests.support.blobs import SteeredStore, seeded
from tests.support.invoked import Invoked

# --- .c3 files ---------------------------------------------------------------------------------------------------

SPECS = [
    ("", "1:1: a .c3 file is a list of `key: value` lines"),
    ("project: x\n", "1:1: `script:` is missing"),
    ("script: run.sh\nscipt: x\n", "2:1: unknown key `scipt:`; did you mean `script:`?"),
    ("script: run.sh\nscript: run.sh\n", "2:1: 'script' is given twice, first in line 1"),
    ("script: [a, b]\n", "1:9: `script:` is one value, not a list"),
    ("script: missing.sh\n", "1:9: script 'missing.sh' does not exist"),
    ("script: ../run.sh\n", "1:9: script '../run.sh' lies outside the project"),
    ("script: run.sh\ntime: 90\n", "2:7: not a time: '90'"),
    ("script: run.sh\nproject: My Project\n", "2:10: not a project: 'My Project'"),
    ("script: run.sh\noutput: /abs\n", "2:9: output '/abs' is absolute"),
    ("script: run.sh\noutput: [a, ../b]\n", "2:13: output '../b' leaves the working directory"),
    ("script: run.sh\n\tproject: x\n", "2:1: a tab cannot indent"),
    ("script: run.sh\nproject: \x07\n", "2:10: unprintable character U+0007"),
    ("script: &a run.sh\n", "1:9: anchors"),
    ("script: run.sh\ndatasets:\n  - mount: /data/x\n", "3:5: `ref:` is missing"),
    ("script: run.sh\ndatasets:\n  - ref: /jobs/../x\n", "3:10: not a ref: '/jobs/../x'"),
    ("script: run.sh\ndatasets:\n  - ref: ''\n", "3:10: "),
    ('script: run.sh\ndatasets:\n  - ref: "/jobs/{job}/a\\x01"\n', "3:10: not a ref"),
    ("script: run.sh\ndatasets:\n  - ref: /jobs/job_17_zzzzzz\n", "3:10: /jobs/job_17_zzzzzz: no such ref"),
    ("script: run.sh\ndatasets:\n  - ref: /jobs/{running}\n", "3:10: {running} is RUNNING"),
    ("script: run.sh\ndatasets:\n  - ref: /projects/demo/jobs/{running}\n", "3:10: {running} is RUNNING"),
    (
        "script: run.sh\ndatasets:\n  - ref: /projects/p/jobs/@last\n",
        "3:10: /projects/p/jobs/@last: no such job has SUCC",
    ),
    ("script: run.sh\ndatasets:\n  - ref: /projects/p/jobs/@first\n", "3:10: not a ref: '/projects/p/jobs/@first'"),
    ("script: run.sh\ndatasets:\n  - ref: /projects/demo/jobs/@last/no\n", "3:10: /jobs/{job}: no: no such file"),
    ("script: run.sh\ndatasets:\n  - ref: /datasets/words/@v2\n", "3:10: /datasets/words/@v2: no such ref"),
    ("script: run.sh\ndatasets:\n  - ref: /jobs/{empty}\n", "3:10: /jobs/{empty}: has no artifacts"),
    ("script: run.sh\ndatasets:\n  - ref: /jobs/{job}/none\n", "3:10: /jobs/{job}: none: no such file or directory"),
    ("script: run.sh\ndatasets:\n  - ref: /jobs/{job}/file\n", "3:10: /jobs/{job}: file: not a directory"),
]

MOUNTS = [
    ("/", "would hide all that is there"),
    ("/usr/share/x", "is in the system directory /usr"),
    ("/proc/x", "is in the system directory /proc"),
    ("/tmp", "would hide all that is there"),
    (".", "is the working directory itself"),
    ("..", "leaves the working directory"),
    ("artifacts/x", "lies in the output directory"),
    ("out", "lies in the output directory"),
    ("{home}/store", "would hide {home}, which c3 itself uses"),
    ("{link}", "is in the system directory /usr"),
]


@pytest.fixture
def jobs(cli: Invoked) -> dict[str, str]:
    """What specs may speak of: a finished job, one without artifacts, and one that runs."""
    finished = cli.job({b"file": b"", b"dir": {}})
    empty = cli.job(None, state=JobState.FAILED)
    running = cli.job(None, state=JobState.RUNNING, alive=True)
    (cli.root / "link").symlink_to("/usr/share")
    return {
        "job": finished,
        "empty": empty,
        "running": running,
        "home": f"{cli.root}/home",
        "link": f"{cli.root}/link",
    }


def recorded(cli: Invoked) -> tuple[list[str], list[Path]]:
    rows = [row["job_id"] for row in cli.c3("squeue", "--json").json]
    return sorted(rows), list((cli.root / "home" / "jobs").glob("*"))


def refused(cli: Invoked, spec: str) -> str:
    """The one line with which `c3 deploy` refuses the spec."""
    folder = cli.root / "project"
    folder.mkdir()
    (folder / "run.sh").write_text("true\n")
    (folder / ".c3").write_text(spec)
    before = recorded(cli)
    done = cli.c3("deploy", "project", code=2)
    assert recorded(cli) == before
    assert done.out == ""
    assert done.err.count("\n") == 1
    assert done.err.startswith(f"c3: error: {folder}/.c3:")
    return done.err.removeprefix(f"c3: error: {folder}/.c3:")


@pytest.mark.parametrize(("spec", "why"), SPECS, ids=lambda value: value[:40])
def test_a_spec_is_refused_at_its_line(cli: Invoked, jobs: dict[str, str], spec: str, why: str) -> None:
    for name, value in jobs.items():
        spec, why = spec.replace(f"{{{name}}}", value), why.replace(f"{{{name}}}", value)
    assert refused(cli, spec).startswith(why)


@pytest.mark.parametrize(("mount", "why"), MOUNTS)
def test_a_mount_point_is_refused_at_its_line(cli: Invoked, jobs: dict[str, str], mount: str, why: str) -> None:
    spec = (
        f"script: run.sh\noutput: [out]\ndatasets:\n  - ref: /jobs/{jobs['job']}\n    mount: {mount.format(**jobs)}\n"
    )
    line = refused(cli, spec)
    assert line.startswith("5:12: mount point ")
    assert why.format(**jobs) in line


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ("/data/x", "/data/x", "is also the mount point /data/x of line 4"),
        ("/data", "/data/x", "lies inside the mount point /data of line 4"),
        ("/data/x/y", "/data/x", "would hide the mount point /data/x/y of line 4"),
        ("x", "./x/", "is also the mount point x of line 4"),
    ],
)
def test_mount_points_that_clash_are_refused(
    cli: Invoked, jobs: dict[str, str], first: str, second: str, why: str
) -> None:
    ref = f"/jobs/{jobs['job']}"
    spec = f"script: run.sh\ndatasets:\n  - ref: {ref}\n    mount: {first}\n  - ref: {ref}\n    mount: {second}\n"
    assert why in refused(cli, spec)


def test_a_project_must_be_found(cli: Invoked) -> None:
    (cli.root / "folder").mkdir()
    assert "no .c3 file in" in cli.c3("deploy", "folder", code=3).err
    assert "no .c3 file in" in cli.c3("deploy", "missing", code=3).err
    (cli.root / "folder" / ".c3").mkdir()
    assert "/.c3:1:1: not a regular file" in cli.c3("deploy", "folder", code=2).err
    (cli.root / "folder" / ".c3").rmdir()
    (cli.root / "folder" / ".c3").write_bytes(b"script: run.sh\nname: \xff\n")
    assert "/.c3:2:7: not UTF-8" in cli.c3("deploy", "folder", code=2).err


# --- what is stored ----------------------------------------------------------------------------------------------


def refuses_to_read(cli: Invoked, leaf: bytes, files: int = 1, directories: int = 0) -> None:
    """List, pull and mount refuse a tree whose root is encoded as `leaf`, and nothing appears anywhere."""
    store = SteeredStore()
    span = store.span(leaf)
    record = SpanRecord(str(span.blob), span.offset, span.size)
    root = Root("0" * 64, 0o755, 0, record, files, directories, 0)
    job = cli.job({}, made=(store, root))
    outside = set(cli.root.rglob("*"))
    for arguments in (["data", "ls", "-lR", f"/jobs/{job}"], ["pull", "-o", "here", job]):
        done = cli.c3(*arguments, code=7)
        assert done.err.splitlines()[-1].startswith("c3: error: invalid ")
    new = {path for path in set(cli.root.rglob("*")) - outside if not path.is_relative_to(cli.root / "cache")}
    assert new == {cli.root / "here", cli.root / "here" / job}


def file(name: bytes) -> File:
    return File(name, 0o644, 0, 0, bytes(32), [])


@pytest.mark.parametrize("name", [b"../up", b"..", b".", b"a/b", b"/etc/x", b"nul\0", b""])
def test_a_hostile_name_is_never_written(cli: Invoked, name: bytes) -> None:
    refuses_to_read(cli, encode_leaf(BlobTable(), [file(name)]))


def test_names_twice_are_refused(cli: Invoked) -> None:
    refuses_to_read(cli, encode_leaf(BlobTable(), [file(b"a"), file(b"a")]), 2)


def test_a_target_with_a_nul_is_refused(cli: Invoked) -> None:
    refuses_to_read(cli, encode_leaf(BlobTable(), [Symlink(b"a", 0, b"x\0y")]))


def test_a_directory_of_garbage_is_refused(cli: Invoked) -> None:
    refuses_to_read(cli, seeded(3, 200))


def test_absurd_counts_are_refused(cli: Invoked) -> None:
    refuses_to_read(cli, encode_leaf(BlobTable(), [file(b"a")]), 1 << 60)


def test_a_span_beyond_every_blob_is_refused(cli: Invoked) -> None:
    spans = [WireSpan(0, BLOB_MAX, BLOB_MAX)]
    leaf = encode_leaf(BlobTable(), [File(b"a", 0o644, 0, BLOB_MAX, bytes(32), spans)])
    refuses_to_read(cli, leaf)


def test_a_directory_that_holds_itself_is_refused(cli: Invoked) -> None:
    """A blob cannot name its own digest, but a node may say "this blob": its claims tell it apart."""
    size = 0
    while True:
        inner = Directory(b"again", 0o755, 0, bytes(32), WireSpan(SELF, 0, size), 0, 5, 0)
        leaf = encode_leaf(BlobTable(), [inner])
        if len(leaf) == size:
            break
        size = len(leaf)
    store = SteeredStore()
    span = store.span(leaf)
    root = Root("0" * 64, 0o755, 0, SpanRecord(str(span.blob), 0, span.size), 0, 6, 0)
    job = cli.job({}, made=(store, root))
    done = cli.c3("data", "ls", "-R", f"/jobs/{job}", code=7)
    assert "is claimed of it" in done.err


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"format":1', '"format":2'),
        ('"complete":true', '"complete":1'),
        ('"complete":true', '"complete":true,"extra":1'),
        ('"files":1', '"files":-1'),
        ('"bytes":0', '"bytes":1e300'),
        ('"offset":0', '"offset":99999999'),
        ('"/jobs/', '"/jobs/../'),
        ("{", ""),
    ],
)
def test_a_hostile_manifest_is_refused(cli: Invoked, old: str, new: str) -> None:
    job = cli.job({b"a": b""})
    with sqlite3.connect(cli.root / "home" / "registry.db") as database:
        database.execute("update manifests set body = replace(body, ?, ?)", (old, new))
    database.close()
    for arguments in (["data", "ls", f"/jobs/{job}"], ["pull", job]):
        assert cli.c3(*arguments, code=7).err.startswith("c3: error: invalid manifest: ")
    (cli.root / "mnt").mkdir()
    assert cli.c3fs("mount", f"/jobs/{job}", "mnt", code=7).err.startswith("c3fs: error: invalid manifest: ")
