"""Which blobs a principal may read, and what a ref belongs to, in SQL.

Each function is part of a transaction that its caller makes.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, LargeBinary, column, literal, select, values

from c3fs.core.digest import Digest
from c3fs.core.ref import Ref
from c3fs.errors import RefNotFoundError
from c3fs.registry.jobs import BATCH
from c3fs.registry.schema import jobs, manifest_blobs, manifests
from c3fs.registry.views import View


def readable(connection: Connection, view: View, digests: Collection[Digest]) -> set[Digest]:
    """Those that a manifest names which is seen in `view`. For each the first such manifest answers, however many
    there are."""
    asked = sorted(digests)
    found: set[Digest] = set()
    for at in range(0, len(asked), BATCH):
        rows = [(bytes(digest),) for digest in asked[at : at + BATCH]]
        wanted = values(column("digest", LargeBinary), name="wanted").data(rows).cte("wanted")
        seen = (
            select(literal(1))
            .where(manifests.c.id == manifest_blobs.c.manifest, *view.trees())
            .limit(1)
            .correlate(manifest_blobs)
            .scalar_subquery()
        )
        # No join: as long as PostgreSQL has no statistics it would begin with the manifests, and read them all.
        named = (
            select(literal(1))
            .where(manifest_blobs.c.digest == wanted.c.digest, seen.is_not(None))
            .limit(1)
            .correlate(wanted)
            .scalar_subquery()
        )
        query = select(wanted.c.digest).where(named.is_not(None))
        found.update(map(Digest, connection.execute(query).scalars()))
    return found


def project_of(connection: Connection, account: str, ref: Ref) -> str | None:
    """The project that `ref` belongs to, or would; None is the account. Raises RefNotFoundError when it names a job
    that is not there, or is of another project."""
    if ref.kind != "job" or not ref.frozen:
        return ref.project
    query = select(jobs.c.project).where(jobs.c.account == account, jobs.c.id == ref.name)
    project = connection.execute(query).scalar_one_or_none()
    if project is None or ref.project not in (None, project):
        raise RefNotFoundError(ref.head)
    return project
