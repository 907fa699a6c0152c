"""Manifests in SQL, and what refs name. Each function is part of a transaction that its caller makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec
from sqlalchemy import Connection, insert, select

from c3fs.core.digest import Digest
from c3fs.core.job import FINAL
from c3fs.core.manifest import Manifest, decode_manifest
from c3fs.core.ref import Ref, parse_ref
from c3fs.errors import (
    ConflictError,
    InvalidFormatError,
    InvalidRefError,
    JobNotFinishedError,
    RefNotFoundError,
)
from c3fs.registry.base import Job, Registration
from c3fs.registry.jobs import find_job
from c3fs.registry.ledger import charge, lock_account, new_bytes
from c3fs.registry.schema import manifest_blobs, manifests

_LATEST = "latest"


@dataclass(frozen=True, slots=True)
class Entry:
    """A manifest as it goes into the tables, checked. `ref` is the canonical one: a job's without its project."""

    ref: str
    base: str
    version: int
    complete: bool
    body: str
    blobs: Mapping[Digest, int]


def make_entry(manifest: Manifest, blobs: Sequence[tuple[Digest, int]]) -> Entry:
    """Check what is to be registered. Raises InvalidFormatError, and InvalidRefError when its ref has a sub-path
    or, being a data set's, no number."""
    checked = decode_manifest(manifest.encode())
    ref = parse_ref(checked.ref)
    if ref.sub:
        raise InvalidRefError(checked.ref, "a manifest has no sub-path")
    if ref.kind == "dataset" and ref.version in (None, _LATEST):
        raise InvalidRefError(checked.ref, "a manifest's version is a number")
    sizes: dict[Digest, int] = {}
    for digest, size in blobs:
        if sizes.setdefault(digest, size) != size:
            raise InvalidFormatError("inventory", f"blob {digest} has {sizes[digest]} bytes, and {size}")
    base, version = _key(ref)
    canonical = replace(ref, project=None) if ref.kind == "job" else ref
    return Entry(str(canonical), base, version, checked.complete, checked.encode().decode(), sizes)


def register(connection: Connection, account: str, entry: Entry, now: datetime) -> Registration:
    """See c3fs.registry.base."""
    stored = lock_account(connection, account)
    found = _body(connection, account, entry.base, entry.version)
    if found is not None:
        if not _same_tree(found, entry.body):
            raise ConflictError(f"{entry.ref}: another tree has been published there, and that never changes")
        return Registration(0, created=False)
    manifest_id = _insert(connection, account, entry)
    delta = new_bytes(connection, account, manifest_id)
    charge(connection, account, entry.ref, delta, stored, now)
    return Registration(delta, created=True)


def find_manifest(connection: Connection, account: str, ref: Ref) -> Manifest:
    """See c3fs.registry.base."""
    head = str(ref.without_sub())
    job = _ended_job(connection, account, ref, head) if ref.kind == "job" else None
    base, version = _key(ref)
    body = _body(connection, account, base, version)
    if body is None:
        raise RefNotFoundError(head) if job is None else RefNotFoundError(head, "has no artifacts")
    return decode_manifest(body)


def _ended_job(connection: Connection, account: str, ref: Ref, head: str) -> Job | None:
    """The job that `ref` names. None if this registry has no record of it: its manifest may be here all the
    same, but nobody can say then that it is of the project the ref claims."""
    job = find_job(connection, account, ref.name)
    if ref.project is not None and (job is None or job.project != ref.project):
        raise RefNotFoundError(head)
    if job is not None and job.state not in FINAL:
        raise JobNotFinishedError(job.id, job.state.value)
    return job


def _key(ref: Ref) -> tuple[str, int]:
    """Where the table has it; version -1 stands for the highest."""
    if ref.kind == "job":
        return f"/jobs/{ref.name}", 0
    base = replace(ref, version=None, sub=()).head
    return base, -1 if ref.version in (None, _LATEST) else int(ref.version.removeprefix("v"))


def _body(connection: Connection, account: str, base: str, version: int) -> str | None:
    query = select(manifests.c.body).where(manifests.c.account == account, manifests.c.base == base)
    if version < 0:
        query = query.order_by(manifests.c.version.desc()).limit(1)
    else:
        query = query.where(manifests.c.version == version)
    return connection.execute(query).scalar_one_or_none()


def _same_tree(one: str, other: str) -> bool:
    """`created` does not count: who publishes again after a crash does so at another time."""
    return _timeless(one) == _timeless(other)


def _timeless(body: str) -> Manifest:
    return msgspec.structs.replace(decode_manifest(body), created="")


def _insert(connection: Connection, account: str, entry: Entry) -> int:
    values = {
        "account": account,
        "base": entry.base,
        "version": entry.version,
        "complete": entry.complete,
        "body": entry.body,
    }
    manifest_id = connection.execute(insert(manifests).values(values).returning(manifests.c.id)).scalar_one()
    # In the order of the digests, which is that of both B-trees.
    rows = [{"manifest": manifest_id, "digest": digest, "size": size} for digest, size in sorted(entry.blobs.items())]
    if rows:
        connection.execute(insert(manifest_blobs), rows)
    return manifest_id
