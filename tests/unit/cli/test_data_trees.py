"""`c3 data rm`, `du`, `log` and `diff`: what is done with whole published trees."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import trio

from c3fs.agent.workspace import create_workspace
from c3fs.core.job import JobState
from c3fs.registry.sql import SqlRegistry
from tests.support.blobs import seeded
from tests.support.invoked import Invoked
from tests.support.records import make_job

SHARED = seeded(1, 700_000)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the versions of a data set are made of."""
    top = tmp_path / "folder"
    (top / "deep").mkdir(parents=True)
    (top / "large").write_bytes(SHARED)
    (top / "deep" / "small").write_text("one")
    (top / "link").symlink_to("large")
    return top


def stored(cli: Invoked) -> int:
    return cli.c3("balance", "--json").json["stored"]


# --- log ---------------------------------------------------------------------------------------


def test_log_lists_versions_the_newest_first(cli: Invoked, folder: Path) -> None:
    for text in ("one", "two"):
        (folder / "deep" / "small").write_text(text * 1000)
        cli.publish("/datasets/d", folder)
    lines = cli.c3("data", "log", "/datasets/d").out.splitlines()
    assert lines[0].split() == ["VERSION", "CREATED", "FILES", "SIZE", "REF"]
    assert [line.split()[0] for line in lines[1:]] == ["v2", "v1"]
    newest = cli.c3("data", "log", "/datasets/d/@latest/deep", "--json").json
    assert [(row["ref"], row["version"], row["files"], row["bytes"]) for row in newest] == [
        ("/datasets/d/@v2", "v2", 3, 703_000)
    ]
    job = cli.job({b"a": b"x"}, complete=False, state=JobState.FAILED)
    assert "(incomplete)" in cli.c3("data", "log", f"/jobs/{job}").out
    assert cli.c3("data", "log", "/datasets/none", code=3).err == "c3: error: /datasets/none: no such ref\n"


# --- du ----------------------------------------------------------------------------------------


def test_du_tells_what_deleting_would_give_back(cli: Invoked, folder: Path) -> None:
    cli.publish("/datasets/d", folder)
    (folder / "more").write_bytes(seeded(2, 600_000))
    cli.publish("/datasets/d", folder)
    newest, first, total = cli.c3("data", "du", "/datasets/d", "--json").json
    assert [row["path"] for row in (newest, first, total)] == ["/datasets/d/@v2", "/datasets/d/@v1", "/datasets/d"]
    assert (first["bytes"], newest["bytes"], total["bytes"]) == (700_003, 1_300_003, 2_000_006)
    assert first["unique"] < 10_000
    assert 600_000 < newest["unique"] < 610_000
    assert total["unique"] == stored(cli)
    for path in ("/", "/datasets", "/datasets/d"):
        assert cli.c3("data", "du", "-s", path, "--json").json == [{**total, "path": path}]
    assert cli.c3("data", "rm", "-y", "/datasets/d", "--json").json["freed"] == total["unique"]
    assert stored(cli) == 0


def test_du_of_a_part_knows_no_unique_bytes(cli: Invoked, folder: Path) -> None:
    cli.publish("/datasets/d", folder)
    lines = cli.c3("data", "du", "/datasets/d/deep", "/datasets/d/large", "/datasets/d/link").out.splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["3", "B", "1", "-", "/datasets/d/deep"],
        ["683.6", "KiB", "1", "-", "/datasets/d/large"],
        ["0", "B", "0", "-", "/datasets/d/link"],
    ]
    assert cli.c3("data", "du", "/datasets/d/none", code=3).err == "c3: error: none: no such file or directory\n"


def test_du_of_jobs_and_projects(cli: Invoked, folder: Path) -> None:
    job = cli.job({b"a": b"12345"}, project="p")
    cli.job({b"a": b"other"}, project="q")
    cli.publish("/projects/p/data/d", folder)
    cli.publish("/projects/p/source", folder)
    paths = [row["path"] for row in cli.c3("data", "du", "/projects/p", "--json").json]
    assert paths == [f"/jobs/{job}", "/projects/p/data/d/@v1", "/projects/p/source/@v1", "/projects/p"]
    for path, bytes_ in (
        ("/jobs", 10),
        ("/projects/p/jobs", 5),
        ("/projects/p/data", 700_003),
        ("/projects", 1_400_016),
    ):
        assert cli.c3("data", "du", "-s", path, "--json").json[0]["bytes"] == bytes_
    assert cli.c3("data", "du", "/projects/none", code=3).err == "c3: error: /projects/none: no such project\n"
    cli.c3("data", "du", "/projects/No/jobs", code=2)
    cli.c3("data", "du", "/nowhere", code=2)


# --- diff --------------------------------------------------------------------------------------


