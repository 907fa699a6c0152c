"""The names in a registry that is a file, at a glance: for who has no time to load SQLAlchemy.

A shell that completes a word waits for the answer, and most of that was for loading SQLAlchemy (c3fs.cli). So this
repeats in plain SQL a few of the questions of c3fs.registry.base; a test asks both and compares. It reads only, makes
no file, and knows one version of the tables: of another it says nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from c3fs.core.job import FINAL, JobState
from c3fs.core.manifest import Manifest, decode_manifest
from c3fs.core.ref import Ref
from c3fs.errors import StoreUnavailableError

TABLES: Final = 3
"""The version of c3fs.registry.schema that this can read."""
ACCOUNT: Final = "local"
LOCK_WAIT_S: Final = 0.2
"""Readers wait for nobody, but while another process recovers the log."""


@dataclass(frozen=True, slots=True)
class Brief:
    """What one needs to know of a job to choose it."""

    id: str
    project: str
    name: str
    state: JobState


@contextmanager
def open_glance(path: str) -> Generator[Glance]:
    """The registry in the file at `path`. Raises StoreUnavailableError, whatever the reason, also in the body."""
    try:
        # "rw" makes no file; "ro" would leave the log of a registry that nobody else has open behind.
        found = sqlite3.connect(f"file:{quote(path)}?mode=rw", uri=True, timeout=LOCK_WAIT_S, isolation_level=None)
        with closing(found) as connection:
            connection.execute("PRAGMA query_only=ON")
            if connection.execute("SELECT version FROM schema_version").fetchall() != [(TABLES,)]:
                raise StoreUnavailableError(f"{path}: tables of another version")
            yield Glance(connection)
    except sqlite3.Error as error:
        raise StoreUnavailableError(f"{path}: {error}") from error


class Glance:
    """Made by `open_glance`, and used while that is open."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def jobs(self, prefix: str, limit: int, *, project: str | None = None, running: bool = False) -> list[Brief]:
        """Those whose ids begin with `prefix`, the newest first; `running` leaves out what has ended."""
        wanted = [state.value for state in JobState if not (running and state in FINAL)]
        query = f"""
            SELECT id, project, name, state FROM jobs
            WHERE account = ? AND substr(id, 1, ?) = ? AND (? IS NULL OR project = ?)
            AND state IN ({", ".join("?" * len(wanted))})
            ORDER BY created DESC, id DESC LIMIT ?"""
        values = (ACCOUNT, len(prefix), prefix, project, project, *wanted, limit)
        return [_brief(row) for row in self._all(query, *values)]

    def artifacts(self, prefix: str, limit: int, *, project: str | None = None) -> list[Brief]:
        """The same of the jobs that have artifacts."""
        query = """
            SELECT jobs.id, jobs.project, jobs.name, state FROM jobs JOIN manifests
            ON manifests.account = jobs.account AND base = '/jobs/' || jobs.id AND removed IS NULL
            WHERE jobs.account = ? AND substr(jobs.id, 1, ?) = ? AND (? IS NULL OR jobs.project = ?)
            ORDER BY created DESC, jobs.id DESC LIMIT ?"""
        values = (ACCOUNT, len(prefix), prefix, project, project, limit)
        return [_brief(row) for row in self._all(query, *values)]

    def projects(self) -> list[str]:
        """As Registry.projects."""
        query = """
            SELECT project FROM jobs WHERE account = ? UNION
            SELECT project FROM manifests WHERE account = ? AND project IS NOT NULL AND removed IS NULL
            ORDER BY 1"""
        return [name for (name,) in self._all(query, ACCOUNT, ACCOUNT)]

    def datasets(self, project: str | None) -> list[str]:
        """As Registry.datasets."""
        query = """
            SELECT DISTINCT name FROM manifests
            WHERE account = ? AND kind = 'dataset' AND removed IS NULL AND project IS ? ORDER BY name"""
        return [name for (name,) in self._all(query, ACCOUNT, project)]

    def versions(self, ref: Ref) -> list[int]:
        """The numbers of a data set's or source's versions, the newest first."""
        query = """
            SELECT version FROM manifests
            WHERE account = ? AND base = ? AND version > 0 AND removed IS NULL ORDER BY version DESC"""
        return [number for (number,) in self._all(query, ACCOUNT, ref.base)]

    def manifest(self, ref: Ref) -> Manifest | None:
        """Of the tree that `ref` names, if there is one."""
        query = """
            SELECT body FROM manifests
            WHERE account = ? AND base = ? AND (? IS NULL OR version = ?) AND removed IS NULL
            ORDER BY version DESC LIMIT 1"""
        base = ref.base
        if ref.kind == "job" and not ref.frozen:
            base = f"/jobs/{self._last(ref)}"
        return next(
            (decode_manifest(text) for (text,) in self._all(query, ACCOUNT, base, ref.number, ref.number)), None
        )

    def _last(self, ref: Ref) -> str | None:
        query = """
            SELECT id FROM jobs
            WHERE account = ? AND project = ? AND state = 'SUCCEEDED' AND (? IS NULL OR name = ?)
            ORDER BY created DESC, id DESC LIMIT 1"""
        found = self._all(query, ACCOUNT, ref.project, ref.job_name, ref.job_name)
        return next((job_id for (job_id,) in found), None)

    def _all(self, query: str, *values: object) -> list[Any]:
        return self._connection.execute(query, values).fetchall()


def _brief(row: tuple[str, str, str, str]) -> Brief:
    job_id, project, name, state = row
    return Brief(job_id, project, name, JobState(state))
