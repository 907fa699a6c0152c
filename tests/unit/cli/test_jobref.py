"""JOB arguments, `c3 show`, `c3 lineage` and the tail of `c3 logs` on a home with made-up jobs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
from msgspec import structs

from c3fs.cli.joblogs import start_of_tail
from c3fs.core.job import JobState, Reason
from c3fs.core.jobfile import parse_job_spec
from c3fs.core.jobspec import encode_job_spec
from c3fs.registry.base import Job
from c3fs.registry.sql import SqlRegistry
from tests.support.invoked import Invoked
from tests.support.records import make_manifest

T0 = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
SPEC = """
project: p
script: "true"
job_name: train
time: 01:02:03
gpu: l40
datasets:
  - ref: /datasets/d/@v1
    mount: /data/d
output: [out]
"""
LOGS = [b"", b"a", b"a\n", b"a\nb", b"a\nb\n", b"\n\n\n", b"x" * 70_000 + b"\ny\n" * 9, b"z\n" * 70_000]
Record = Callable[..., str]


def ident(number: int) -> str:
    return f"job_17000000000{number:02d}_aaaaaa"


@pytest.fixture
def record(cli: Invoked, tmp_path: Path) -> Record:
    """Records a job that SUCCEEDED with artifacts, or came to another state without any."""

    def make(
        number: int, *inputs: str, state: JobState = JobState.SUCCEEDED, spec: str = "{}", project: str = "p"
    ) -> str:
        job = Job(
            ident(number),
            project,
            f"job {number}",
            JobState.PENDING,
            None,
            None,
            spec,
            f"{tmp_path}/jobs/{ident(number)}",
            T0 + timedelta(minutes=number),
            None,
            None,
            inputs,
        )

        async def run() -> None:
            with SqlRegistry.open(f"sqlite:///{cli.root}/home/registry.db") as registry:
                await registry.add_job(job)
                await registry.move_job(job.id, JobState.SCHEDULING)
                await registry.move_job(job.id, JobState.RUNNING)
                if state is JobState.SUCCEEDED:
                    await registry.register(make_manifest(f"/jobs/{job.id}", job.id), [], mark=0)
                failed = state is JobState.FAILED
                reason = Reason.SCRIPT_ERROR if failed else None
                await registry.move_job(job.id, state, reason=reason, exit_code=3 if failed else 0)

        (tmp_path / "home").mkdir(exist_ok=True)
        trio.run(run)
        return job.id

    return make


def dataset(cli: Invoked, content: str = "") -> str:
    async def run() -> str:
        with SqlRegistry.open(f"sqlite:///{cli.root}/home/registry.db") as registry:
            done = await registry.register(make_manifest("/datasets/d", content), [], mark=0)
        return done.manifest.ref

    (cli.root / "home").mkdir(exist_ok=True)
    return trio.run(run)


# --- which job is meant ------------------------------------------------------------------------


def test_a_job_can_be_said_in_many_ways(cli: Invoked, record: Record) -> None:
    first, second = record(1), record(12, state=JobState.FAILED)
    said = {
        first: first,
        "job_1700000000001": first,
        "job_170000000001": second,
        f"/jobs/{second}": second,
        "/projects/p/jobs/@last": first,
        "/projects/p/jobs/@name:job 1": first,
        "@last": second,
    }
    for text, job in said.items():
        assert cli.c3("show", text, "--json").json["job_id"] == job
    several = cli.c3("show", "job_17", code=2).err
    assert several == f"c3: error: job_17 is the beginning of {second}, {first}\n"
    cli.c3("show", "job_18", code=3)
    for wrong in ("job", "nothing", "/datasets/d", f"/jobs/{first}/artifacts", "@first"):
        cli.c3("show", wrong, code=2)


def test_the_last_job_is_that_of_the_project_one_is_in(cli: Invoked, record: Record) -> None:
    record(1, project="p")
    record(2, project="q")
    (cli.root / ".c3").write_text("project: p\nscript: x\n")
    assert cli.c3("show", "@last", "--json").json["job_id"] == ident(1)
    (cli.root / ".c3").write_text("project: r\nscript: x\n")
    assert cli.c3("show", "@last", code=3).err == "c3: error: project r has no job yet\n"


# --- show --------------------------------------------------------------------------------------


def test_show_tells_everything(cli: Invoked, record: Record) -> None:
    ref = dataset(cli)
    spec = parse_job_spec(SPEC, "/somewhere/.c3")
    (mount,) = spec.datasets
    asked = structs.replace(spec, datasets=(structs.replace(mount, asked="/datasets/d"),))
    job = record(1, ref, spec=encode_job_spec(asked))
    text = cli.c3("show", job).out
    shown = {line[:12].strip(): line[12:].strip() for line in text.splitlines() if line[:12].strip()}
    assert shown["Status"] == "SUCCEEDED (exit code 0)"
    assert shown["Time limit"] == "1:02:03"
    assert shown["Input"] == "/datasets/d/@v1 at /data/d (as /datasets/d)"
    assert shown["Output"] == "$C3_ARTIFACTS_DIR, out"
    assert shown["Ignored"] == "gpu: l40"
    assert shown["Artifacts"] == f"/jobs/{job}: 3 files, 4.0 KiB"
    assert shown["Log"].endswith(f"/jobs/{job}/log (not on this machine)")
    found = cli.c3("show", job, "--json").json
    assert found["inputs"] == [{"ref": ref, "mount": "/data/d", "asked": "/datasets/d"}]
    assert found["artifacts"] == {"ref": f"/jobs/{job}", "files": 3, "bytes": 4096, "complete": True}
    assert (found["outputs"], found["time"], found["source"]) == (["artifacts", "out"], 3723, None)


def test_show_says_why_there_are_no_artifacts(cli: Invoked, record: Record) -> None:
    failed, removed = record(1, state=JobState.FAILED), record(2)
    running = cli.job(None, state=JobState.RUNNING, alive=True)
    cli.c3("data", "rm", "-y", f"/jobs/{removed}")
    for job, why in ((failed, "none: has no artifacts"), (running, "none: it has not ended")):
        assert why in cli.c3("show", job).out
    assert "none: was deleted on 20" in cli.c3("show", removed).out
    assert "FAILED (SCRIPT_ERROR, exit code 3)" in cli.c3("show", failed).out
    assert " (running for 0:00:0" in cli.c3("show", running).out
    assert cli.c3("show", failed, "--json").json["artifacts"] is None


# --- lineage -----------------------------------------------------------------------------------


def test_lineage_goes_both_ways(cli: Invoked, record: Record) -> None:
    ref = dataset(cli)
    first = record(1, f"{ref}/deep", ref)
    second = record(2, f"/jobs/{first}/out", ref)
    record(3, f"/jobs/{second}", state=JobState.FAILED)
    lines = cli.c3("lineage", second).out.splitlines()
    assert lines[0].startswith(f"/jobs/{second}  p: job 2  SUCCEEDED  20")
    assert [line.split("  ")[0] for line in lines[1:]] == [
        "made from:",
        f"├── /jobs/{first}",
        "│",
        f"└── {ref}",
        "consumed by:",
        f"└── /jobs/{ident(3)}",
    ]
    assert "shown elsewhere" in lines[3]
    assert lines[-1].endswith("(has no artifacts)")
    down = cli.c3("lineage", "--down", ref).out
    assert [line.split("  ")[0] for line in down.splitlines()[:2]] == [ref, "consumed by:"]
    assert "made from" not in down
    up = cli.c3("lineage", "--up", f"/projects/p/jobs/{second}", "--json").json
    assert [node["ref"] for node in up["inputs"]] == [f"/jobs/{first}", ref]
    assert up["inputs"][0]["inputs"] == [{**up["inputs"][1], "remark": "shown elsewhere", "inputs": None}]
    assert "consumers" not in up
    assert [node["created"] for node in up["inputs"]] == ["2026-11-23T10:01:00.000Z", "2026-01-02T03:04:05.678Z"]
    alone = cli.c3("lineage", "--up", ref).out.splitlines()
    assert alone[0].startswith(f"{ref}  2026-01-0")
    assert alone[1:] == ["made from: nothing"]
    cli.c3("lineage", f"/jobs/{first}/out", code=2)


def test_paths_that_meet_again_cost_nothing(cli: Invoked, record: Record) -> None:
    """Forty diamonds in a row are 2^40 paths."""
    below: list[str] = []
    for number in range(0, 40, 2):
        pair = [record(number + at, *below) for at in (0, 1)]
        below = [f"/jobs/{job}" for job in pair]
    top = record(40, *below)
    lines = cli.c3("lineage", "--up", top, "--depth", "100").out.splitlines()
    assert len(lines) == 2 + 40 + 38
    assert sum("shown elsewhere" in line for line in lines) == 38
    assert len(cli.c3("lineage", top, "--depth", "2").out.splitlines()) == 3 + 2 + 2 + 2
    assert "--depth shows more" in cli.c3("lineage", top, "--depth", "2").out


# --- the tail of a log -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", [b"", b"a", b"a\n", b"a\nb", b"a\nb\n", b"\n\n\n", b"x" * 70_000 + b"\ny\n" * 9, b"z\n" * 70_000]
)
@pytest.mark.parametrize("lines", [0, 1, 2, 3, 10, 69_999, 70_000, 70_001])
def test_the_last_lines_are_found_from_the_end(tmp_path: Path, text: bytes, lines: int) -> None:
    (tmp_path / "log").write_bytes(text)
    kept = text.splitlines(keepends=True)[-lines:] if lines else []
    assert text[start_of_tail(str(tmp_path / "log"), lines) :] == b"".join(kept)


def test_logs_shows_the_last_lines(cli: Invoked, record: Record) -> None:
    job = record(1)
    path = Path(cli.c3("show", job, "--json").json["log"])
    path.parent.mkdir(parents=True)
    path.write_text("one\ntwo\nthree\n")
    assert cli.c3("logs", "-n", "2", "@last").out == "two\nthree\n"
    assert cli.c3("logs", job[:20]).out == "one\ntwo\nthree\n"
