"""How the databases look for what the control plane asks all the time: in indexes, however much there is."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlalchemy import Connection, event, insert, text

from c3fs.registry import deposits, principals, queue, readable
from c3fs.registry.keys import make_secret
from c3fs.registry.opening import open_database
from c3fs.registry.schema import deposits as deposits_table, jobs, manifest_blobs, manifests
from c3fs.registry.views import View
from tests.support.control import digests, make_claims
from tests.support.records import EPOCH, job_id, make_blob

ACCOUNT = "local"
JOBS = 400
BLOBS = 50
ASKED = 50
"""Of 20,000: as 1000 of 400,000. A table of few more rows than are asked for would rightly be read whole."""
SPEC = "x" * 1500
"""Of a job as it is deployed; a table of short rows would be read whole too."""
TABLES = ("jobs", "manifests", "manifest_blobs", "deposits")
KEY = make_secret("c3_key_")

QUERIES: dict[str, Callable[[Connection], object]] = {
    "all": lambda connection: readable.readable(connection, View(ACCOUNT), digests(range(ASKED))),
    "projects": lambda connection: readable.readable(
        connection, View(ACCOUNT, frozenset({"p1", "p2"})), digests(range(ASKED))
    ),
    "job": lambda connection: readable.readable(connection, View(ACCOUNT, job=job_id(5)), digests(range(ASKED))),
    "present": lambda connection: deposits.present(connection, ACCOUNT, make_claims(range(ASKED))),
    "take": lambda connection: queue.take(connection, ACCOUNT, "a", "1" * 16, EPOCH),
    "key": lambda connection: principals.authenticate(connection, KEY, EPOCH),
}


READABLE = ("all", "projects", "job")


def expire(connection: Connection) -> object:
    """Asked of SQLite alone, which plans without regard to sizes: PostgreSQL rightly hashes so few jobs."""
    return queue.expire(connection, EPOCH)


def fill(connection: Connection) -> None:
    blobs = sorted(make_blob(number)[0] for number in range(JOBS * BLOBS))
    names = [job_id(number) for number in range(JOBS)]
    common = {"account": ACCOUNT, "name": "x", "spec": SPEC, "directory": "", "created": EPOCH, "log_size": 0}
    connection.execute(
        insert(jobs),
        [
            common | {"id": name, "project": f"p{at % 20}", "state": "PENDING" if at > JOBS - 5 else "SUCCEEDED"}
            for at, name in enumerate(names)
        ],
    )
    tree = {"account": ACCOUNT, "version": 0, "kind": "job", "complete": True, "root": b"r" * 32, "body": ""}
    rows = [tree | {"id": at + 1, "base": f"/jobs/{name}", "name": name} for at, name in enumerate(names)]
    connection.execute(insert(manifests), rows)
    connection.execute(
        insert(manifest_blobs),
        [{"manifest": at % JOBS + 1, "digest": bytes(digest), "size": 1} for at, digest in enumerate(blobs)],
    )
    deposit = {"account": ACCOUNT, "size": 1, "sha256": b"s" * 32}
    connection.execute(insert(deposits_table), [deposit | {"digest": bytes(digest)} for digest in blobs])
    connection.execute(text("ANALYZE"))


def plans(connection: Connection, query: Callable[[Connection], object]) -> str:
    """Of every statement that the query makes."""
    made: list[tuple[str, object]] = []

    def note(_: object, __: object, statement: str, values: object, *___: object) -> None:
        made.append((statement, values))

    event.listen(connection, "before_cursor_execute", note)
    query(connection)
    event.remove(connection, "before_cursor_execute", note)
    explain = "EXPLAIN QUERY PLAN " if connection.dialect.name == "sqlite" else "EXPLAIN "
    lines: list[str] = []
    for statement, values in made:
        if statement.split()[0] in ("SELECT", "WITH", "UPDATE", "DELETE"):
            found = connection.exec_driver_sql(explain + statement, values)  # pyright: ignore[reportArgumentType]  # as they came
            lines += [str(row[-1]) for row in found]
    return "\n".join(lines)


def test_nothing_is_read_from_one_end_to_the_other(sql_address: str) -> None:
    database = open_database(sql_address)
    try:
        database.write(fill)
        asked = QUERIES | ({"expire": expire} if sql_address.startswith("sqlite") else {})
        for name, query in asked.items():
            plan = database.write(lambda connection, query=query: plans(connection, query))
            assert plan
            for table in TABLES:
                assert not re.search(rf"(SCAN|Seq Scan on) {table}\b", plan), f"{name}:\n{plan}"
            if name in READABLE:
                # None that PostgreSQL could do in another order, or by hashing, when it has no statistics.
                assert not re.search("Join|Nested Loop", plan), f"{name}:\n{plan}"
    finally:
        database.close()
