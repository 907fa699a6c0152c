"""The project folder, published: what is uploaded, what is charged, what is said."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from c3fs.cli.ignore import load_ignore
from c3fs.cli.settings import Settings
from c3fs.cli.source import check_script, ignored_by, publish_source
from c3fs.cli.wiring import open_registry
from c3fs.core.jobfile import parse_job_spec
from c3fs.core.names import DEPTH_MAX
from c3fs.core.ref import Ref
from c3fs.errors import CollectError, InvalidJobSpecError
from tests.support.blobs import seeded
from tests.support.trees import build

MIB = 1 << 20


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    (tmp_path / "home").mkdir()
    yield Settings(str(tmp_path / "home"), str(tmp_path / "cache"), None)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    files = {b"f%d" % number: seeded(number, 1000) for number in range(50)}
    return build(tmp_path / "project", {b"src": files, b"run.sh": b"true\n", b"data": seeded(99, MIB)})


def publish(settings: Settings, project: Path) -> tuple[Ref, int, int]:
    """The ref; the bytes charged; the blobs that the store has."""

    async def run() -> tuple[Ref, int, int]:
        async with open_registry(settings) as registry:
            before = (await registry.balance()).stored
            ref = await publish_source(settings, registry, "p", str(project), load_ignore(str(project), (), ()))
            after = (await registry.balance()).stored
        return ref, after - before, sum(len(names) for _, _, names in os.walk(settings.storage.store))

    return trio.run(run)


def test_an_unchanged_project_uploads_nothing(
    settings: Settings, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, charged, blobs = publish(settings, project)
    assert str(first) == "/projects/p/source/@v1"
    assert charged > MIB
    assert capsys.readouterr().err == ("c3: source: 52 files, 1.0 MiB; 1.1 MiB uploaded as /projects/p/source/@v1\n")
    build(project / "artifacts", {b"new": b"what a job made is none of it"})
    assert publish(settings, project) == (first, 0, blobs)
    assert capsys.readouterr().err == ""


def test_a_change_is_a_version_and_a_change_back_is_the_old_one(settings: Settings, project: Path) -> None:
    publish(settings, project)
    was = (project / "run.sh").read_bytes()
    (project / "run.sh").write_bytes(b"false\n")
    second, charged, blobs = publish(settings, project)
    assert str(second) == "/projects/p/source/@v2"
    assert 0 < charged < 200_000
    (project / "run.sh").write_bytes(was)
    assert str(publish(settings, project)[0]) == "/projects/p/source/@v1"
    assert publish(settings, project)[1] == 0
    assert blobs > 0


def test_two_at_once_are_one_version(settings: Settings, project: Path) -> None:
    refs: list[Ref] = []

    async def one() -> None:
        async with open_registry(settings) as registry:
            ignore = load_ignore(str(project), (), ())
            refs.append(await publish_source(settings, registry, "p", str(project), ignore))

    async def both() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(one)

    trio.run(both)
    assert [str(ref) for ref in refs] == ["/projects/p/source/@v1"] * 2


def test_odd_things_are_warnings_and_not_too_many(
    settings: Settings, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(12):
        os.mkfifo(project / f"pipe{number:02}")
    publish(settings, project)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "c3: warning: pipe00 is a fifo; not collected"
    assert lines[9:11] == ["c3: warning: pipe09 is a fifo; not collected", "c3: and 2 more warnings"]
    (project / ".c3ignore").write_text("pipe*\n")
    publish(settings, project)
    assert "pipe" not in capsys.readouterr().err


def test_what_cannot_be_collected_is_one_error(settings: Settings, project: Path) -> None:
    here = os.open(project, os.O_RDONLY)
    for _ in range(DEPTH_MAX + 1):
        os.mkdir("x", dir_fd=here)
        below = os.open("x", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    with pytest.raises(
        CollectError,
        match=r"/project/x/.*x: deeper than .* directories; what a job does not need can be named in \.c3ignore$",
    ):
        publish(settings, project)


def test_a_symlink_to_the_project_is_the_project(settings: Settings, project: Path, tmp_path: Path) -> None:
    os.symlink("project", tmp_path / "link")
    assert publish(settings, project)[0] == publish(settings, tmp_path / "link")[0]


def test_a_script_that_the_job_would_not_get(settings: Settings, project: Path) -> None:
    spec = parse_job_spec("script: out/run.sh\noutput: [out]\n", f"{project}/.c3")
    ignore = ignored_by(spec, str(project), settings)
    check_script(spec, None, ignore)
    check_script(spec, "run.sh", ignore)
    with pytest.raises(InvalidJobSpecError) as raised:
        check_script(spec, "out/run.sh", ignore)
    why = "script 'out/run.sh' is ignored: `/out` is built in; `!out` in .c3ignore takes it back"
    assert str(raised.value) == f"{project}/.c3:1:9: {why}"


def test_a_home_is_no_project(settings: Settings) -> None:
    spec = parse_job_spec("script: run.sh", f"{settings.home}/.c3")
    with pytest.raises(InvalidJobSpecError, match="the project's folder is one of c3's own directories"):
        ignored_by(spec, settings.home, settings)
