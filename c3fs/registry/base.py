"""The one protocol behind which jobs, manifests and the storage ledger are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from c3fs.core.digest import Digest
from c3fs.core.job import JobState, Reason
from c3fs.core.manifest import Manifest
from c3fs.core.ref import Ref


@dataclass(frozen=True, slots=True)
class Job:
    """One job's record. Times are aware datetimes in UTC.

    `spec` is the job spec as JSON (core.jobspec); `directory` the job's own directory on the machine that
    runs it (log, working directory).
    """

    id: str
    project: str
    name: str
    state: JobState
    reason: Reason | None
    exit_code: int | None
    spec: str
    directory: str
    created: datetime
    started: datetime | None
    finished: datetime | None


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """One change of an account's stored bytes; `balance` is what it came to."""

    at: datetime
    ref: str
    delta: int
    balance: int


@dataclass(frozen=True, slots=True)
class Balance:
    """What the account stores. The quota is soft: passing it warns, rejects nothing."""

    stored: int
    quota: int
    lines: tuple[LedgerLine, ...]


@dataclass(frozen=True, slots=True)
class Registration:
    """What registering a manifest did: bytes newly charged, and False if it was already there."""

    charged: int
    created: bool


class Registry(Protocol):
    """Any number of tasks, processes and machines may call it at once; each call is one transaction.

    Every method may raise StoreUnavailableError when the database does not answer within its bound.
    """

    async def add_job(self, job: Job) -> None:
        """Record a new job; ConflictError if its id is taken."""
        ...

    async def job(self, job_id: str) -> Job:
        """Raises JobNotFoundError."""
        ...

    async def jobs(
        self, *, project: str | None = None, state: JobState | None = None, limit: int | None = None
    ) -> list[Job]:
        """The newest first."""
        ...

    async def move_job(
        self, job_id: str, state: JobState, *, reason: Reason | None = None, exit_code: int | None = None
    ) -> Job:
        """Move the job along core.job.TRANSITIONS and note the time (started on RUNNING, finished on a final
        state); raises IllegalTransitionError, JobNotFoundError. Of two racing callers one wins."""
        ...

    async def register(self, manifest: Manifest, blobs: Sequence[tuple[Digest, int]]) -> Registration:
        """Make the manifest visible under its ref, and charge the bytes of those `blobs` (inventory rows and
        the inventory's own parts) that no manifest of the account named before.

        The same manifest again, at another time too, changes and charges nothing; another one under the same ref
        raises ConflictError, for a published tree never changes.
        """
        ...

    async def manifest(self, ref: Ref) -> Manifest:
        """The manifest that `ref` (sub-path ignored) names. Raises RefNotFoundError, or JobNotFinishedError
        when the ref is that of a job that has not ended."""
        ...

    async def balance(self, lines: int = 10) -> Balance:
        """The account's stored bytes and its newest ledger lines."""
        ...
