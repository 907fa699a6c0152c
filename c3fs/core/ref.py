"""Refs: the addresses users type.

    /jobs/<id>                        the artifacts of a job
    /projects/<p>/jobs/<id>           the same, said with its project
    /projects/<p>/jobs/@last          those of the project's last job that SUCCEEDED
    /projects/<p>/jobs/@name:<name>   likewise, of the jobs with that name
    /datasets/<name>[/@<version>]     an uploaded data set; @latest when no version is said
    /projects/<p>/data/<name>[/@<version>]
    /projects/<p>/source[/@<version>] the project folder, as it was deployed

Each may go on with a sub-path into the published tree. A ref is *frozen* when it can never name another tree: a job by
its id, anything else by the number of its version. Text is str as the shell gives it, with bytes that are no UTF-8 as
surrogate escapes (PEP 383).
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
_NAMED: Final = "@name:"
LAST: Final = "@last"
LATEST: Final = "latest"
_JOB_NAME = re.compile(r"[^\s/\x00-\x1f\x7f](?:[^/\x00-\x1f\x7f]*[^\s/\x00-\x1f\x7f])?\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LENGTH_MAX: Final = 4096
JOB_NAME_MAX: Final = 128


@dataclass(frozen=True, slots=True)
class Ref:
    """`kind` is "job", "dataset" or "source"; `name` the job's id, `@last` or `@name:<name>`, the data set's name, or
    "source"; `version` "latest" or "v" and a number; `sub` the sub-path."""

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
        return self.base if self.version is None else f"{self.base}/@{self.version}"

    @property
    def base(self) -> str:
        """The head without project, if it is a job's, or without version."""
        if self.kind == "job":
            return f"/jobs/{self.name}"
        if self.kind == "source":
            return f"/projects/{self.project}/source"
        return f"/datasets/{self.name}" if self.project is None else f"/projects/{self.project}/data/{self.name}"

    @property
    def number(self) -> int | None:
        """Of the version, when one is said and it is not the latest."""
        return None if self.version in (None, LATEST) else int(self.version.removeprefix("v"))

    @property
    def frozen(self) -> bool:
        """Whether it names the same tree for ever."""
        return not self.name.startswith("@") if self.kind == "job" else self.number is not None

    @property
    def job_name(self) -> str | None:
        """That of `@name:<name>`."""
        return self.name.removeprefix(_NAMED) if self.name.startswith(_NAMED) else None

    @property
    def last(self) -> str:
        """The last part, which names a mount point when none is said."""
        if self.sub:
            return os.fsdecode(self.sub[-1])
        if self.name == LAST and self.project is not None:
            return self.project
        return self.job_name or self.name

    def without_sub(self) -> Ref:
        return replace(self, sub=())


def is_project(text: str) -> bool:
    return _PROJECT.match(text) is not None


def is_job_name(text: str) -> bool:
    return len(text) <= JOB_NAME_MAX and _JOB_NAME.match(text) is not None


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
            return Ref("job", _job(text, job_id), _project(text, project), sub=_sub(text, sub))
        case ["datasets", name, *rest]:
            return _versioned(text, "dataset", _dataset(text, name), None, rest)
        case ["projects", project, "data", name, *rest]:
            return _versioned(text, "dataset", _dataset(text, name), _project(text, project), rest)
        case ["projects", project, "source", *rest]:
            return _versioned(text, "source", "source", _project(text, project), rest)
        case _:
            raise InvalidRefError(text, "it names no job and no data set")


def _versioned(text: str, kind: str, name: str, project: str | None, rest: list[str]) -> Ref:
    version = None
    if rest and rest[0].startswith("@"):
        if not _VERSION.match(rest[0]):
            raise InvalidRefError(text, f"{rest[0]!r} is not a version (@latest, @v1, @v2, …)")
        version, rest = rest[0][1:], rest[1:]
    return Ref(kind, name, project, version, _sub(text, rest))


def _dataset(text: str, name: str) -> str:
    if not _DATASET.match(name):
        raise InvalidRefError(text, f"{name!r} is not a data set's name (letters, digits, '.', '_', '-')")
    return name


def _job(text: str, name: str) -> str:
    """A job of a project: by its id, or which of the project's jobs it is."""
    if name == LAST or (name.startswith(_NAMED) and is_job_name(name.removeprefix(_NAMED))):
        return name
    if name.startswith("@"):
        raise InvalidRefError(text, f"{name!r} is neither @last nor @name:<a job's name>")
    return _job_id(text, name)


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