def test_diff_tells_what_changed(cli: Invoked, folder: Path) -> None:
    cli.publish("/datasets/d", folder)
    assert cli.c3("data", "diff", "/datasets/d/@v1", "/datasets/d").out == ""
    (folder / "deep" / "small").write_text("three")
    (folder / "link").unlink()
    shutil.copy(folder / "large", folder / "added")
    cli.publish("/datasets/d", folder)
    told = cli.c3("data", "diff", "/datasets/d/@v1", "/datasets/d", code=1)
    assert told.out == "A added\nM deep/small\nD link\n"
    lines = cli.c3("data", "diff", "--stat", "/datasets/d/@v1", "/datasets/d/", code=1).out.splitlines()
    assert lines[1] == "M deep/small  (3 B -> 5 B)"
    assert lines[-1] == "1 added, 1 removed, 1 changed; +683.6 KiB"
    assert cli.c3("data", "diff", "/datasets/d/@v2", "/datasets/d/@v1", "--json", code=1).json[0] == {
        "change": "removed",
        "path": "added",
        "before": 700_000,
        "after": None,
    }
    assert cli.c3("data", "diff", "/datasets/d/@v1/deep", "/datasets/d/@v2/deep", code=1).out == "M small\n"
    assert cli.c3("data", "diff", "/datasets/d/@v2/large", "/datasets/d/@v2/added").out == ""
    cli.c3("data", "diff", "/datasets/d/@v2/none", "/datasets/d", code=3)


# --- rm ----------------------------------------------------------------------------------------


def test_rm_deletes_and_says_what_that_gave_back(cli: Invoked, folder: Path) -> None:
    job = cli.job({b"a": seeded(3, 1000)})
    cli.publish("/datasets/d", folder)
    before = stored(cli)
    told = cli.c3("data", "rm", "-y", f"/projects/demo/jobs/{job}")
    assert told.out == f"/jobs/{job}\n"
    assert "given back" in told.err
    left = stored(cli)
    assert left < before
    assert "was deleted on 20" in cli.c3("data", "ls", f"/jobs/{job}/", code=3).err
    assert cli.c3("squeue", "--json").json[0]["job_id"] == job
    cli.c3("data", "rm", "-y", f"/jobs/{job}", code=3)
    removed = cli.c3("data", "rm", "-y", "/datasets/d", "--json").json
    assert removed["removed"] == ["/datasets/d/@v1"]
    assert (removed["freed"], stored(cli)) == (left, 0)
    assert cli.publish("/datasets/d", folder) == "/datasets/d/@v2"


def test_rm_of_a_data_set_deletes_all_versions(cli: Invoked, folder: Path) -> None:
    for number in range(3):
        (folder / "deep" / "small").write_text(str(number))
        cli.publish("/projects/p/data/d", folder)
    cli.c3("data", "rm", "-y", "/projects/p/data/d/@v2")
    assert [row["version"] for row in cli.c3("data", "log", "/projects/p/data/d", "--json").json] == ["v3", "v1"]
    told = cli.c3("data", "rm", "-y", "/projects/p/data/d")
    assert told.out == "/projects/p/data/d/@v3\n/projects/p/data/d/@v1\n"


def test_rm_asks_where_there_is_nobody_to_ask(cli: Invoked, folder: Path) -> None:
    cli.publish("/datasets/d", folder)
    assert "-y says yes" in cli.c3("data", "rm", "/datasets/d", code=2).err
    assert cli.c3("data", "log", "/datasets/d").out.count("@v1") == 1


def test_rm_of_a_part_is_refused(cli: Invoked, folder: Path) -> None:
    cli.publish("/datasets/d", folder)
    told = cli.c3("data", "rm", "-y", "/datasets/d/@v1/large", code=2)
    assert "a published tree never changes; rm deletes all of /datasets/d/@v1, or nothing" in told.err
    cli.c3("data", "rm", "-y", "/jobs", code=2)


def test_rm_takes_all_paths_or_none(cli: Invoked, folder: Path) -> None:
    cli.publish("/datasets/a", folder)
    cli.publish("/datasets/b", folder)
    before = stored(cli)
    cli.c3("data", "rm", "-y", "/datasets/a", "/datasets/none", code=3)
    assert stored(cli) == before
    told = cli.c3("data", "rm", "-y", "/datasets/a", "/datasets/a/@v1", "/datasets/b")
    assert told.out == "/datasets/a/@v1\n/datasets/b/@v1\n"
    assert stored(cli) == 0


def test_rm_leaves_what_a_job_consumes(cli: Invoked, folder: Path) -> None:
    frozen = cli.publish("/datasets/d", folder)
    consumer = make_job(1)
    os.mkdir(cli.root / "agents")
    workspace = create_workspace(str(cli.root / "agents"), consumer.id)
    cli.workspaces.append(workspace)

    async def consume() -> None:
        with SqlRegistry.open(f"sqlite:///{cli.root}/home/registry.db") as registry:
            values = {name: getattr(consumer, name) for name in consumer.__slots__}
            values |= {"inputs": (frozen + "/deep",), "directory": workspace.directory}
            await registry.add_job(type(consumer)(**values))

    trio.run(consume)
    told = cli.c3("data", "rm", "-y", "/datasets/d", code=4)
    assert told.err == (
        f"c3: error: {frozen} is in use by {consumer.id}; wait for its end, or `c3 cancel {consumer.id}`\n"
    )
