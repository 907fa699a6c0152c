"""The names in a control plane's registry, for completion: as c3fs.registry.glance has them, asked over HTTP.

One try and little time for each question: whoever presses Tab rather has nothing than waits. Of jobs are the newest
`ASKED_MAX` looked at, and any that has ended is taken to have artifacts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import trio

from c3fs.api.client import open_client
from c3fs.api.endpoint import Remote
from c3fs.cli.exits import run_async
from c3fs.core.job import FINAL
from c3fs.core.manifest import Manifest
from c3fs.core.ref import Ref, parse_ref
from c3fs.core.retry import Retry
from c3fs.errors import JobNotFinishedError, NotFoundError, StoreUnavailableError
from c3fs.registry.base import Job, Registry
from c3fs.registry.glance import Brief
from c3fs.registry.http import HttpRegistry

ASK_WITHIN: Final = 1.0
"""Seconds for one question."""
ASKED_MAX: Final = 1000

T = TypeVar("T")


class FarGlance:
    """Answers as c3fs.registry.glance.Glance does, and raises what HttpRegistry does."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def jobs(self, prefix: str, limit: int, *, project: str | None = None, running: bool = False) -> list[Brief]:
        found = self._ask(lambda registry: registry.jobs(project=project, limit=ASKED_MAX))
        return _briefs(found, prefix, limit, lambda job: not (running and job.state in FINAL))

    def artifacts(self, prefix: str, limit: int, *, project: str | None = None) -> list[Brief]:
        found = self._ask(lambda registry: registry.jobs(project=project, limit=ASKED_MAX))
        return _briefs(found, prefix, limit, lambda job: job.state in FINAL)

    def projects(self) -> list[str]:
        return self._ask(lambda registry: registry.projects())

    def datasets(self, project: str | None) -> list[str]:
        return self._ask(lambda registry: registry.datasets(project))

    def versions(self, ref: Ref) -> list[int]:
        found = self._ask(lambda registry: registry.versions(ref))
        return [number for manifest in found if (number := parse_ref(manifest.ref).number) is not None]

    def manifest(self, ref: Ref) -> Manifest | None:
        try:
            return self._ask(lambda registry: registry.manifest(ref))
        except (NotFoundError, JobNotFinishedError):
            return None

    def _ask(self, question: Callable[[Registry], Awaitable[T]]) -> T:
        async def main() -> T:
            async with open_client(self._remote, Retry(tries=1)) as client:
                with trio.move_on_after(ASK_WITHIN):
                    return await question(HttpRegistry(client))
            raise StoreUnavailableError(f"{self._remote.endpoint} takes too long for a completion")

        return run_async(main)


def _briefs(jobs: list[Job], prefix: str, limit: int, wanted: Callable[[Job], bool]) -> list[Brief]:
    found = [job for job in jobs if job.id.startswith(prefix) and wanted(job)]
    return [Brief(job.id, job.project, job.name, job.state) for job in found[:limit]]
