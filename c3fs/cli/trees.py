"""The published trees that a path of `c3 data` stands for."""

from __future__ import annotations

from c3fs.cli.places import parse_place
from c3fs.core.manifest import Manifest
from c3fs.core.ref import Ref
from c3fs.errors import RefNotFoundError
from c3fs.registry.base import Registry


async def trees_at(registry: Registry, path: str) -> list[Manifest]:
    """All trees below a namespace (`/`, `/jobs`, `/projects/<p>`, …), all versions of a data set or source, or the one
    tree that a ref names. Raises InvalidRefError, RefNotFoundError, JobNotFinishedError."""
    place = parse_place(path)
    if isinstance(place, Ref):
        return [await registry.manifest(place)]
    if place.ref is not None:
        return await versions_of(registry, place.ref)
    if place.project is not None and place.project not in await registry.projects():
        raise RefNotFoundError(f"/projects/{place.project}", "no such project")
    match place.kind:
        case "jobs":
            return list((await registry.artifacts(project=place.project)).values())
        case "datasets":
            return await _of_datasets(registry, place.project)
        case "project":
            return await _of_project(registry, place.project or "")
        case "projects":
            return [one for project in await registry.projects() for one in await _of_project(registry, project)]
        case _:
            found = [*(await registry.artifacts()).values(), *await _of_datasets(registry, None)]
            for project in await registry.projects():
                found += await _of_data(registry, project)
            return found


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
