"""The published trees that a path of `c3 data` stands for."""

from __future__ import annotations

from c3fs.core.manifest import Manifest
from c3fs.core.ref import Ref, is_project, parse_ref
from c3fs.errors import InvalidRefError, RefNotFoundError
from c3fs.registry.base import Registry


async def trees_at(registry: Registry, path: str) -> list[Manifest]:
    """All trees below a namespace (`/`, `/jobs`, `/projects/<p>`, …), all versions of a data set or source, or the one
    tree that a ref names. Raises InvalidRefError, RefNotFoundError, JobNotFinishedError."""
    match path.rstrip("/").split("/"):
        case [""] if path:
            found = await trees_at(registry, "/jobs") + await trees_at(registry, "/datasets")
            for project in await registry.projects():
                found += await _of_data(registry, project)
            return found
        case ["", "jobs"]:
            return list((await registry.artifacts()).values())
        case ["", "datasets"]:
            return await _of_datasets(registry, None)
        case ["", "projects"]:
            return [one for project in await registry.projects() for one in await _of_project(registry, project)]
        case ["", "projects", project, *rest] if rest in ([], ["jobs"], ["data"]):
            if not is_project(project):
                raise InvalidRefError(path, f"{project!r} is not a project (lower-case letters, digits, hyphens)")
            if project not in await registry.projects():
                raise RefNotFoundError(f"/projects/{project}", "no such project")
            if not rest:
                return await _of_project(registry, project)
            if rest == ["jobs"]:
                return list((await registry.artifacts(project=project)).values())
            return await _of_datasets(registry, project)
        case _:
            return await versions_of(registry, parse_ref(path))


async def versions_of(registry: Registry, ref: Ref) -> list[Manifest]:
    """All versions, the newest first, if the ref is a data set's or source's and says none; else what it names."""
    if ref.kind == "job" or ref.version is not None or ref.sub:
        return [await registry.manifest(ref)]
    found = await registry.versions(ref)
    if not found:
        raise RefNotFoundError(ref.head)
    return found


async def _of_project(registry: Registry, project: str) -> list[Manifest]:
    return [*(await registry.artifacts(project=project)).values(), *await _of_data(registry, project)]


async def _of_data(registry: Registry, project: str) -> list[Manifest]:
    """The project's data sets, and its source."""
    source = await registry.versions(Ref("source", "source", project))
    return [*await _of_datasets(registry, project), *source]


async def _of_datasets(registry: Registry, project: str | None) -> list[Manifest]:
    names = await registry.datasets(project)
    return [one for name in names for one in await registry.versions(Ref("dataset", name, project))]
