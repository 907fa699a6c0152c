"""What a job spec needs of the world: its script's file, its mount points' directories."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from c3fs.agent.checks import find_script, resolve_mount_points
from c3fs.core.jobfile import parse_job_spec
from c3fs.core.jobspec import JobSpec
from c3fs.errors import InvalidJobSpecError

ID = "job_1700000000000_abc123"


def spec_of(script: str, *mounts: object) -> JobSpec:
    items = "".join(f"  - ref: /jobs/{ID}\n    mount: {mount}\n" for mount in mounts)
    return parse_job_spec(f"script: {script}\ndatasets:\n{items}", ".c3")


def project(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    for name in ("run.sh", "deep/run.sh", "make", "größe.sh"):
        (tmp_path / name).write_text("#!/bin/bash\ntrue\n")
    (tmp_path / "windows.sh").write_bytes(b"#!/bin/bash\r\ntrue\r\n")
    return tmp_path


@pytest.mark.parametrize(
    ("script", "file"),
    [
        ("run.sh", "run.sh"),
        ("./run.sh", "run.sh"),
        ("deep/run.sh", "deep/run.sh"),
        ("deep/../run.sh", "run.sh"),
        ("größe.sh", "größe.sh"),
        ("make", "make"),
        ("true", None),
        ("/bin/true", None),
        ("bash missing.sh", None),
        ("run.sh --fast", None),
    ],
)
def test_the_file_of_a_script(tmp_path: Path, script: str, file: str | None) -> None:
    assert find_script(spec_of(script), str(project(tmp_path))) == file


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("missing.sh", "script 'missing.sh' does not exist; the path is relative to the .c3 file"),
        ("deep/missing", "script 'deep/missing' does not exist; the path is relative to the .c3 file"),
        ("./deep", "script './deep' is a directory"),
        ("../run.sh", "script '../run.sh' lies outside the project"),
        (
            "windows.sh",
            "script 'windows.sh' has Windows line ends, which bash cannot run; `sed -i 's/\\r$//' windows.sh`",
        ),
    ],
)
def test_a_script_that_is_refused(tmp_path: Path, script: str, why: str) -> None:
    with pytest.raises(InvalidJobSpecError) as raised:
        find_script(spec_of(script), str(project(tmp_path)))
    assert str(raised.value) == f".c3:1:9: {why}"


def test_mount_points_are_resolved(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    os.symlink("real", tmp_path / "link")
    work = tmp_path / "work"
    work.mkdir()
    os.symlink("../real", work / "link")
    spec = spec_of("x", tmp_path / "link/a", "link/b", "in", tmp_path / "no/such")
    points = resolve_mount_points(spec, str(work), ())
    assert [path for _, path in points] == [
        str(tmp_path / "real/a"),
        str(tmp_path / "real/b"),
        str(work / "in"),
        str(tmp_path / "no/such"),
    ]


@pytest.mark.parametrize(
    ("mounts", "why"),
    [
        (("{base}/etc/x",), ".c3:4:12: mount point {base}/etc/x (/etc/x) is in the system directory /etc"),
        (("etc/x",), ".c3:4:12: mount point etc/x (/etc/x) is in the system directory /etc"),
        (("{base}/self/x",), ".c3:4:12: mount point {base}/self/x ({base}/work/artifacts/x) lies in the output"),
        (("{base}/a", "{base}/b"), ".c3:6:12: mount point {base}/b ({base}/a) is also the mount point {base}/a of"),
        (("{base}/c3/store",), ".c3:4:12: mount point {base}/c3/store would hide {base}/c3, which c3 itself uses"),
        (("{base}/to-c3/x",), ".c3:4:12: mount point {base}/to-c3/x ({base}/c3/x) would hide {base}/c3, which c3"),
        (("{base}/file",), ".c3:4:12: mount point {base}/file: {base}/file is not a directory"),
        (("{base}/file/x",), ".c3:4:12: mount point {base}/file/x: {base}/file is not a directory"),
    ],
)
def test_where_symlinks_lead_counts(tmp_path: Path, mounts: tuple[str, ...], why: str) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (tmp_path / "c3").mkdir()
    (tmp_path / "file").touch()
    links = {"etc": "/etc", "work/etc": "/etc", "self": work / "artifacts", "b": tmp_path / "a", "to-c3": "c3"}
    for name, target in links.items():
        os.symlink(target, tmp_path / name)
    spec = spec_of("x", *(mount.format(base=tmp_path) for mount in mounts))
    with pytest.raises(InvalidJobSpecError) as raised:
        resolve_mount_points(spec, str(work), (str(tmp_path / "c3"),))
    assert str(raised.value).startswith(why.format(base=tmp_path))
