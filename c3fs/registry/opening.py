"""Opening a database: the tables' version is looked at, and they are made where there is nothing yet."""

from __future__ import annotations

import os
from typing import Final

from sqlalchemy import Connection, insert, inspect, select

from c3fs.errors import StoreRefusedError
from c3fs.registry.database import LOCK_WAIT_S, Database
from c3fs.registry.schema import DEFAULT_ACCOUNT, DEFAULT_QUOTA, VERSION, accounts, metadata, schema_version
from c3fs.registry.sqlite import SCHEME, sqlite_path
from c3fs.store.oserrors import mapped

_SCHEMA: Final = schema_version.name
_FOREIGN: Final = -1
"""Stands for the version of somebody else's tables."""


def open_database(url: str, *, lock_wait_s: float = LOCK_WAIT_S) -> Database:
    """The database at `url`, with the tables in it. Blocks for some ms. Raises as SqlRegistry.open does."""
    if url.startswith(SCHEME):
        path = sqlite_path(url)
        with mapped(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
    database = Database.open(url, lock_wait_s=lock_wait_s)
    try:
        open_schema(database)
    except BaseException:
        database.close()
        raise
    return database


def open_schema(database: Database) -> None:
    """Check the tables' version, or make them where there is nothing yet."""
    found = database.read(_version)
    if found is None:
        found = database.write(_create, _create)
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


def _create(connection: Connection) -> int:
    """Make the tables, unless another process just has."""
    found = _version(connection)
    if found is not None:
        return found
    metadata.create_all(connection)
    connection.execute(insert(schema_version), {"version": VERSION})
    account = {"name": DEFAULT_ACCOUNT, "quota": DEFAULT_QUOTA, "stored": 0}
    connection.execute(insert(accounts), account)
    return VERSION
