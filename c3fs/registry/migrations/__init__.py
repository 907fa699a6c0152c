"""From older tables to those of c3fs.registry.schema, by Alembic's operations: one set for SQLite and PostgreSQL.

A revision is named for the version of the tables that it makes; the first makes version 2 out of nothing. Which version
a database has stands in its own table `schema_version`, which completion reads without SQLAlchemy (glance), and in none
of Alembic's: there is one truth. An empty database gets the tables of c3fs.registry.schema at once; a test compares
them with what the revisions make.

Everything happens in the transaction of the caller, which has locked the database: killed in the middle, the old
tables are there, whole. SQLite cannot change a table much: Alembic's batches write it anew, for which foreign keys are
off and are checked at the end.
"""

from __future__ import annotations

import os
from typing import Final

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, update

from c3fs.errors import StoreRefusedError
from c3fs.registry.schema import schema_version

_DIRECTORY: Final = os.path.dirname(__file__)


def upgrade(connection: Connection, found: int | None, wanted: int) -> None:
    """Change tables of version `found` (None: there are none) to `wanted`."""
    scripts = ScriptDirectory(_DIRECTORY)
    lower = "base" if found is None else str(found)
    with Operations.context(MigrationContext.configure(connection)):
        for revision in reversed(list(scripts.iterate_revisions(str(wanted), lower))):
            revision.module.upgrade()
    connection.execute(update(schema_version).values(version=wanted))
    if connection.dialect.name == "sqlite":
        _check(connection)


def _check(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        where = connection.engine.url.database
        raise StoreRefusedError(f"{where} is damaged: a row of {broken[0]} refers to nothing; put back a copy")
