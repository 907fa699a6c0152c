"""The rows of listings: of the names in a namespace (c3fs.cli.places), and of the entries of a published tree."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from c3fs.cli.output import counted, iso_ns, parse_iso, shown
from c3fs.cli.places import Namespace
from c3fs.cli.trees import versions_of
from c3fs.core.directory import Directory, File, LongFile, Symlink
from c3fs.core.manifest import Manifest
from c3fs.core.ref import Ref
from c3fs.errors import RefNotFoundError
from c3fs.registry.base import Job, Registry
from c3fs.vfs.tree import DirectoryFacts, Found, Tree

_LETTER: Final = {"directory": "d", "file": "-", "symlink": "l"}


@dataclass(frozen=True, slots=True)
class Row:
    """One name of a listing. `size` of a directory is all that lies below it; None when nothing is known."""

    name: bytes
    kind: str
    mode: int = 0o555
    size: int | None = None
    mtime_ns: int | None = None
    files: int | None = None
    target: bytes | None = None
    remark: str = ""

    def to_json(self, directory: str) -> dict[str, object]:
        name = os.fsdecode(self.name)
        row: dict[str, object] = {
            "path": f"{directory.rstrip('/')}/{name}",
            "name": name,
            "kind": self.kind,
            "mode": f"{self.mode:04o}",
            "size": self.size,
            "mtime": None if self.mtime_ns is None else iso_ns(self.mtime_ns),
        }
        if self.kind == "directory":
            row["files"] = self.files
        if self.target is not None:
            row["target"] = os.fsdecode(self.target)
        return row

    @property
    def permissions(self) -> str:
        """As ls shows them."""
        bits = "".join(letter if self.mode >> 8 - at & 1 else "-" for at, letter in enumerate("rwxrwxrwx"))
        return _LETTER[self.kind] + bits

    @property
    def label(self) -> str:
        """Name, and where a symlink leads."""
        return shown(self.name) if self.target is None else f"{shown(self.name)} -> {shown(self.target)}"


async def namespace_rows(registry: Registry, place: Namespace) -> list[Row]:
    """The names in a namespace; raises RefNotFoundError for a project or data set that is not there."""
    if place.project is not None and place.project not in await registry.projects():
        raise RefNotFoundError(f"/projects/{place.project}", "no such project")
    match place.kind:
        case "top":
            return [Row(name, "directory") for name in (b"datasets", b"jobs", b"projects")]
        case "projects":
            return [Row(project.encode(), "directory") for project in await registry.projects()]
        case "project":
            return await _project_rows(registry, place.project or "")
        case "datasets":
            return [Row(name.encode(), "directory") for name in await registry.datasets(place.project)]
        case "versions":
            assert place.ref is not None
            return [_version_row(manifest) for manifest in await versions_of(registry, place.ref)]
        case _:
            manifests = await registry.artifacts(project=place.project)
            return [_job_row(job, manifests.get(job.id)) for job in await registry.jobs(project=place.project)]


async def _project_rows(registry: Registry, project: str) -> list[Row]:
    has = {
        b"data": await registry.datasets(project),
        b"jobs": await registry.jobs(project=project, limit=1),
        b"source": await registry.versions(Ref("source", "source", project)),
    }
    return [Row(name, "directory") for name, what in has.items() if what]


def _job_row(job: Job, manifest: Manifest | None) -> Row:
    created = _ns(job.finished or job.created)
    if manifest is None:
        return Row(job.id.encode(), "directory", mtime_ns=created, remark=f"{job.state}, no artifacts")
    remark = str(job.state) if manifest.complete else f"{job.state}, incomplete"
    root = manifest.root
    return Row(job.id.encode(), "directory", size=root.bytes, mtime_ns=created, files=root.files, remark=remark)


def _version_row(manifest: Manifest) -> Row:
    root, name = manifest.root, manifest.ref.rsplit("/", 1)[-1]
    remark = counted(root.files, "file") + ("" if manifest.complete else ", incomplete")
    created = _ns(parse_iso(manifest.created))
    return Row(name.encode(), "directory", size=root.bytes, mtime_ns=created, files=root.files, remark=remark)


async def leaves(tree: Tree, directory: DirectoryFacts) -> AsyncIterator[Iterator[Found]]:
    """The entries of a directory of any size, a leaf at a time, in order of name."""
    position = 0
    while True:
        leaf = await tree.leaf_at(directory, position)
        first = position - leaf.at
        if first >= leaf.part.count:
            return
        yield (tree.found(directory, leaf, at) for at in range(first, leaf.part.count))
        position = leaf.at + leaf.part.count


def row_of(found: Found, name: bytes | None = None) -> Row:
    """The row of an entry, under its own name or another."""
    entry = found.entry
    name = entry.name if name is None else name
    match entry:
        case Directory():
            return Row(name, "directory", entry.mode, entry.bytes, entry.mtime_ns, entry.files)
        case Symlink():
            return Row(name, "symlink", 0o777, len(entry.target), entry.mtime_ns, target=entry.target)
        case File() | LongFile():
            return Row(name, "file", entry.mode, entry.size, entry.mtime_ns)


def _ns(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000) * 1_000_000
