"""The registry in a SQL database: the calls of c3fs.registry.base, each one transaction in a worker thread."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Self, TypeVar

import anyio.to_thread
from sqlalchemy import Connection

from c3fs.core.digest import Digest
from c3fs.core.job import JobState, Reason
from c3fs.core.manifest import Manifest
from c3fs.core.ref import Ref
from c3fs.errors import InvalidRefError
from c3fs.registry import again, calls, consumed, jobs, ledger, manifests, refs, sweeps
from c3fs.registry.base import Balance, Job, Registration, Sweep, Usage
from c3fs.registry.database import LOCK_WAIT_S, Database
from c3fs.registry.opening import open_database
from c3fs.registry.schema import DEFAULT_ACCOUNT
from c3fs.registry.views import View

T = TypeVar("T")
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


class SqlRegistry:
    """Behind c3fs.registry.base.Registry and SweepRegistry, for one account. Made by `open`, or at no cost for one
    more account of a database. Not to be used across a fork, nor under trio and asyncio in turn.

    A cancelled reading call leaves its thread behind. A writing call that has begun is not cancelled: its caller
    knows what became of it. Both are bounded: by TRIES * LOCK_WAIT_S in SQLite, by GIVE_UP_S + ANSWER_WITHIN_S in
    PostgreSQL.
    """

    def __init__(self, database: Database, view: View, now: Clock) -> None:
        self._database = database
        self._view = view
        self._account = view.account
        self._now = now

    @classmethod
    def open(
        cls,
        url: str,
        *,
        account: str = DEFAULT_ACCOUNT,
        now: Clock = utc_now,
        lock_wait_s: float = LOCK_WAIT_S,
    ) -> Self:
        """The registry at `url` (`sqlite:////absolute/path`), made if it is not there. Blocks for some ms.

        Raises SettingsError (the URL), StoreRefusedError (no registry, damaged, of another version, no
        permission, disk full), StoreUnavailableError (stays locked).
        """
        return cls(open_database(url, lock_wait_s=lock_wait_s), View(account), now)

    def __repr__(self) -> str:
        return f"<SqlRegistry of {self._account} in {self._database!r}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections. No call may be under way, but for reading ones that were cancelled."""
        self._database.close()

    async def add_job(self, job: Job) -> None:
        """See c3fs.registry.base, as for all below. Also raises InvalidRefError."""
        await self._write(
            lambda connection: consumed.add_job(connection, self._view, job),
            lambda connection: again.add_job(connection, self._view, job),
        )

    async def job(self, job_id: str) -> Job:
        return await self._read(lambda connection: jobs.get_job(connection, self._view, job_id))

    async def jobs(
        self, *, project: str | None = None, state: JobState | None = None, limit: int | None = None
    ) -> list[Job]:
        return await self._read(lambda connection: jobs.list_jobs(connection, self._view, project, state, limit))

    async def move_job(
        self, job_id: str, state: JobState, *, reason: Reason | None = None, exit_code: int | None = None
    ) -> Job:
        now = self._now()
        return await self._write(
            lambda connection: jobs.move_job(connection, self._view, job_id, state, reason, exit_code, now),
            lambda connection: again.move_job(connection, self._view, job_id, state, reason, exit_code, now),
        )

    async def request_cancel(self, job_id: str) -> Job:
        now = self._now()
        return await self._write(
            lambda connection: jobs.request_cancel(connection, self._view, job_id, now),
            lambda connection: again.request_cancel(connection, self._view, job_id, now),
        )

    async def consumers(self, ref: Ref) -> list[Job]:
        return await self._read(lambda connection: consumed.list_consumers(connection, self._view, ref))

    async def mark(self) -> int:
        now = self._now()
        return await self._read(lambda connection: sweeps.mark(connection, self._account, now))

    async def register(
        self, manifest: Manifest, blobs: Sequence[tuple[Digest, int]], *, mark: int, onto: int | None = None
    ) -> Registration:
        """Also raises InvalidFormatError and InvalidRefError. 100,000 blobs take a second."""
        now = self._now()
        entry = await anyio.to_thread.run_sync(manifests.make_entry, manifest, blobs, mark, onto)
        return await self._write(lambda connection: manifests.register(connection, self._account, entry, now))

    async def resolve(self, ref: Ref) -> Ref:
        return await self._read(lambda connection: refs.resolve(connection, self._view, ref))

    async def manifest(self, ref: Ref) -> Manifest:
        return await self._read(lambda connection: refs.find_manifest(connection, self._view, ref))

    async def artifacts(self, *, project: str | None = None) -> dict[str, Manifest]:
        return await self._read(lambda connection: manifests.list_artifacts(connection, self._view, project))

    async def versions(self, ref: Ref) -> list[Manifest]:
        return await self._read(lambda connection: manifests.list_versions(connection, self._view, ref))

    async def datasets(self, project: str | None = None) -> list[str]:
        return await self._read(lambda connection: manifests.list_datasets(connection, self._view, project))

    async def projects(self) -> list[str]:
        return await self._read(lambda connection: manifests.list_projects(connection, self._view))

    async def remove(self, refs: Sequence[Ref]) -> int:
        """Also raises InvalidRefError."""
        for ref in refs:
            if not ref.frozen or ref.sub:
                raise InvalidRefError(str(ref), "what is removed is one whole tree, by its id or version")
        now = self._now()
        return await self._write(
            lambda connection: manifests.remove(connection, self._view, refs, now),
            lambda connection: again.remove(connection, self._view, refs, now),
        )

    async def usage(self, refs: Sequence[Ref]) -> Usage:
        return await self._read(lambda connection: self._usage(connection, refs))

    async def balance(self, lines: int = 10) -> Balance:
        return await self._read(lambda connection: ledger.get_balance(connection, self._account, lines))

    async def set_quota(self, quota: int) -> None:
        await self._write(lambda connection: ledger.set_quota(connection, self._account, quota))

    async def named(self, digests: Collection[Digest]) -> set[Digest]:
        return await self._read(lambda connection: sweeps.named(connection, self._account, digests))

    async def condemn(self, digests: Collection[Digest], seconds: float) -> Sweep:
        now = self._now()
        return await self._write(lambda connection: sweeps.condemn(connection, self._account, digests, seconds, now))

    async def settle(self, sweep: Sweep) -> None:
        await self._write(lambda connection: sweeps.settle(connection, sweep))

    def _usage(self, connection: Connection, named: Sequence[Ref]) -> Usage:
        return ledger.get_usage(connection, self._account, refs.find_ids(connection, self._view, named))

    async def _read(self, work: Callable[[Connection], T]) -> T:
        return await calls.read(self._database, work)

    async def _write(self, work: Callable[[Connection], T], repeated: Callable[[Connection], T] | None = None) -> T:
        """Without `repeated`, doing `work` twice is as good as once."""
        return await calls.write(self._database, work, repeated or work)
