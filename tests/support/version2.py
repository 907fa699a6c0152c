"""A registry as version 2 of the tables left it: one job that SUCCEEDED, its artifacts and a data set, a sweep.

`version2.sql` is a dump of what that version made. PostgreSQL gets the same rows in the tables of revision 2.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from sqlalchemy import Boolean, Connection, MetaData, insert, text

from c3fs.registry.database import Database
from c3fs.registry.migrations import upgrade

DUMP: Final = Path(__file__).with_suffix(".sql")


def make_version2(url: str) -> None:
    """Fill the empty database at `url`."""
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript(DUMP.read_text())
        return
    database = Database.open(url)
    try:
        database.write(_fill)
    finally:
        database.close()


def _fill(connection: Connection) -> None:
    upgrade(connection, None, 2)
    tables = MetaData()
    tables.reflect(connection)
    with closing(sqlite3.connect(":memory:")) as dumped:
        dumped.row_factory = sqlite3.Row
        dumped.executescript(DUMP.read_text())
        for table in tables.sorted_tables:
            if table.name == "schema_version":
                continue
            flags = {column.name for column in table.columns if isinstance(column.type, Boolean)}
            for row in dumped.execute(f"SELECT * FROM {table.name}"):
                values = {key: bool(row[key]) if key in flags else row[key] for key in row.keys()}  # noqa: SIM118
                connection.execute(insert(table), values)
    for name in ("manifests", "ledger", "sweeps"):
        connection.execute(text(f"SELECT setval('{name}_id_seq', (SELECT max(id) FROM {name}))"))
