"""Refs: the addresses users type.

    /jobs/<id>                        the artifacts of a job
    /projects/<p>/jobs/<id>           the same, said with its project
    /datasets/<name>[/@<version>]     an uploaded data set; @latest when no version is said
    /projects/<p>/data/<name>[/@<version>]

Each may go on with a sub-path into the published tree. Text is str as the shell gives it, with bytes that
are no UTF-8 as surrogate escapes (PEP 383).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import Final

from c3fs.core.ids import is_job_id
from c3fs.core.names import DEPTH_MAX, check_name
from c3fs.errors import InvalidNameError, InvalidRefError

_PROJECT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_DATASET = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?\Z")
_VERSION = re.compile(r"@(?:latest|v[1-9][0-9]{0,8})\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LENGTH_MAX: Final = 4096


@dataclass(frozen=True, slots=True)
class Ref:
    """`kind` is "job" or "dataset", `name` the job's id or the data set's name, `sub` the sub-path."""

    kind: str
    name: str
    project: str | None = None
    version: str | None = None
    sub: tuple[bytes, ...] = ()

    def __str__(self) -> str:
        return "/".join([self.head, *(os.fsdecode(part) for part in self.sub)])

    @property
    def head(self) -> str:
        """The ref without its sub-path."""
        if self.kind == "job":
            return f"/jobs/{self.name}" if self.project is None else f"/projects/{self.project}/jobs/{self.name}"
        base = f"/datasets/{self.name}" if self.project is None else f"/projects/{self.project}/data/{self.name}"
        return base if self.version is None else f"{base}/@{self.version}"

    @property
    def last(self) -> str:
        """The last part, which names a mount point when none is said."""
        return os.fsdecode(self.sub[-1]) if self.sub else self.name

    def without_sub(self) -> Ref:
        return replace(self, sub=())


def is_project(text: str) -> bool:
    return _PROJECT.match(text) is not None


def parse_ref(text: str) -> Ref:
    """The ref that `text` spells; one trailing slash is allowed. Raises InvalidRefError."""
    if not text:
        raise InvalidRefError(text, "it is empty")
    if len(text) > _LENGTH_MAX:
        raise InvalidRefError(text[:40] + "…", f"it is longer than {_LENGTH_MAX} characters")
    if _CONTROL.search(text):
        raise InvalidRefError(text, "it holds a control character")
    if not text.startswith("/"):
        raise InvalidRefError(text, "it does not start with a slash")
    match text.removesuffix("/")[1:].split("/"):
        case ["jobs", job_id, *sub]:
            return Ref("job", _job_id(text, job_id), sub=_sub(text, sub))
        case ["projects", project, "jobs", job_id, *sub]:
            return Ref("job", _job_id(text, job_id), _project(text, project), sub=_sub(text, sub))
        case ["datasets", name, *rest]:
            return _dataset(text, name, None, rest)
        case ["projects", project, "data", name, *rest]:
            return _dataset(text, name, _project(text, project), rest)
        case _:
            raise InvalidRefError(text, "it names no job and no data set")


def _dataset(text: str, name: str, project: str | None, rest: list[str]) -> Ref:
    if not _DATASET.match(name):
        raise InvalidRefError(text, f"{name!r} is not a data set's name (letters, digits, '.', '_', '-')")
    version = None
    if rest and rest[0].startswith("@"):
        if not _VERSION.match(rest[0]):
            raise InvalidRefError(text, f"{rest[0]!r} is not a version (@latest, @v1, @v2, …)")
        version, rest = rest[0][1:], rest[1:]
    return Ref("dataset", name, project, version, _sub(text, rest))


def _job_id(text: str, job_id: str) -> str:
    if not is_job_id(job_id):
        raise InvalidRefError(text, f"{job_id!r} is not a job id (job_<milliseconds>_<6 characters>)")
    return job_id


def _project(text: str, project: str) -> str:
    if not is_project(project):
        raise InvalidRefError(text, f"{project!r} is not a project (lower-case letters, digits, hyphens)")
    return project


def _sub(text: str, parts: list[str]) -> tuple[bytes, ...]:
    if len(parts) > DEPTH_MAX:
        raise InvalidRefError(text, f"its sub-path is deeper than {DEPTH_MAX}")
    try:
        return tuple(check_name(os.fsencode(part)) for part in parts)
    except InvalidNameError as error:
        raise InvalidRefError(text, str(error)) from None
