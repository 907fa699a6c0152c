"""What a job spec needs of the world: its script's file, its mount points' directories."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from c3fs.agent.checks import find_script, freeze_refs, resolve_mount_points
from c3fs.agent.report import frozen
from c3fs.core.job import JobState
from c3fs.core.jobfile import parse_job_spec
from c3fs.core.jobspec import JobSpec, decode_job_spec, encode_job_spec
from c3fs.core.manifest import FORMAT, Inventory, Manifest, Root, root_span
from c3fs.core.span import EMPTY_SPAN
from c3fs.errors import InvalidJobSpecError
from c3fs.registry.base import Job
from c3fs.registry.sql import SqlRegistry

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


REFS = (
    (f"/jobs/{ID}", f"/jobs/{ID}", ""),
    (f"/projects/p/jobs/{ID}/sub", f"/jobs/{ID}/sub", ""),
    ("/projects/p/jobs/@last/sub", f"/jobs/{ID}/sub", "/projects/p/jobs/@last/sub"),
    ("/projects/p/jobs/@name:train/", f"/jobs/{ID}", "/projects/p/jobs/@name:train"),
    ("/datasets/words", "/datasets/words/@v1", "/datasets/words"),
    ("/datasets/words/@latest/a", "/datasets/words/@v1/a", "/datasets/words/@latest/a"),
    ("/datasets/words/@v1/b", "/datasets/words/@v1/b", ""),
)


async def test_refs_are_frozen_and_what_was_written_is_kept(tmp_path: Path) -> None:
    items = "".join(f"  - ref: {ref}\n    mount: /data/{at}\n" for at, (ref, _, _) in enumerate(REFS))
    spec = parse_job_spec(f"script: x\ndatasets:\n{items}", ".c3")
    with SqlRegistry.open(f"sqlite:///{tmp_path}/registry.db") as registry:
        await finish(registry, ID)
        await register(registry, f"/jobs/{ID}")
        await register(registry, "/datasets/words")
        made = await freeze_refs(spec, registry)
    assert [(dataset.ref, dataset.asked) for dataset in made.datasets] == [row[1:] for row in REFS]
    assert [dataset.mount for dataset in made.datasets] == [dataset.mount for dataset in spec.datasets]
    assert decode_job_spec(encode_job_spec(made)) == made
    assert frozen(made) == [f"{asked} is {ref}" for _, ref, asked in REFS if asked]


@pytest.mark.parametrize(
    ("ref", "why"),
    [
        ("/projects/p/jobs/@last", "/projects/p/jobs/@last: no such job has SUCCEEDED"),
        ("/projects/p/jobs/@name:train", "/projects/p/jobs/@name:train: no such job has SUCCEEDED"),
        ("/datasets/words", "/datasets/words: no such ref"),
        (f"/jobs/{ID}", f"{ID} is PENDING: its artifacts exist when it has finished"),
    ],
)
async def test_a_ref_that_names_nothing_is_refused_at_its_line(tmp_path: Path, ref: str, why: str) -> None:
    spec = parse_job_spec(f"script: x\ndatasets:\n  - mount: /x\n    ref: {ref}\n", ".c3")
    with SqlRegistry.open(f"sqlite:///{tmp_path}/registry.db") as registry:
        await registry.add_job(job(ID))
        with pytest.raises(InvalidJobSpecError) as raised:
            await freeze_refs(spec, registry)
    assert str(raised.value) == f".c3:4:10: {why}"


def job(job_id: str) -> Job:
    return Job(job_id, "p", "train", JobState.PENDING, None, None, "{}", "/j", datetime.now(UTC), None, None)


async def finish(registry: SqlRegistry, job_id: str) -> None:
    await registry.add_job(job(job_id))
    for state in (JobState.SCHEDULING, JobState.RUNNING, JobState.SUCCEEDED):
        await registry.move_job(job_id, state)


async def register(registry: SqlRegistry, ref: str) -> None:
    """An empty tree."""
    root = Root("0" * 64, 0o755, 0, root_span(EMPTY_SPAN), 0, 0, 0)
    manifest = Manifest(FORMAT, ref, "2026-01-01T00:00:00Z", True, root, Inventory(0, 0, ()))
    await registry.register(manifest, [], mark=0)
