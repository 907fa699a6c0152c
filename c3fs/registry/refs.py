"""What refs name, in SQL. Each function is part of a transaction that its caller makes.

Every published tree has a row for ever; one that was removed is a row that says when. So a number is never given to
another tree, and whoever asks for what is gone is told so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from c3fs.core.job import FINAL, JobState
from c3fs.core.manifest import Manifest, decode_manifest
from c3fs.core.ref import Ref
from c3fs.errors import JobNotFinishedError, RefNotFoundError
from c3fs.registry.base import Job
from c3fs.registry.jobs import BATCH, find_job, newest_first, read_jobs
from c3fs.registry.schema import jobs, manifests
from c3fs.registry.views import View


def resolve(connection: Connection, view: View, ref: Ref) -> Ref:
    """See c3fs.registry.base."""
    return _found(connection, view, ref)[0]


def find_manifest(connection: Connection, view: View, ref: Ref) -> Manifest:
    """See c3fs.registry.base."""
    return decode_manifest(_found(connection, view, ref)[1].body)


def find_id(connection: Connection, view: View, ref: Ref) -> int:
    """The id of the manifest that `ref` names; raises as `resolve` does."""
    return _found(connection, view, ref)[1].id


def find_ids(connection: Connection, view: View, refs: Sequence[Ref]) -> list[int]:
    """The ids of the manifests that many frozen refs name. Raises RefNotFoundError."""
    wanted = {(ref.base, ref.number or 0): ref for ref in refs}
    bases = sorted({base for base, _ in wanted})
    found: dict[tuple[str, int], int] = {}
    for at in range(0, len(bases), BATCH):
        query = select(manifests.c.base, manifests.c.version, manifests.c.id).where(
            *view.trees(),
            manifests.c.base.in_(bases[at : at + BATCH]),
            manifests.c.removed.is_(None),
        )
        found.update({(base, version): number for base, version, number in connection.execute(query)})
    for key, ref in wanted.items():
        if key not in found:
            raise RefNotFoundError(ref.head)
    return [found[key] for key in wanted]


def row_at(connection: Connection, view: View, base: str, version: int) -> Row[Any] | None:
    """The manifest of that base and version, also one that was removed."""
    query = _rows(view, base).where(manifests.c.version == version)
    return connection.execute(query).one_or_none()


def newest(connection: Connection, view: View, base: str) -> Row[Any] | None:
    """The highest version that was not removed."""
    query = _rows(view, base).where(manifests.c.removed.is_(None)).order_by(manifests.c.version.desc())
    return connection.execute(query.limit(1)).one_or_none()


def _found(connection: Connection, view: View, ref: Ref) -> tuple[Ref, Row[Any]]:
    if ref.kind == "job":
        return _artifacts(connection, view, ref)
    number = ref.number
    row = newest(connection, view, ref.base) if number is None else row_at(connection, view, ref.base, number)
    if row is None:
        raise RefNotFoundError(ref.head)
    _refuse_removed(ref.head, row)
    return replace(ref, version=f"v{row.version}"), row


def _artifacts(connection: Connection, view: View, ref: Ref) -> tuple[Ref, Row[Any]]:
    job = find_job(connection, view, ref.name) if ref.frozen else _last(connection, view, ref)
    # Without the job's record its manifest may be here all the same, but nobody can say then of which project it is.
    # A job's own view has the artifacts that it consumes and not the records of the jobs that made them.
    if ref.project is not None and (job is None or job.project != ref.project):
        raise RefNotFoundError(ref.head)
    if job is not None and job.state not in FINAL:
        raise JobNotFinishedError(job.id, job.state.value)
    frozen = Ref("job", ref.name if job is None else job.id, sub=ref.sub)
    row = row_at(connection, view, frozen.base, 0)
    if row is None:
        raise RefNotFoundError(ref.head) if job is None else RefNotFoundError(frozen.head, "has no artifacts")
    _refuse_removed(frozen.head, row)
    return frozen, row


def _last(connection: Connection, view: View, ref: Ref) -> Job:
    """The newest of the project's jobs that succeeded, or of those with a name; the newest is the one made last."""
    query = select(jobs).where(*view.jobs(), jobs.c.project == ref.project, jobs.c.state == JobState.SUCCEEDED.value)
    if ref.job_name is not None:
        query = query.where(jobs.c.name == ref.job_name)
    found = read_jobs(connection, newest_first(query).limit(1))
    if not found:
        raise RefNotFoundError(ref.head, "no such job has SUCCEEDED")
    return found[0]


def _refuse_removed(head: str, row: Row[Any]) -> None:
    if row.removed is not None:
        raise RefNotFoundError(head, f"was deleted on {row.removed:%Y-%m-%d}")


def _rows(view: View, base: str) -> Select[Any]:
    return select(manifests).where(*view.trees(), manifests.c.base == base)
