"""What the paths of `c3 data` list: the jobs and projects around published trees, and what is in a tree.

/                          jobs, projects
/jobs                      the jobs
/projects                  the projects that have jobs
/projects/<p>              jobs
/projects/<p>/jobs         the jobs of one project
a ref                      its tree (c3fs.core.ref)
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from c3fs.cli.output import iso_ns, shown
from c3fs.core.directory import Directory, File, LongFile, Symlink
from c3fs.core.job import FINAL
from c3fs.core.ref import Ref, is_project, parse_ref
from c3fs.errors import InvalidRefError, NotFoundError, RefNotFoundError
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


@dataclass(frozen=True, slots=True)
class Namespace:
    """A place above published trees; `project` None is all projects."""

    kind: str
    project: str | None = None


def parse_place(text: str) -> Namespace | Ref:
    """What `text` names; raises InvalidRefError."""
    match text.removesuffix("/").split("/"):
        case [""] if text:
            return Namespace("top")
        case ["", "jobs"]:
            return Namespace("jobs")
        case ["", "projects"]:
            return Namespace("projects")
        case ["", "projects", project, *rest] if rest in ([], ["jobs"]):
            if not is_project(project):
                raise InvalidRefError(text, f"{project!r} is not a project (lower-case letters, digits, hyphens)")
            return Namespace("jobs" if rest else "project", project)
        case _:
            return parse_ref(text)


async def namespace_rows(registry: Registry, place: Namespace) -> AsyncIterator[Row]:
    """The names in a namespace; raises RefNotFoundError for a project that has no job."""
    match place.kind:
        case "top":
            yield Row(b"jobs", "directory")
            yield Row(b"projects", "directory")
            return
        case "projects":
            for project in sorted({job.project for job in await registry.jobs()}):
                yield Row(project.encode(), "directory")
            return
        case _:
            jobs = await registry.jobs(project=place.project)
    if not jobs and place.project is not None:
        raise RefNotFoundError(f"/projects/{place.project}", "no such project, or it has no jobs")
    if place.kind == "project":
        yield Row(b"jobs", "directory")
        return
    for job in jobs:
        yield await _job_row(registry, job)


async def _job_row(registry: Registry, job: Job) -> Row:
    created = _ns(job.finished or job.created)
    remark = str(job.state)
    try:
        manifest = await registry.manifest(Ref("job", job.id)) if job.state in FINAL else None
    except NotFoundError:
        manifest = None
    if manifest is None:
        return Row(job.id.encode(), "directory", mtime_ns=created, remark=f"{remark}, no artifacts")
    if not manifest.complete:
        remark += ", incomplete"
    root = manifest.root
    return Row(job.id.encode(), "directory", size=root.bytes, mtime_ns=created, files=root.files, remark=remark)


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
