"""Jobs run by the real `run_job`: a registry, a project folder, and an upload that a test steers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import trio

from c3fs.agent.publication import Publication, Publish, PublishRequest
from c3fs.agent.run import Machine, run_job
from c3fs.agent.workspace import Workspace, create_workspace
from c3fs.core.job import JobState, Reason
from c3fs.core.jobfile import parse_job_spec
from c3fs.core.jobspec import encode_job_spec
from c3fs.core.manifest import FORMAT, Inventory, Manifest, Root, root_span
from c3fs.core.ref import Ref
from c3fs.core.span import EMPTY_SPAN
from c3fs.registry.base import Job
from c3fs.registry.sql import SqlRegistry
from tests.support.sandboxes import PROGRAM, python_command

ID = "job_1700000000000_abc123"
SOURCE = "/projects/p/source/@v1"


@dataclass
class Upload:
    """The agent's `publish`: keeps what it was asked, and the files it found; raises `fault`, waits for `gate`."""

    fault: Exception | None = None
    gate: trio.Event | None = None
    asked: list[PublishRequest] = field(default_factory=list[PublishRequest])
    found: dict[str, str] = field(default_factory=dict[str, str])
    began: trio.Event = field(default_factory=trio.Event)

    async def __call__(self, request: PublishRequest) -> Publication:
        self.asked.append(request)
        self.began.set()
        for output in request.outputs:
            self.found |= _contents(os.fsdecode(request.base), os.fsdecode(output))
        if self.gate is not None:
            await self.gate.wait()
        await trio.lowlevel.checkpoint()
        if self.fault is not None:
            raise self.fault
        return Publication(len(self.found), sum(map(len, self.found.values())), 7, ("left out: a socket",))


def _contents(base: str, output: str) -> dict[str, str]:
    files = [path for path in sorted(Path(base, output).rglob("*")) if path.is_file()]
    return {str(path.relative_to(base)): path.read_text() for path in files}


@dataclass
class Copy:
    """The agent's `checkout`: copies the folder `project`, or waits at `gate` with half of it done, or fails."""

    project: Path
    fault: Exception | None = None
    gate: trio.Event | None = None
    asked: list[Ref] = field(default_factory=list[Ref])
    began: trio.Event = field(default_factory=trio.Event)

    async def __call__(self, source: Ref, destination: bytes) -> None:
        self.asked.append(source)
        shutil.copytree(self.project, os.fsdecode(destination), symlinks=True)
        self.began.set()
        if self.gate is not None:
            await self.gate.wait()
        await trio.lowlevel.checkpoint()
        if self.fault is not None:
            raise self.fault


@dataclass
class Bench:
    """A home below `base`, with a registry, where one job is made and run. `publish` replaces `upload`."""

    base: Path
    registry: SqlRegistry
    upload: Upload = field(default_factory=Upload)
    publish: Publish | None = None
    checkout: Copy = field(init=False)
    cancel: trio.Event = field(default_factory=trio.Event)
    reserved: tuple[str, ...] = ()
    argv: tuple[str, ...] = (*python_command(), "-m", PROGRAM)
    grace: float = 1.0
    workspace: Workspace | None = None

    def __post_init__(self) -> None:
        self.checkout = Copy(self.base / "project")

    @property
    def log(self) -> list[str]:
        assert self.workspace is not None
        return Path(self.workspace.log_path).read_text(errors="surrogateescape").splitlines()

    async def make(self, spec: str, files: Mapping[str, str] | None = None) -> Workspace:
        """Make the job PENDING, its project with `files`."""
        project = self.base / "project"
        jobs = self.base / "jobs"
        for path in (project, jobs):
            path.mkdir()
        for name, content in (files or {}).items():
            (project / name).write_text(content)
        parsed = parse_job_spec(spec, ".c3", "p")
        self.workspace = create_workspace(str(jobs), ID)
        await self._register_source()
        now = datetime.now(UTC)
        await self.registry.add_job(
            Job(
                id=ID,
                project=parsed.project,
                name=parsed.name,
                state=JobState.PENDING,
                reason=None,
                exit_code=None,
                spec=encode_job_spec(parsed),
                directory=self.workspace.directory,
                created=now,
                started=None,
                finished=None,
                source=SOURCE,
            )
        )
        return self.workspace

    async def _register_source(self) -> None:
        """A source that the registry knows; what is in it comes from `checkout`."""
        root = Root("0" * 64, 0o755, 0, root_span(EMPTY_SPAN), 0, 0, 0)
        base = SOURCE.removesuffix("/@v1")
        manifest = Manifest(FORMAT, base, "2026-01-01T00:00:00Z", True, root, Inventory(0, 0, ()))
        await self.registry.register(manifest, [], mark=0)

    async def run(self) -> Job:
        """Run the job that was made."""
        assert self.workspace is not None
        machine = Machine(self.argv, {b"PATH": os.environb[b"PATH"]}, self.reserved, self.grace, 20.0)
        return await run_job(
            ID,
            registry=self.registry,
            checkout=self.checkout,
            publish=self.publish or self.upload,
            workspace=self.workspace,
            machine=machine,
            cancel=self.cancel,
        )

    async def run_script(self, script: str, spec: str = "") -> Job:
        """Make and run a job of `script`."""
        await self.make(f"script: run.sh\n{spec}", {"run.sh": script})
        return await self.run()


def ended(job: Job) -> tuple[JobState, Reason | None, int | None]:
    assert job.finished is not None
    return job.state, job.reason, job.exit_code


def kept(bench: Bench) -> bool:
    """Whether the working directory is there still, of which the log tells."""
    assert bench.workspace is not None
    there = "work" in os.listdir(bench.workspace.directory)
    assert (f"c3: the working directory is kept: {bench.workspace.workdir}" in bench.log) == there
    return there


async def until_logged(bench: Bench, text: str) -> None:
    """Wait until the script has said it."""
    with trio.fail_after(30):
        while bench.workspace is None or text not in bench.log:  # noqa: ASYNC110 - another process says it
            await trio.sleep(0.01)
