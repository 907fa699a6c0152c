"""What the paths of `c3 data` name: the jobs, projects and data sets around published trees, or a tree.

/                          jobs, projects, datasets
/jobs                      the jobs
/projects                  the projects that have a job, data or a source
/projects/<p>              jobs, data, source: what there is of them
/projects/<p>/jobs         the jobs of one project
/projects/<p>/data         its data sets; /datasets those of no project
/datasets/<n>              the versions; likewise /projects/<p>/data/<n> and /projects/<p>/source
a ref                      its tree (c3fs.core.ref); with a sub-path and no version, that of the newest
"""

from __future__ import annotations

from dataclasses import dataclass

from c3fs.core.ref import Ref, is_project, parse_ref
from c3fs.errors import InvalidRefError


@dataclass(frozen=True, slots=True)
class Namespace:
    """A place above published trees; `project` None is all projects, or none of them. `ref` is that of a data set or
    source, whose versions are listed."""

    kind: str
    project: str | None = None
    ref: Ref | None = None


def parse_place(text: str) -> Namespace | Ref:
    """What `text` names; raises InvalidRefError."""
    match text.removesuffix("/").split("/"):
        case [""] if text:
            return Namespace("top")
        case ["", "jobs" | "projects" | "datasets" as kind]:
            return Namespace(kind)
        case ["", "projects", project, *rest] if rest in ([], ["jobs"], ["data"]):
            if not is_project(project):
                raise InvalidRefError(text, f"{project!r} is not a project (lower-case letters, digits, hyphens)")
            return Namespace({"jobs": "jobs", "data": "datasets"}[rest[0]] if rest else "project", project)
        case _:
            ref = parse_ref(text)
            of_versions = ref.kind != "job" and ref.version is None and not ref.sub
            return Namespace("versions", ref.project, ref) if of_versions else ref
