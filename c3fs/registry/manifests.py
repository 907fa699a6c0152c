"""Registering, listing and removing manifests in SQL. Each function is part of a transaction that its caller makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, and_, delete, func, insert, or_, select, update

from c3fs.core.digest import Digest
from c3fs.core.job import FINAL
from c3fs.core.manifest import Manifest, decode_manifest
from c3fs.core.ref import Ref, parse_ref
from c3fs.errors import ConflictError, InvalidFormatError, InvalidRefError, OutdatedError, SweptError
from c3fs.registry.base import Registration
from c3fs.registry.consumed import refuse_in_use
from c3fs.registry.ledger import charge, lock_account, new_bytes
from c3fs.registry.refs import find_id, newest, row_at
from c3fs.registry.schema import jobs, manifest_blobs, manifests
from c3fs.registry.sweeps import swept_since
from c3fs.registry.views import View


@dataclass(frozen=True, slots=True)
class Entry:
    """A manifest as it goes into the tables, checked. `ref` has no number where the next one is wanted."""

    ref: Ref
    manifest: Manifest
    blobs: Mapping[Digest, int]
    mark: int
    onto: int | None

    @property
    def root(self) -> Digest:
        return Digest.parse(self.manifest.root.digest)


def make_entry(manifest: Manifest, blobs: Sequence[tuple[Digest, int]], mark: int, onto: int | None) -> Entry:
    """Check what is to be registered. Raises InvalidFormatError, and InvalidRefError when its ref has a sub-path or
    says which tree is meant in words."""
    checked = decode_manifest(manifest.encode())
    ref = parse_ref(checked.ref)
    if ref.sub:
        raise InvalidRefError(checked.ref, "a manifest has no sub-path")
    if not ref.frozen and (ref.kind == "job" or ref.version is not None):
        raise InvalidRefError(checked.ref, "a manifest's ref names one tree for ever")
    sizes: dict[Digest, int] = {}
    for digest, size in blobs:
        if sizes.setdefault(digest, size) != size:
            raise InvalidFormatError("inventory", f"blob {digest} has {sizes[digest]} bytes, and {size}")
    return Entry(ref, checked, sizes, mark, onto)


def register(connection: Connection, account: str, entry: Entry, now: datetime) -> Registration:
    """See c3fs.registry.base."""
    stored = lock_account(connection, account)
    found = _same_tree(connection, account, entry) if entry.ref.frozen else _same_version(connection, account, entry)
    if found is not None:
        return Registration(0, created=False, manifest=found)
    version = _next_version(connection, account, entry)
    frozen = entry.ref if entry.ref.kind == "job" else replace(entry.ref, version=f"v{version}")
    manifest = msgspec.structs.replace(entry.manifest, ref=str(frozen))
    manifest_id = _insert(connection, account, entry, version, manifest)
    if swept_since(connection, account, manifest_id, entry.mark):
        raise SweptError(str(entry.ref))
    delta = new_bytes(connection, account, manifest_id)
    charge(connection, account, ledger_ref(frozen), delta, stored, now)
    return Registration(delta, created=True, manifest=manifest)


def remove(connection: Connection, view: View, refs: Sequence[Ref], now: datetime) -> int:
    """See c3fs.registry.base."""
    before = stored = lock_account(connection, view.account)
    for ref in refs:
        manifest_id = find_id(connection, view, ref)
        refuse_in_use(connection, view.account, ref)
        freed = new_bytes(connection, view.account, manifest_id)
        connection.execute(delete(manifest_blobs).where(manifest_blobs.c.manifest == manifest_id))
        connection.execute(update(manifests).where(manifests.c.id == manifest_id).values(removed=now))
        charge(connection, view.account, ledger_ref(ref), -freed, stored, now)
        stored -= freed
    return before - stored


def list_artifacts(connection: Connection, view: View, project: str | None) -> dict[str, Manifest]:
    """See c3fs.registry.base."""
    final = [state.value for state in FINAL]
    record = and_(jobs.c.id == manifests.c.name, jobs.c.account == manifests.c.account)
    query = (
        select(manifests.c.name, manifests.c.body)
        .select_from(manifests.outerjoin(jobs, record))
        .where(*view.trees(), manifests.c.kind == "job", manifests.c.removed.is_(None))
        .where(or_(jobs.c.id.is_(None), jobs.c.state.in_(final)))
    )
    if project is not None:
        query = query.where(jobs.c.project == project)
    return {name: decode_manifest(body) for name, body in connection.execute(query)}


def list_versions(connection: Connection, view: View, ref: Ref) -> list[Manifest]:
    """See c3fs.registry.base."""
    query = (
        select(manifests.c.body)
        .where(*view.trees(), manifests.c.base == ref.base, manifests.c.version > 0)
        .where(manifests.c.removed.is_(None))
        .order_by(manifests.c.version.desc())
    )
    return [decode_manifest(body) for body in connection.execute(query).scalars()]


def list_datasets(connection: Connection, view: View, project: str | None) -> list[str]:
    """See c3fs.registry.base."""
    query = (
        select(manifests.c.name)
        .distinct()
        .where(*view.trees(), manifests.c.kind == "dataset", manifests.c.removed.is_(None))
        .where(manifests.c.project.is_(None) if project is None else manifests.c.project == project)
    )
    return sorted(connection.execute(query).scalars())


def list_projects(connection: Connection, view: View) -> list[str]:
    """See c3fs.registry.base."""
    of_jobs = select(jobs.c.project).where(*view.jobs())
    of_trees = select(manifests.c.project).where(
        *view.trees(), manifests.c.project.is_not(None), manifests.c.removed.is_(None)
    )
    return sorted(connection.execute(of_jobs.union(of_trees)).scalars())


def _same_tree(connection: Connection, account: str, entry: Entry) -> Manifest | None:
    """What is there under the very ref, if it is the same; raises ConflictError if it is another."""
    found = row_at(connection, View(account), entry.ref.base, entry.ref.number or 0)
    if found is None:
        return None
    if found.removed is not None:
        raise ConflictError(f"{entry.ref}: the tree that was there has been deleted, and no other may take its name")
    there = decode_manifest(found.body)
    # `created` does not count: who publishes again after a crash does so at another time.
    if msgspec.structs.replace(there, created=entry.manifest.created) != entry.manifest:
        raise ConflictError(f"{entry.ref}: another tree has been published there, and that never changes")
    return there


def _same_version(connection: Connection, account: str, entry: Entry) -> Manifest | None:
    """The version that has this tree already: the newest, or of a source any. Raises OutdatedError."""
    latest = newest(connection, View(account), entry.ref.base)
    if entry.onto is not None and entry.onto != (0 if latest is None else latest.version):
        raise OutdatedError(str(entry.ref))
    if entry.ref.kind == "source":
        latest = _with_root(connection, account, entry)
    if latest is None or (latest.root, latest.complete) != (bytes(entry.root), entry.manifest.complete):
        return None
    return decode_manifest(latest.body)


def _with_root(connection: Connection, account: str, entry: Entry) -> Row[Any] | None:
    query = select(manifests).where(
        manifests.c.account == account,
        manifests.c.base == entry.ref.base,
        manifests.c.root == bytes(entry.root),
        manifests.c.removed.is_(None),
    )
    return connection.execute(query.order_by(manifests.c.version.desc()).limit(1)).one_or_none()


def _next_version(connection: Connection, account: str, entry: Entry) -> int:
    """The number that was asked for; or the next that no tree ever had, removed ones included."""
    if entry.ref.frozen:
        return entry.ref.number or 0
    query = select(func.max(manifests.c.version)).where(
        manifests.c.account == account, manifests.c.base == entry.ref.base
    )
    return (connection.execute(query).scalar_one() or 0) + 1


def _insert(connection: Connection, account: str, entry: Entry, version: int, manifest: Manifest) -> int:
    values = {
        "account": account,
        "base": entry.ref.base,
        "version": version,
        "kind": entry.ref.kind,
        "project": None if entry.ref.kind == "job" else entry.ref.project,
        "name": entry.ref.name,
        "complete": manifest.complete,
        "root": bytes(entry.root),
        "body": manifest.encode().decode(),
    }
    manifest_id = connection.execute(insert(manifests).values(values).returning(manifests.c.id)).scalar_one()
    # In the order of the digests, which is that of both B-trees.
    rows = [{"manifest": manifest_id, "digest": digest, "size": size} for digest, size in sorted(entry.blobs.items())]
    if rows:
        connection.execute(insert(manifest_blobs), rows)
    return manifest_id


def ledger_ref(ref: Ref) -> str:
    """A job without its project: it is charged once, however it is called."""
    return ref.base if ref.kind == "job" else ref.head
