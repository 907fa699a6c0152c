"""PostgreSQL through psycopg under SQLAlchemy: addresses, connections, bounds, and its errors as ours.

Readers run in REPEATABLE READ, READ ONLY: one state of the database, and nothing that could fail for others' sake.
Writers run in READ COMMITTED: each locks the row that what it does hangs on, and the statements after that see what
those before it committed. Under REPEATABLE READ they would not: its state is chosen by the very statement that waits
for the lock (see the package's notes).
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final, TypeVar, cast

import psycopg
from psycopg.abc import PQGen
from sqlalchemy import URL, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool

from c3fs.errors import SettingsError, StoreRefusedError, StoreUnavailableError
from c3fs.registry.engines import Engines, Fault

RV = TypeVar("RV")

CONNECTIONS: Final = 16
"""Of one process: small transactions per second do not grow beyond (see the package's notes)."""
CONNECT_WITHIN_S: Final = 5
STATEMENT_WITHIN_S: Final = 30
"""For one statement, waiting for locks included; the server ends it."""
ANSWER_WITHIN_S: Final = 40.0
"""For a server that does not even end it: then the connection is given up."""
MIGRATION_WITHIN_S: Final = 600
"""For all of these when tables are changed, or somebody else's change is waited for."""
IDLE_WITHIN_S: Final = 30
"""How long the server keeps the locks of a transaction whose process is not heard of any more."""
_TURNS: Final = 3
"""Whoever waits here for a lock keeps his place among others; in SQLite he waits as often anew."""
TRIES: Final = 10
"""In 6 to 11 seconds, with the pauses between them."""
GIVE_UP_S: Final = 15.0
"""No new try after that. A server that is restarted answers again within seconds."""
_PAUSE_S: Final = 0.1
_LOOKS_LIKE: Final = "it looks like postgresql://user:password@host:5432/name or postgresql:///name?host=/directory"
_ADVICE: Final = "choose another database (--db)"

PARAMETERS: Final = frozenset(
    {
        "host",
        "port",
        "application_name",
        "channel_binding",
        "gssencmode",
        "krbsrvname",
        "passfile",
        "require_auth",
        "sslcert",
        "sslcrl",
        "sslcrldir",
        "sslkey",
        "sslmode",
        "sslnegotiation",
        "sslrootcert",
        "ssl_min_protocol_version",
        "target_session_attrs",
    }
)
"""Of libpq, allowed behind the `?` of an address; no secret is among them."""

_LOST: Final = ("08", "57P01", "57P02", "57P03", "57P04", "57P05", "25P03")
"""The server has ended the session, or is about to end or to start."""
_AGAIN: Final = ("40001", "40P01", "53300")
"""Serialization failure, deadlock; too many connections."""
REFUSED: Final = {
    "25006": "it is read-only: a standby, perhaps; name the primary",
    "28": "see that user and password are right and pg_hba.conf lets them in",
    "3D000": "make it with createdb, or name another",
    "42501": "give its user the right (the owner of the database has it)",
    "42": "its tables are not what this c3fs works with",
    "53100": "free some space there",
    "22": "a value that it cannot keep",
    "0A": "this version cannot do what c3fs needs; it works with version 15",
}
"""What no second try mends, with what does; by SQLSTATE or its beginning, the longest first."""
CONNECTING: Final = {
    "password authentication failed": REFUSED["28"],
    "no password supplied": REFUSED["28"],
    "no pg_hba.conf entry": REFUSED["28"],
    "authentication failed": REFUSED["28"],
    "role ": REFUSED["28"],
    'database "': REFUSED["3D000"],
    "permission denied": REFUSED["42501"],
    "certificate": "see that sslrootcert, sslcert and sslkey are right",
    "does not support SSL": "let the server speak TLS, or ask for another sslmode",
    "invalid ": "correct the address",
}
"""The same for errors of connecting, which have no SQLSTATE, by a part of the text. A server that speaks another
language is tried again in vain, and its own text is shown."""


class BoundedConnection(psycopg.Connection[Any]):
    """Gives up a server that does not answer: it is stopped, or behind a network that swallows everything."""

    answer_within: float = ANSWER_WITHIN_S

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.answer_within)
        except psycopg.errors._WaitTimeout as error:  # pyright: ignore[reportPrivateUsage]  # it has no other name
            self.pgconn.finish()
            raise psycopg.OperationalError(f"no answer in {self.answer_within:g} s") from error


