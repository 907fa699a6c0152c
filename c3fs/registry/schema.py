"""The tables, for SQLite and PostgreSQL alike: portable types, no triggers, no defaults in SQL."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

VERSION: Final = 3
"""Of these tables. Any change of them is a new version."""

DEFAULT_ACCOUNT: Final = "local"
DEFAULT_QUOTA: Final = 100 << 30
"""Bytes; soft (see c3fs.registry.base.Balance)."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_Id = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite counts up only a column that is called INTEGER."""


class UtcTime(TypeDecorator[datetime]):
    """An aware datetime, kept as microseconds since 1970: SQLite knows no times, and integers sort."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else _EPOCH + value * _MICROSECOND


class FsPath(TypeDecorator[str]):
    """A path as Python has it, with bytes that are no UTF-8 as surrogates, kept as the bytes it stands for."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        return None if value is None else os.fsencode(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        return None if value is None else os.fsdecode(value)


metadata = MetaData()

schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True))

accounts = Table(
    "accounts",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("quota", BigInteger, nullable=False),
    # The balance of its newest ledger line. Who changes it locks this row first, so charges of one account
    # are made one after another.
    Column("stored", BigInteger, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("account", String(64), ForeignKey("accounts.name"), nullable=False),
    Column("project", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", String(32)),
    Column("exit_code", Integer),
    Column("spec", Text, nullable=False),
    Column("directory", FsPath, nullable=False),
    Column("created", UtcTime, nullable=False),
    Column("started", UtcTime),
    Column("finished", UtcTime),
    Column("cancel_requested", UtcTime),
    # Of a job that was taken from the queue: the agent's name, the request that took it, and until when it is that
    # agent's. None of a job that runs where it was deployed; a job that has ended has no lease.
    Column("agent", String(200)),
    Column("attempt", String(64)),
    Column("lease_until", UtcTime),
    # Bytes of its log that are here.
    Column("log_size", BigInteger, nullable=False, default=0),
    Index("jobs_by_time", "account", "created", "id"),
    Index("jobs_by_project", "account", "project", "created", "id"),
    Index("jobs_by_state", "account", "state", "created", "id"),
)

_TAKEN = jobs.c.attempt.is_not(None)
# An attempt takes one job, once.
Index("jobs_by_attempt", jobs.c.account, jobs.c.attempt, unique=True, sqlite_where=_TAKEN, postgresql_where=_TAKEN)
_LEASED = jobs.c.lease_until.is_not(None)
Index("jobs_by_lease", jobs.c.lease_until, sqlite_where=_LEASED, postgresql_where=_LEASED)

SOURCE: Final = -1
"""The position of a job's source among what it consumes."""

consumed = Table(
    "consumed",
    metadata,
    Column("job", String(32), ForeignKey("jobs.id"), primary_key=True),
    # In the job's spec; SOURCE is its project folder.
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("ref", FsPath, nullable=False),
    # Of the manifest that `ref` names.
    Column("base", String(256), nullable=False),
    Column("version", Integer, nullable=False),
    Index("consumed_by_base", "base", "version"),
)

manifests = Table(
    "manifests",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("account", String(64), ForeignKey("accounts.name"), nullable=False),
    # Ref.base: `/jobs/<id>` with version 0; `/datasets/<name>`, `/projects/<p>/data/<name>`, `/projects/<p>/source`
    # from version 1 on.
    Column("base", String(256), nullable=False),
    Column("version", Integer, nullable=False),
    # The words of the base, to list them. No project where the ref has none.
    Column("kind", String(16), nullable=False),
    Column("project", String(64)),
    Column("name", String(128), nullable=False),
    Column("complete", Boolean, nullable=False),
    # The root's digest.
    Column("root", LargeBinary(32), nullable=False),
    Column("body", Text, nullable=False),
    # When the tree was removed. The row stays, without blobs: what was there once never becomes another tree.
    Column("removed", UtcTime),
    UniqueConstraint("account", "base", "version", name="manifests_by_ref"),
    Index("manifests_by_kind", "account", "kind", "project", "name"),
)

manifest_blobs = Table(
    "manifest_blobs",
    metadata,
    Column("manifest", _Id, ForeignKey("manifests.id"), primary_key=True, autoincrement=False),
    Column("digest", LargeBinary(32), primary_key=True),
    Column("size", Integer, nullable=False),
    Index("manifest_blobs_by_digest", "digest", "manifest"),
    # The key is all but the size: one B-tree for SQLite instead of two.
    sqlite_with_rowid=False,
)

ledger = Table(
    "ledger",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("account", String(64), ForeignKey("accounts.name"), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("ref", Text, nullable=False),
    Column("delta", BigInteger, nullable=False),
    Column("balance", BigInteger, nullable=False),
    Index("ledger_by_account", "account", "id"),
)

sweeps = Table(
    "sweeps",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("account", String(64), ForeignKey("accounts.name"), nullable=False),
    # Until then its gc may delete what it condemned, unless it has settled it before.
    Column("expires", UtcTime, nullable=False),
    Column("settled", Boolean, nullable=False),
    Index("sweeps_by_account", "account", "id"),
)

condemned = Table(
    "condemned",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("sweep", _Id, ForeignKey("sweeps.id"), primary_key=True, autoincrement=False),
    Index("condemned_by_sweep", "sweep"),
    sqlite_with_rowid=False,
)

deposits = Table(
    "deposits",
    metadata,
    # A blob that was put past the control plane and found there, with the SHA-256 that the store has checked.
    Column("account", String(64), ForeignKey("accounts.name"), primary_key=True),
    Column("digest", LargeBinary(32), primary_key=True),
    Column("size", Integer, nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),
    sqlite_with_rowid=False,
)

job_logs = Table(
    "job_logs",
    metadata,
    Column("job", String(32), ForeignKey("jobs.id"), primary_key=True),
    # Of its first byte.
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    # With a rowid: without, SQLite reads every piece that it compares keys with on the way to one.
    Column("piece", LargeBinary, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("account", String(64), ForeignKey("accounts.name"), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("created", UtcTime, nullable=False),
)

grants = Table(
    "grants",
    metadata,
    Column("account", String(64), primary_key=True),
    Column("user", String(64), primary_key=True),
    # core.access.EVERY is all projects.
    Column("project", String(64), primary_key=True),
    Column("role", String(16), nullable=False),
    ForeignKeyConstraint(["account", "user"], ["users.account", "users.name"], ondelete="CASCADE"),
)

keys = Table(
    "keys",
    metadata,
    # What lists and logs call it; no secret.
    Column("id", String(16), primary_key=True),
    Column("account", String(64), nullable=False),
    Column("user", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("label", Text, nullable=False),
    # SHA-256 of the key; the key itself is nowhere.
    Column("secret", LargeBinary(32), nullable=False, unique=True),
    Column("created", UtcTime, nullable=False),
    Column("expires", UtcTime),
    Column("revoked", UtcTime),
    ForeignKeyConstraint(["account", "user"], ["users.account", "users.name"], ondelete="CASCADE"),
    Index("keys_by_user", "account", "user"),
)

job_tokens = Table(
    "job_tokens",
    metadata,
    # SHA-256 of the token, which is good as long as the job has not ended.
    Column("secret", LargeBinary(32), primary_key=True),
    Column("job", String(32), ForeignKey("jobs.id"), nullable=False),
    Index("job_tokens_by_job", "job"),
    sqlite_with_rowid=False,
)
