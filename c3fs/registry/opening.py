"""Opening a database: its tables are made where there is nothing yet, and brought up to date where they are older."""

from __future__ import annotations

import os
from typing import Final

from sqlalchemy import Connection, func, insert, inspect, select

from c3fs.errors import StoreRefusedError
from c3fs.registry.database import LOCK_WAIT_S, Database
from c3fs.registry.schema import DEFAULT_ACCOUNT, DEFAULT_QUOTA, VERSION, accounts, metadata, schema_version
from c3fs.registry.sqlite import SCHEME, copy_beside, sqlite_path
from c3fs.store.oserrors import mapped

OLDEST: Final = 2
"""The oldest version that can be brought up to date."""
_SCHEMA: Final = schema_version.name
_FOREIGN: Final = -1
"""Stands for the version of somebody else's tables."""
_ADVISORY: Final = 0xC3F5
"""PostgreSQL's lock for whoever makes or changes the tables of a database."""


def open_database(url: str, *, migrate: bool = True, lock_wait_s: float = LOCK_WAIT_S) -> Database:
    """The database at `url`, with the tables in it. Blocks for some ms, or as long as a migration takes: another
    process's is waited for. `migrate` is False for who may not make or change tables.

    Raises as SqlRegistry.open does.
    """
    if url.startswith(SCHEME):
        path = sqlite_path(url)
        with mapped(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
    database = Database.open(url, lock_wait_s=lock_wait_s)
    try:
        open_schema(database, migrate=migrate)
    except BaseException:
        database.close()
        raise
    return database


def open_schema(database: Database, *, migrate: bool = True) -> None:
    """Check the tables' version, and make them what they should be."""
    found = database.read(_version)
    if found is None or OLDEST <= found < VERSION:
        if not migrate:
            what = "has no tables yet" if found is None else f"is a registry of version {found}, older than {VERSION}"
            raise StoreRefusedError(f"{database.name} {what}: `c3fs serve --db` with this address makes them")
        found = database.migrate(_migrate)
    if found == _FOREIGN:
        raise StoreRefusedError(f"{database.name} is a database of another program; {database.advice}")
    if found != VERSION:
        raise StoreRefusedError(
            f"{database.name} is a registry of version {found}, and this c3fs works with version {VERSION}: "
            f"use the c3fs that made it, or {database.advice}"
        )


def _version(connection: Connection) -> int | None:
    """None in an empty database."""
    names = inspect(connection).get_table_names()
    if not names:
        return None
    if _SCHEMA not in names:
        return _FOREIGN
    return connection.execute(select(schema_version.c.version)).scalar_one_or_none() or 0


def _migrate(connection: Connection) -> int | None:
    """Make or change the tables, unless another process just has; the version they have then."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_ADVISORY)))
    found = _version(connection)
    if found is None:
        return _create(connection)
    if not OLDEST <= found < VERSION:
        return found
    if connection.dialect.name == "sqlite":
        copy_beside(str(connection.engine.url.database), f"v{found}")
    # Alembic takes longer to load than all of c3fs, and is needed once in the life of a database.
    from c3fs.registry.migrations import upgrade

    upgrade(connection, found, VERSION)
    return VERSION


def _create(connection: Connection) -> int:
    metadata.create_all(connection)
    connection.execute(insert(schema_version), {"version": VERSION})
    account = {"name": DEFAULT_ACCOUNT, "quota": DEFAULT_QUOTA, "stored": 0}
    connection.execute(insert(accounts), account)
    return VERSION
