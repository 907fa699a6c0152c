"""Finds and reads the `.c3` file of a project."""

from __future__ import annotations

import os
from typing import Final

from c3fs.core.jobfile import parse_job_spec, slug
from c3fs.core.jobspec import JobSpec
from c3fs.core.yamltext import TEXT_MAX
from c3fs.errors import InvalidJobSpecError, NotFoundError

NAME: Final = ".c3"


class ProjectNotFoundError(NotFoundError):
    def __init__(self, start: str) -> None:
        super().__init__(f"no {NAME} file in {start} or above; `c3 deploy --help` shows what is in one")
        self.start = start


def find_file(start: str) -> str | None:
    """The nearest `.c3` from folder `start` upwards, or `start` itself if that is one; absolute."""
    here = os.path.abspath(start)
    if not os.path.isdir(here):
        return here if os.path.lexists(here) else None
    while True:
        path = os.path.join(here, NAME)
        if os.path.lexists(path):
            return path
        above = os.path.dirname(here)
        if above == here:
            return None
        here = above


def load_spec(start: str) -> JobSpec:
    """The job spec of the project that `start` is in. Raises ProjectNotFoundError, InvalidJobSpecError."""
    path = find_file(start)
    if path is None:
        raise ProjectNotFoundError(os.path.abspath(start))
    return parse_job_spec(_read(path), path, slug(os.path.basename(os.path.dirname(path))))


def find_project(start: str) -> str | None:
    """The project that `start` is in, None if it is in none; raises InvalidJobSpecError."""
    return None if find_file(start) is None else load_spec(start).project


def _read(path: str) -> str:
    if not os.path.isfile(path):
        raise InvalidJobSpecError(path, 1, 1, "not a regular file")
    try:
        with open(path, "rb") as file:
            data = file.read(4 * TEXT_MAX + 1)
    except OSError as error:
        raise InvalidJobSpecError(path, 1, 1, f"cannot be read: {error.strerror}") from error
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - (before.rfind(b"\n") + 1) + 1
        raise InvalidJobSpecError(path, line, column, "not UTF-8; save the file as UTF-8") from error