def postgres_engines(url: str, lock_wait_s: float, answer_within: float = ANSWER_WITHIN_S) -> Engines:
    """Of the database that `url` names. Raises SettingsError, which does not show it: it may hold a password."""
    place = _parse(url)
    # Values of statements are nobody's business but the database's.
    common: dict[str, Any] = {"hide_parameters": True, "use_native_hstore": False}
    engine = create_engine(
        place,
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=GIVE_UP_S,
        pool_use_lifo=True,
        connect_args=_session(min(_TURNS * lock_wait_s, STATEMENT_WITHIN_S), STATEMENT_WITHIN_S, IDLE_WITHIN_S),
        **common,
    )
    bounds = _session(MIGRATION_WITHIN_S, MIGRATION_WITHIN_S, MIGRATION_WITHIN_S)
    migrating = create_engine(place, poolclass=NullPool, connect_args=bounds, **common)
    event.listen(engine, "do_connect", partial(_connect, answer_within))
    event.listen(engine, "checkout", _as_the_server_says)
    event.listen(migrating, "do_connect", partial(_connect, MIGRATION_WITHIN_S))
    name = _name(place)
    return Engines(
        name=name,
        reading=engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True),
        writing=engine.execution_options(isolation_level="READ COMMITTED"),
        migrating=migrating.execution_options(isolation_level="READ COMMITTED"),
        connections=CONNECTIONS,
        tries=TRIES,
        within=GIVE_UP_S,
        pause=_PAUSE_S,
        advice=_ADVICE,
        fault=partial(postgres_fault, name, place.password or ""),
    )


def postgres_fault(name: str, password: str, error: DBAPIError) -> Fault:
    """The one table from PostgreSQL's errors to ours."""
    state = getattr(error.orig, "sqlstate", None) or ""
    text = _text(error.orig)
    if password:
        text = text.replace(password, "…")
    what = f"{name}: {text}"
    if not state:
        # libpq's own: it could not connect, or has lost the connection.
        advice = None if error.connection_invalidated else _beginning(CONNECTING, text)
        if advice is not None:
            return Fault(StoreRefusedError(f"{what}; {advice}"), again=False)
        return Fault(StoreUnavailableError(what), again=True, lost=True)
    if state.startswith(_LOST):
        return Fault(StoreUnavailableError(what), again=True, lost=True)
    if state in _AGAIN:
        return Fault(StoreUnavailableError(what), again=True)
    if state in ("55P03", "57014"):
        return Fault(StoreUnavailableError(f"{what}: another has been writing to it for too long"), again=False)
    for length in (5, 2):
        if state[:length] in REFUSED:
            return Fault(StoreRefusedError(f"{what}; {REFUSED[state[:length]]}"), again=False)
    return Fault(StoreUnavailableError(what), again=False)


def _parse(url: str) -> URL:
    try:
        place = make_url(url)
        place.port  # noqa: B018
    except (ArgumentError, ValueError):
        raise SettingsError(f"not the address of a registry; {_LOOKS_LIKE}") from None
    if not place.database:
        raise SettingsError(f"not the address of a registry: it names no database; {_LOOKS_LIKE}")
    unknown = sorted(set(place.query) - PARAMETERS)
    if unknown:
        raise SettingsError(
            f"not the address of a registry: {unknown[0]!r} may not stand behind the '?'; {_LOOKS_LIKE}"
        )
    return place.set(drivername="postgresql+psycopg")


def _name(place: URL) -> str:
    """The address without password and parameters, but with where its socket is."""
    host = place.query.get("host")
    query = {} if host is None else {"host": host}
    bare = URL.create("postgresql", place.username, None, place.host, place.port, place.database, query)
    return bare.render_as_string().replace("%2F", "/")


def _session(lock_s: float, statement_s: float, idle_s: float) -> dict[str, object]:
    bounds = {
        "lock_timeout": lock_s,
        "statement_timeout": statement_s,
        "idle_in_transaction_session_timeout": idle_s,
    }
    return {
        "connect_timeout": CONNECT_WITHIN_S,
        "options": " ".join(f"-c {name}={seconds * 1000:.0f}" for name, seconds in bounds.items()),
        # A machine that has vanished is noticed while we wait for it.
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 4,
        "tcp_user_timeout": 30_000,
    }


def _connect(
    answer_within: float, _dialect: object, _record: object, _arguments: object, parameters: dict[str, Any]
) -> BoundedConnection:
    connection = BoundedConnection.connect(**parameters)
    connection.answer_within = answer_within
    return connection


def _as_the_server_says(connection: DBAPIConnection, _record: object, _proxy: object) -> None:
    """After a reader SQLAlchemy would ask for READ WRITE, in a database that somebody has set to be read-only, too."""
    cast(BoundedConnection, connection).read_only = None


def _text(error: BaseException | None) -> str:
    """The first line, without what may quote values."""
    primary = getattr(getattr(error, "diag", None), "message_primary", None)
    return primary or next(iter(str(error).splitlines()), type(error).__name__)


def _beginning(table: dict[str, str], text: str) -> str | None:
    return next((advice for part, advice in table.items() if part in text), None)
