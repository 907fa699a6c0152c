"""The one protocol behind which jobs, manifests, sweeps and the storage ledger are kept."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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
    runs it (log, working directory). `inputs` are the frozen refs of what it mounts, in the order of its spec, and
    `source` that of its project folder: what it consumed, whatever is published later. `cancel_requested` is when
    somebody asked for its end. `agent` is who has taken the job from the queue of a control plane; it is None, and
    `directory` says something, where jobs run on the machine that deploys them.
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
    inputs: tuple[str, ...] = ()
    source: str | None = None
    cancel_requested: datetime | None = None
    agent: str | None = None


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
    """What registering did: bytes newly charged; False if the tree was there already; the manifest as it is visible
    now, with the version it got."""

    charged: int
    created: bool
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes of the distinct blobs that some manifests name, and of those among them that no other manifest of the
    account names: what removing all of them would give back."""

    stored: int
    unique: int


@dataclass(frozen=True, slots=True)
class Sweep:
    """The right to delete `condemned` from the store, until `seconds` have passed since it was asked for."""

    id: int
    condemned: frozenset[Digest]


class Registry(Protocol):
    """Any number of tasks, processes and machines may call it at once; each call is one transaction.

    Every method may raise StoreUnavailableError when the database does not answer within its bound.
    """

    # --- jobs

    async def add_job(self, job: Job) -> None:
        """Record a new job; ConflictError if its id is taken, RefNotFoundError if something it consumes (`inputs`,
        `source`: frozen refs) is not there any more."""
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

    async def request_cancel(self, job_id: str) -> Job:
        """Ask for the job's end, and return its record. A PENDING job is CANCELED at once; of any other that has not
        ended the agent finds `cancel_requested` set. Raises JobNotFoundError, IllegalTransitionError (it has ended)."""
        ...

    async def consumers(self, ref: Ref) -> list[Job]:
        """The jobs that mounted the tree which the frozen `ref` names, or a part of it, or had it for their source;
        the newest first."""
        ...

    # --- published trees

    async def mark(self) -> int:
        """Where sweeps are now. Who publishes asks for it before asking the store what is missing: see `register`."""
        ...

    async def register(
        self, manifest: Manifest, blobs: Sequence[tuple[Digest, int]], *, mark: int, onto: int | None = None
    ) -> Registration:
        """Make the manifest visible under its ref, and charge the bytes of those `blobs` (inventory rows and
        the inventory's own parts) that no manifest of the account named before.

        A data set's or source's ref without a version gets the next one, unless the newest version has the same tree:
        then that one is the answer. Of a source any version with the same tree is; "the same" is equal digest and
        completeness. Versions are never used twice, also when they are removed.

        The same manifest again, at another time too, changes and charges nothing; another one under the same frozen
        ref, or one of a ref that was removed, raises ConflictError, for a published tree never changes.

        `onto` is the number of the version that a data set's next one was made from, 0 if there was none: raises
        OutdatedError when that is not the newest any more.

        Raises SweptError when a sweep since `mark` may have deleted one of the blobs: the caller asks the store
        again what is missing, with a new mark.
        """
        ...

    async def resolve(self, ref: Ref) -> Ref:
        """The frozen ref, with the same sub-path, of the published tree that `ref` names now: `@last` and `@name:…`
        become a job, `@latest` and no version a number, and a job is named without its project.

        Raises RefNotFoundError, or JobNotFinishedError when the ref is that of a job that has not ended."""
        ...

    async def manifest(self, ref: Ref) -> Manifest:
        """The manifest of the tree that `ref` (sub-path ignored) names. Raises as `resolve` does."""
        ...

    async def artifacts(self, *, project: str | None = None) -> dict[str, Manifest]:
        """The manifests of all ended jobs that have one, by job id; also those with no job's record here."""
        ...

    async def versions(self, ref: Ref) -> list[Manifest]:
        """All versions of a data set or source (`ref`'s version and sub-path ignored), the newest first; none is an
        empty list."""
        ...

    async def datasets(self, project: str | None = None) -> list[str]:
        """The names of the data sets that have a version, of a project or (None) of none."""
        ...

    async def projects(self) -> list[str]:
        """The names of all projects that have a job, a data set or a source."""
        ...

    async def remove(self, refs: Sequence[Ref]) -> int:
        """Remove the manifests that the frozen `refs` name, all or none; the bytes that gives back to the account.

        Raises RefNotFoundError, JobNotFinishedError, InUseError (a job that has not ended consumes it)."""
        ...

    # --- storage

    async def usage(self, refs: Sequence[Ref]) -> Usage:
        """Of the published trees that the frozen `refs` name, also those of jobs that have not ended yet; raises
        RefNotFoundError."""
        ...

    async def balance(self, lines: int = 10) -> Balance:
        """The account's stored bytes and its newest ledger lines."""
        ...

    async def set_quota(self, quota: int) -> None:
        """In bytes, at least 0."""
        ...


class SweepRegistry(Protocol):
    """A registry as gc sees it: that of one account, whose blobs have a store of their own."""

    async def named(self, digests: Collection[Digest]) -> set[Digest]:
        """Those of `digests` that a manifest of the account names."""
        ...

    async def condemn(self, digests: Collection[Digest], seconds: float) -> Sweep:
        """Begin a sweep: those of `digests` that no manifest names may be deleted for the next `seconds`. From this
        moment nothing that was marked before can be registered with one of them. See the package's notes."""
        ...

    async def settle(self, sweep: Sweep) -> None:
        """End the sweep: nothing is deleted on its account any more. A sweep that is never settled ends by time."""
        ...
