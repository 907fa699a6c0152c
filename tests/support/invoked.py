"""The commands without a process each: run in this one, on a home with jobs that never ran."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Final

import click
import pytest
import trio

from c3fs.agent.workspace import Workspace, create_workspace
from c3fs.cli.c3 import c3
from c3fs.cli.c3fs import c3fs
from c3fs.cli.program import run_program
from c3fs.core.job import JobState, Reason
from c3fs.core.manifest import FORMAT, Inventory, Manifest, Root
from c3fs.publish.publish import PublishRequest, publish_outputs
from c3fs.registry.base import Job
from c3fs.registry.sql import SqlRegistry
from c3fs.store.directory import DirectoryStore
from tests.support.blobs import SteeredStore
from tests.support.encoded import Encoder, Source
from tests.support.programs import Result

PROGRAMS: Final[Mapping[str, click.Group]] = {"c3": c3, "c3fs": c3fs}
_WAYS: Final[Mapping[JobState, tuple[JobState, ...]]] = {
    JobState.PENDING: (),
    JobState.SCHEDULING: (JobState.SCHEDULING,),
    JobState.RUNNING: (JobState.SCHEDULING, JobState.RUNNING),
}
_numbers = count(1)


class Invoked:
    """A home below `root`, which is also the working directory of the commands."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[bytes]) -> None:
        self.root = root
        self.workspaces: list[Workspace] = []
        self._capture = capture
        monkeypatch.setenv("C3_HOME", str(root / "home"))
        monkeypatch.setenv("C3_CACHE_DIR", str(root / "cache"))
        monkeypatch.setenv("C3_CACHE_SIZE", "64MiB")
        monkeypatch.setenv("XDG_CONFIG_HOME", str(root / "config"))
        monkeypatch.chdir(root)

    def run(self, program: str, *arguments: str, code: int | None = 0) -> Result:
        """Run `c3` or `c3fs`; with `code`, that must be its exit code."""
        self._capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            run_program(PROGRAMS[program], program, list(arguments))
        out, err = self._capture.readouterr()
        number = ended.value.code
        assert isinstance(number, int)
        result = Result(number, os.fsdecode(out), os.fsdecode(err))
        assert code is None or number == code, result
        return result

    def c3(self, *arguments: str, code: int | None = 0) -> Result:
        return self.run("c3", *arguments, code=code)

    def c3fs(self, *arguments: str, code: int | None = 0) -> Result:
        return self.run("c3fs", *arguments, code=code)

    def job(
        self,
        source: Source | None,
        *,
        project: str = "demo",
        state: JobState = JobState.SUCCEEDED,
        complete: bool = True,
        alive: bool = False,
        made: tuple[SteeredStore, Root] | None = None,
    ) -> str:
        """Record a job that came to `state`, its artifacts `source` (None: none), or what was `made` without asking
        whether it is right. An `alive` one has an agent, as far as the lock tells."""
        job_id = f"job_1700000000000_{next(_numbers):06d}"
        if alive:
            (self.root / "agents").mkdir(exist_ok=True)
            self.workspaces.append(create_workspace(str(self.root / "agents"), job_id))

        async def make() -> None:
            with SqlRegistry.open(f"sqlite:///{self.root}/home/registry.db") as registry:
                await registry.add_job(_job(job_id, project, f"{self.root}/agents/{job_id}"))
                for step in _WAYS.get(state, (JobState.SCHEDULING, JobState.RUNNING, state)):
                    reason = Reason.SCRIPT_ERROR if step is JobState.FAILED else None
                    await registry.move_job(job_id, step, reason=reason, exit_code=1 if reason else None)
                if source is not None:
                    store = SteeredStore() if made is None else made[0]
                    root = Encoder(store).root(source) if made is None else made[1]
                    kept = DirectoryStore(f"{self.root}/home/store")
                    for digest, data in store.blobs.items():
                        await kept.put(digest, data)
                    blobs = [(digest, len(data)) for digest, data in store.blobs.items()]
                    inventory = Inventory(len(blobs), sum(size for _, size in blobs), ())
                    created = "2026-11-23T10:00:00.000Z"
                    manifest = Manifest(FORMAT, f"/jobs/{job_id}", created, complete, root, inventory)
                    await registry.register(manifest, blobs, mark=0)

        trio.run(make)
        return job_id

    def publish(self, ref: str, folder: Path) -> str:
        """Publish what is in the folder; the frozen ref that it got."""
        request = PublishRequest(ref, os.fsencode(folder), (b".",))

        async def publish() -> str:
            with SqlRegistry.open(f"sqlite:///{self.root}/home/registry.db") as registry:
                store = DirectoryStore(f"{self.root}/home/store")
                done = await publish_outputs(request, store, registry, now=lambda: datetime.now(UTC))
            return done.manifest.ref

        return trio.run(publish)


def _job(job_id: str, project: str, directory: str) -> Job:
    now = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    return Job(job_id, project, "named", JobState.PENDING, None, None, "{}", directory, now, None, None)
