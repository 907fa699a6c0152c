"""Version 3: leases and logs of jobs, deposits, sweeps by account, users and keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "3"
down_revision = "2"

_ONLY_ACCOUNT = "local"
"""Version 2 had no other."""


def upgrade() -> None:
    _jobs()
    _sweeps()
    _blobs_and_logs()
    _users()
    _keys()


def _jobs() -> None:
    with op.batch_alter_table("jobs") as batch:
        batch.add_column(sa.Column("agent", sa.String(200)))
        batch.add_column(sa.Column("attempt", sa.String(64)))
        batch.add_column(sa.Column("lease_until", sa.BigInteger))
        batch.add_column(sa.Column("log_size", sa.BigInteger))
    op.execute("UPDATE jobs SET log_size = 0")
    with op.batch_alter_table("jobs") as batch:
        batch.alter_column("log_size", existing_type=sa.BigInteger(), nullable=False)
    _index_where("jobs_by_attempt", ["account", "attempt"], "attempt IS NOT NULL", unique=True)
    _index_where("jobs_by_lease", ["lease_until"], "lease_until IS NOT NULL")


def _index_where(name: str, columns: list[str], condition: str, *, unique: bool = False) -> None:
    """Of the rows of `jobs` for which `condition` holds."""
    where = sa.text(condition)
    op.create_index(name, "jobs", columns, unique=unique, sqlite_where=where, postgresql_where=where)


def _sweeps() -> None:
    with op.batch_alter_table("sweeps") as batch:
        batch.add_column(sa.Column("account", sa.String(64)))
    op.execute(f"UPDATE sweeps SET account = '{_ONLY_ACCOUNT}'")
    with op.batch_alter_table("sweeps") as batch:
        batch.alter_column("account", existing_type=sa.String(64), nullable=False)
        batch.create_foreign_key("sweeps_account_fkey", "accounts", ["account"], ["name"])
    op.create_index("sweeps_by_account", "sweeps", ["account", "id"])


def _blobs_and_logs() -> None:
    op.create_table(
        "deposits",
        sa.Column("account", sa.String(64), sa.ForeignKey("accounts.name"), primary_key=True),
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("sha256", sa.LargeBinary(32), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "job_logs",
        sa.Column("job", sa.String(32), sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("piece", sa.LargeBinary, nullable=False),
    )


def _users() -> None:
    op.create_table(
        "users",
        sa.Column("account", sa.String(64), sa.ForeignKey("accounts.name"), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("created", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "grants",
        sa.Column("account", sa.String(64), primary_key=True),
        sa.Column("user", sa.String(64), primary_key=True),
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.ForeignKeyConstraint(["account", "user"], ["users.account", "users.name"], ondelete="CASCADE"),
    )


def _keys() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("user", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("secret", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger),
        sa.Column("revoked", sa.BigInteger),
        sa.ForeignKeyConstraint(["account", "user"], ["users.account", "users.name"], ondelete="CASCADE"),
    )
    op.create_index("keys_by_user", "keys", ["account", "user"])
    op.create_table(
        "job_tokens",
        sa.Column("secret", sa.LargeBinary(32), primary_key=True),
        sa.Column("job", sa.String(32), sa.ForeignKey("jobs.id"), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("job_tokens_by_job", "job_tokens", ["job"])
